//! One worker's connection: what it says is checked here, on its own task, before the owner hears of it.

use protocol::{
    ballot::AuthenticBallot,
    bundle::{BallotBundle, Said},
    identity::NodeId,
    limits::{FRAME_BYTES_MAX, INLINE_OUTCOME_BYTES_MAX, PEER_QUEUE_MAX, TEXT_BYTES_MAX},
    message::{BlobName, CoordinatorMessage, WorkerIntroduction, WorkerMessage},
    outcome::Outcome,
    task::TaskId,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};
use transport::{
    CloseCode, Connection, FrameReader, FrameWriter, Opening, Stream,
    blob::{self, Blob, BlobSource},
};

use crate::{
    admission::fits_on_a_line,
    core::{Asked, Event, Word, WorkerIn},
    server::Shared,
};

/// Serves a worker that was let in until its connection ends.
pub(crate) async fn serve(
    connection: Connection,
    stream: Stream,
    introduction: WorkerIntroduction,
    operator: String,
    session: u64,
    shared: &Shared,
) {
    let worker = connection.peer();
    let (outbox, messages) = mpsc::channel(PEER_QUEUE_MAX);
    let worker_in =
        WorkerIn { worker, operator, introduction, outbox, connection: connection.clone(), session };
    if shared.events.send(Event::WorkerIn(worker_in)).await.is_err() {
        return;
    }
    let Stream { writer, reader, .. } = stream;
    let end = tokio::select! {
        end = read(reader, &connection, shared) => end,
        end = write(writer, messages) => end,
        end = serve_blobs(&connection, shared) => end,
    };
    match end {
        End::Gone(reason) => debug!(worker = %worker.short(), %reason, "a worker's connection ended"),
        End::BadInput(reason) => {
            warn!(worker = %worker.short(), %reason, "a worker sent what it must not; its connection is closed");
            connection.close(CloseCode::BadInput, &reason);
        }
    }
    // The owner is gone only when the coordinator stops.
    let _ = shared.events.send(Event::WorkerOut { worker, session }).await;
}

/// Why a connection ended.
enum End {
    Gone(String),
    BadInput(String),
}

async fn read(mut reader: FrameReader, connection: &Connection, shared: &Shared) -> End {
    let worker = connection.peer();
    loop {
        let message = match reader.next::<WorkerMessage>().await {
            Ok(Some(message)) => message,
            Ok(None) => return End::Gone("it ended the conversation".to_owned()),
            Err(error) if error.is_bad_input() => return End::BadInput(error.to_string()),
            Err(error) => return End::Gone(error.to_string()),
        };
        let word = match checked(worker, message) {
            Ok(Some(word)) => word,
            Ok(None) => return End::Gone("it said goodbye".to_owned()),
            Err(reason) => return End::BadInput(reason),
        };
        if shared.events.send(Event::Heard { worker, word }).await.is_err() {
            return End::Gone("the coordinator stops".to_owned());
        }
    }
}

/// Checks whatever can be checked without the owner: signatures, digests, lengths.
fn checked(worker: NodeId, message: WorkerMessage) -> Result<Option<Word>, String> {
    Ok(Some(match message {
        WorkerMessage::Cast(bundle) => Word::Cast(checked_ballots(worker, bundle)?),
        WorkerMessage::Commit { commitments } => Word::Commit(commitments),
        WorkerMessage::Failed { replica, mut reason } => {
            reason.truncate(reason.floor_char_boundary(TEXT_BYTES_MAX));
            // It is printed in logs and reports.
            let reason = reason.replace(char::is_control, " ");
            Word::Failed { replica, reason }
        }
        WorkerMessage::Heartbeat { under_way } => Word::Heartbeat(under_way),
        WorkerMessage::Corrected { replica, digest } => Word::Corrected { replica, digest },
        WorkerMessage::Goodbye => return Ok(None),
    }))
}

/// Checks ballots, their one signature, and the outcomes that came with them.
fn checked_ballots(worker: NodeId, bundle: BallotBundle) -> Result<Vec<Said<AuthenticBallot>>, String> {
    let said = bundle.open(worker).map_err(|error| error.to_string())?;
    for Said { ballot, outcome, .. } in &said {
        let ballot = ballot.ballot();
        let domain = &ballot.domain;
        if ![&domain.operator, &domain.device, &domain.build].into_iter().all(|name| fits_on_a_line(name)) {
            return Err("a name in its ballot is too long or has a control character".to_owned());
        }
        let Some(bytes) = outcome else { continue };
        let (length, limit) = (bytes.len(), INLINE_OUTCOME_BYTES_MAX);
        if length > limit {
            return Err(format!("an outcome of {length} bytes came with its ballot, the limit is {limit}"));
        }
        if Outcome::digest_of_bytes(bytes) != ballot.digest {
            return Err("an outcome does not have the digest of its ballot".to_owned());
        }
    }
    Ok(said)
}

async fn write(mut writer: FrameWriter, mut messages: mpsc::Receiver<Box<CoordinatorMessage>>) -> End {
    while let Some(message) = messages.recv().await {
        let mut result = writer.feed(&message).await;
        while result.is_ok()
            && let Ok(message) = messages.try_recv()
        {
            result = writer.feed(&message).await;
        }
        let result = match result {
            Ok(()) => writer.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            return End::Gone(error.to_string());
        }
    }
    End::Gone("another connection of the same worker took over".to_owned())
}

async fn serve_blobs(connection: &Connection, shared: &Shared) -> End {
    loop {
        let mut stream = match connection.accept_stream().await {
            Ok(stream) => stream,
            Err(lost) => return End::Gone(lost.to_string()),
        };
        let source = ForWorkers(shared.clone());
        let worker = connection.peer();
        tokio::spawn(async move {
            let served = match stream.opening().await {
                Ok(Opening::Blob(request)) => {
                    blob::serve(stream, request, &source).await.map(|_| ()).map_err(|error| error.to_string())
                }
                Ok(_) => Err("a worker may only ask for blobs".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = served {
                debug!(worker = %worker.short(), %reason, "a blob was not served");
            }
        });
    }
}

/// What a worker may fetch: long tasks, accepted outcomes and those that are audited, certificates.
struct ForWorkers(Shared);

impl BlobSource for ForWorkers {
    async fn open(&self, name: BlobName) -> std::io::Result<Option<Blob>> {
        match name {
            BlobName::Task(digest) => Ok(self.0.long_tasks.get(&TaskId(digest)).map(Blob::Memory)),
            BlobName::Outcome(digest) => self.0.outcomes.open_blob(&digest).await,
            BlobName::Trace(..) => Ok(None),
            BlobName::Witness(outcome, prover) => self.0.witnesses.open_blob(outcome, prover).await,
            BlobName::Certificate(job, index) => {
                let (reply, certificate) = oneshot::channel();
                let asked = Asked::Certificate { job, index, reply };
                if self.0.events.send(Event::Asked(asked)).await.is_err() {
                    return Ok(None);
                }
                let certificate = certificate.await.ok().flatten();
                Ok(certificate.map(|certificate| Blob::Memory(certificate.to_bytes().into())))
            }
        }
    }
}

const _: () =
    assert!(INLINE_OUTCOME_BYTES_MAX * 2 < FRAME_BYTES_MAX, "a ballot with its outcome fits a frame");
