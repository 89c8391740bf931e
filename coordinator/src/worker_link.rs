//! One worker's connection: what it says is checked here, on its own task, before the owner hears of it.

use std::sync::Arc;

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

/// The connection of a worker that was let in.
pub(crate) struct WorkerLink {
    pub(crate) connection: Connection,
    /// On which it said hello.
    pub(crate) stream: Stream,
    /// Counts the connections of this coordinator.
    pub(crate) session: u64,
    pub(crate) shared: Arc<Shared>,
}

impl WorkerLink {
    /// Tells the owner of the worker. What is returned serves it until its connection ends; `None` when the coordinator stops.
    ///
    /// A thousand workers make a thousand of these, which wait most of the time: it keeps each thing once, and little.
    pub(crate) async fn admit(
        self,
        introduction: WorkerIntroduction,
        operator: String,
    ) -> Option<impl Future<Output = ()> + use<>> {
        let Self { connection, stream, session, shared } = self;
        let worker = connection.peer();
        let (outbox, mut messages) = mpsc::channel(PEER_QUEUE_MAX);
        let worker_in =
            WorkerIn { worker, operator, introduction, outbox, connection: connection.clone(), session };
        shared.events.send(Event::WorkerIn(worker_in)).await.ok()?;
        let Stream { mut writer, mut reader, .. } = stream;
        Some(async move {
            let end = tokio::select! {
                end = read(&mut reader, worker, &shared) => end,
                end = write(&mut writer, &mut messages) => end,
                end = serve_blobs(&connection, &shared) => end,
                () = shared.stop.cancelled() => End::Stopped,
            };
            match end {
                End::Gone(reason) => debug!(worker = %worker.short(), %reason, "a worker's connection ended"),
                End::BadInput(reason) => {
                    warn!(worker = %worker.short(), %reason, "a worker sent what it must not; its connection is closed");
                    connection.close(CloseCode::BadInput, &reason);
                }
                End::Stopped => {
                    return connection.close_and_tell(CloseCode::ShuttingDown, "the coordinator stops").await;
                }
            }
            // The owner is gone only when the coordinator stops.
            let _ = shared.events.send(Event::WorkerOut { worker, session }).await;
        })
    }
}

/// Why a connection ended.
enum End {
    Gone(String),
    BadInput(String),
    Stopped,
}

async fn read(reader: &mut FrameReader, worker: NodeId, shared: &Shared) -> End {
    loop {
        let message = match reader.next::<WorkerMessage>().await {
            Ok(Some(message)) => message,
            Ok(None) => return End::Gone("it ended the conversation".to_owned()),
            Err(error) if error.is_bad_input() => return End::BadInput(error.to_string()),
            Err(error) => return End::Gone(error.to_string()),
        };
        // Only then is there work in it; and what waits for a place would be kept twice.
        let Ok(place) = shared.events.reserve().await else {
            return End::Gone("the coordinator stops".to_owned());
        };
        match checked(worker, message) {
            Ok(Some(word)) => place.send(Event::Heard { worker, word }),
            Ok(None) => return End::Gone("it said goodbye".to_owned()),
            Err(reason) => return End::BadInput(reason),
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

async fn write(writer: &mut FrameWriter, messages: &mut mpsc::Receiver<Box<CoordinatorMessage>>) -> End {
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

async fn serve_blobs(connection: &Connection, shared: &Arc<Shared>) -> End {
    loop {
        let mut stream = match connection.accept_stream().await {
            Ok(stream) => stream,
            Err(lost) => return End::Gone(lost.to_string()),
        };
        let source = ForWorkers(Arc::clone(shared));
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
struct ForWorkers(Arc<Shared>);

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
