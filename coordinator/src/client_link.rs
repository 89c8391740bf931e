//! One client's connection: each stream is one request, answered in a task of its own.

mod outcomes;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use protocol::{
    codec,
    digest::{Digest, Domain},
    identity::NodeId,
    job::{JobId, JobSpec},
    ledger::Submitted,
    limits::{EXPRESSION_FILE_BYTES_MAX, FRAME_GATHERED_BYTES_MAX, JOB_FILE_BYTES_MAX},
    message::{Request, Response},
    plan::Plan,
    report::JobProgress,
};
use serde::Serialize;
use tokio::{
    io::AsyncReadExt,
    sync::{oneshot, watch},
};
use tracing::{debug, info};
use transport::{
    Connection, FrameError, Opening, Stream, StreamError,
    blob::{self, ServeError},
};

use crate::{
    certificate::{self, Extent},
    core::{Asked, Event, JobResult, Part, ResultError, Submission, Taken, WrittenResult},
    server::Shared,
    shared_text::bytes_of,
};

/// How long a client may pause while it sends a job.
const STALL: Duration = Duration::from_secs(30);
/// The least time between two words on the progress of a job that goes on.
const PROGRESS_PAUSE: Duration = Duration::from_millis(50);

/// The longest job file that is planned at once, because that takes less than waking another thread.
const PLAN_AT_ONCE_BYTES_MAX: usize = 4 * 1024;
/// How many bytes of a certificate or a report are sent at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// How many bytes of short outcomes are collected before they are sent.
const SEND_TOGETHER_BYTES: usize = 64 * 1024;

/// An expression file up to this length is received at once.
const SHORT_FILE_BYTES_MAX: u64 = 64 * 1024;
/// How many longer ones are received at a time.
pub(crate) const LONG_FILES_MAX: usize = 8;
/// How many requests of one client are answered at a time; further ones wait on its side.
pub(crate) const REQUESTS_MAX: u32 = 48;

/// Why a request was not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the coordinator stops")]
    Stopping,
    #[error(transparent)]
    Blob(#[from] ServeError),
    #[error("a client may only send requests and ask for blobs")]
    NoRequest,
    #[error("a temporary file cannot be read: {0}")]
    Temporary(#[source] std::io::Error),
    #[error("an accepted outcome cannot be read: {0}")]
    Outcome(#[from] std::io::Error),
}

/// Serves a client that was let in until its connection ends.
pub(crate) async fn serve(connection: Connection, shared: &Shared) {
    loop {
        let mut stream = match connection.accept_stream().await {
            Ok(stream) => stream,
            Err(lost) => return debug!(client = %connection.peer().short(), %lost, "a client left"),
        };
        let shared = shared.clone();
        let client = connection.peer();
        tokio::spawn(async move {
            let answered = match stream.opening().await {
                Ok(Opening::Request(request)) => answer(&mut stream, request, client, &shared).await,
                Ok(Opening::Blob(request)) => {
                    let source = outcomes::ForClients(shared.outcomes);
                    blob::serve(stream, request, &source).await.map(drop).map_err(Unanswered::from)
                }
                Ok(_) => Err(Unanswered::NoRequest),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = answered {
                debug!(%error, "a request was not answered");
            }
        });
    }
}

async fn answer(
    stream: &mut Stream,
    request: Request,
    client: NodeId,
    shared: &Shared,
) -> Result<(), Unanswered> {
    let is_owner = shared.admission.is_owner(client);
    let response = match request {
        Request::Submit { job_bytes, file_bytes, follow } => {
            match submit(stream, (job_bytes, file_bytes), follow, client, shared).await? {
                Ok(taken) if follow => return follow_job(stream, taken, shared).await,
                Ok(taken) => Response::Submitted(taken.job),
                Err(reason) => Response::Error(reason),
            }
        }
        Request::Watch(job) => {
            watch_job(stream, job, shared).await?;
            return Ok(stream.writer.finish().await?);
        }
        Request::Result { job, file } => {
            let mut result = ask(shared, |reply| Asked::Result { job, reply }).await?;
            if let Ok(result) = &mut result
                && !file
            {
                result.file = None;
            }
            send_result(stream, job, result, shared).await?;
            return Ok(stream.writer.finish().await?);
        }
        Request::Certificate { job, abridged } => {
            let extent = if abridged { Extent::Abridged } else { Extent::Whole };
            return send_certificate(stream, (job, extent), shared).await;
        }
        Request::Abandon(job) => {
            let by = (!is_owner).then_some(client);
            match ask(shared, |reply| Asked::Abandon { job, by, reply }).await? {
                Ok(()) => Response::Done,
                Err(reason) => Response::Error(reason),
            }
        }
        Request::Status => {
            return send_list(stream, ask(shared, Asked::Status).await?, Response::Status).await;
        }
        Request::Workers => {
            return send_list(stream, ask(shared, Asked::Workers).await?, Response::Workers).await;
        }
        Request::Revoke(node) if is_owner => revoke(node, shared).await?,
        Request::Revoke(_) => Response::Error(
            "only the coordinator's operator revokes keys: run it where the coordinator's state directory is"
                .to_owned(),
        ),
    };
    stream.writer.send(&response).await?;
    Ok(stream.writer.finish().await?)
}

async fn ask<T>(shared: &Shared, asked: impl FnOnce(oneshot::Sender<T>) -> Asked) -> Result<T, Unanswered> {
    let (reply, answer) = oneshot::channel();
    shared.events.send(Event::Asked(asked(reply))).await.map_err(|_| Unanswered::Stopping)?;
    answer.await.map_err(|_| Unanswered::Stopping)
}

fn unknown_job(job: JobId) -> Response {
    Response::Error(format!("job {job} is not known here; `coordinator status` lists those that are"))
}

async fn revoke(node: NodeId, shared: &Shared) -> Result<Response, Unanswered> {
    let admission = Arc::clone(&shared.admission);
    let revoked = tokio::task::spawn_blocking(move || admission.revoke(node)).await;
    match revoked.map_err(|_| Unanswered::Stopping)? {
        Ok(()) => {
            info!(node = %node, "key revoked");
            let expelled = shared.events.send(Event::Asked(Asked::Expel(node))).await;
            expelled.map_err(|_| Unanswered::Stopping)?;
            Ok(Response::Done)
        }
        Err(error) => Ok(Response::Error(format!("the revocation cannot be written down: {error}"))),
    }
}

/// Sends a list in as many frames as it needs, one at least; the end of the stream is its end.
async fn send_list<T: Serialize>(
    stream: &mut Stream,
    items: Vec<T>,
    response: fn(Vec<T>) -> Response,
) -> Result<(), Unanswered> {
    let (mut part, mut part_bytes, mut is_sent) = (Vec::new(), 0, false);
    for item in items {
        let bytes = codec::encode(&item).len();
        if !part.is_empty() && part_bytes + bytes > FRAME_GATHERED_BYTES_MAX {
            stream.writer.feed(&response(std::mem::take(&mut part))).await?;
            (part_bytes, is_sent) = (0, true);
        }
        part_bytes += bytes;
        part.push(item);
    }
    if !part.is_empty() || !is_sent {
        stream.writer.feed(&response(part)).await?;
    }
    Ok(stream.writer.finish().await?)
}

/// Takes a job: its bytes within their bounds, its plan made off the owner's task.
async fn submit(
    stream: &mut Stream,
    (job_bytes, file_bytes): (u64, Option<u64>),
    follow: bool,
    client: NodeId,
    shared: &Shared,
) -> Result<Result<Taken, String>, Unanswered> {
    // Long files are received a few at a time, so that many clients together cannot take all the memory.
    let is_long = file_bytes.is_some_and(|bytes| bytes > SHORT_FILE_BYTES_MAX);
    let _place = if is_long {
        Some(shared.long_files.acquire().await.map_err(|_| Unanswered::Stopping)?)
    } else {
        None
    };
    let text = match stream.reader.exact_bytes(job_bytes, JOB_FILE_BYTES_MAX as u64, STALL).await {
        Ok(bytes) => bytes,
        Err(error @ FrameError::OverLimit { .. }) => {
            return Ok(Err(format!("job file: {error}")));
        }
        Err(error) => return Err(error.into()),
    };
    let file = match file_bytes {
        None => None,
        Some(count) => match stream.reader.exact_bytes(count, EXPRESSION_FILE_BYTES_MAX, STALL).await {
            Ok(bytes) => Some(bytes),
            Err(error @ FrameError::OverLimit { .. }) => {
                return Ok(Err(format!("expression file: {error}")));
            }
            Err(error) => return Err(error.into()),
        },
    };
    let planned = if file.is_none() && text.len() <= PLAN_AT_ONCE_BYTES_MAX {
        plan(text, file, client)
    } else {
        let planned = tokio::task::spawn_blocking(move || plan(text, file, client)).await;
        planned.map_err(|_| Unanswered::Stopping)?
    };
    let submission = match planned {
        Ok(submission) => Box::new(submission),
        Err(reason) => return Ok(Err(reason)),
    };
    if let (Some(digest), Some(text)) = (submission.submitted.file, submission.file.clone()) {
        let files = shared.ledger.files().clone();
        let bytes = bytes_of(text);
        let put = tokio::task::spawn_blocking(move || files.put(digest, bytes)).await;
        if let Err(error) = put.map_err(|_| Unanswered::Stopping)? {
            return Ok(Err(format!("the expression file cannot be kept: {error}")));
        }
    }
    ask(shared, |reply| Asked::Submit { submission, follow, reply }).await
}

fn plan(text: Vec<u8>, file: Option<Vec<u8>>, client: NodeId) -> Result<Submission, String> {
    let text = String::from_utf8(text).map_err(|_| "the job file is not UTF-8".to_owned())?;
    let spec = JobSpec::parse(&text).map_err(|errors| errors.to_string())?;
    let file_digest = file.as_ref().map(|bytes| Digest::of(Domain::ExpressionFile, bytes));
    let file = match file {
        Some(bytes) => {
            Some(String::from_utf8(bytes).map_err(|_| "the expression file is not UTF-8".to_owned())?)
        }
        None => None,
    };
    let file: Option<Arc<str>> = file.map(Into::into);
    let plan = Plan::new(&spec, file.clone()).map_err(|errors| errors.to_string())?;
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    let job = JobId::of_submission(&text, file_digest, nonce);
    let policy = spec.policy.clone();
    let submitted = Submitted { job, nonce, submitter: client, policy, text, file: file_digest };
    Ok(Submission { submitted, file, spec, plan: Arc::new(plan) })
}

/// Tells whoever submitted a job all of it, to its result.
async fn follow_job(stream: &mut Stream, taken: Taken, shared: &Shared) -> Result<(), Unanswered> {
    let Taken { job, is_durable, mut progress, mut result } = taken;
    let mut is_durable = std::pin::pin!(is_durable);
    // A result that comes before anything is durable, and needs nothing of the disk, is made ready while the disk writes.
    let early = tokio::select! {
        biased;
        durable = &mut is_durable => {
            durable.map_err(|_| Unanswered::Stopping)?;
            None
        }
        result = &mut result => Some(result.map_err(|_| Unanswered::Stopping)?),
    };
    let ready = match early {
        Some(result) => {
            let at_hand = result.is_at_hand();
            let ready = if at_hand { Ok(write_result(result, shared).await?) } else { Err(result) };
            progress.wait_for(|progress| progress.state.is_over()).await.map_err(|_| Unanswered::Stopping)?;
            Some(ready)
        }
        None => None,
    };
    // What is at hand together goes in one piece.
    stream.writer.feed(&Response::Submitted(job)).await?;
    tell_progress(stream, progress).await?;
    let ready = match ready {
        Some(Ok(ready)) => ready,
        Some(Err(result)) => write_result(result, shared).await?,
        None => write_result(result.await.map_err(|_| Unanswered::Stopping)?, shared).await?,
    };
    send_written(stream, job, ready, shared).await?;
    Ok(stream.writer.finish().await?)
}

async fn watch_job(stream: &mut Stream, job: JobId, shared: &Shared) -> Result<(), Unanswered> {
    match ask(shared, |reply| Asked::Watch { job, reply }).await? {
        Some(progress) => tell_progress(stream, progress).await,
        None => Ok(stream.writer.send(&unknown_job(job)).await?),
    }
}

async fn tell_progress(
    stream: &mut Stream,
    mut progress: watch::Receiver<JobProgress>,
) -> Result<(), Unanswered> {
    loop {
        let now = progress.borrow_and_update().clone();
        let over = now.state.is_over();
        stream.writer.feed(&Response::Progress(now)).await?;
        if over {
            return Ok(());
        }
        stream.writer.flush().await?;
        next_progress(&mut progress).await?;
    }
}

/// Waits for news that are worth sending: the end at once, anything else at a bounded rate.
async fn next_progress(progress: &mut watch::Receiver<JobProgress>) -> Result<(), Unanswered> {
    progress.changed().await.map_err(|_| Unanswered::Stopping)?;
    let over = progress.wait_for(|progress| progress.state.is_over());
    let gone = matches!(tokio::time::timeout(PROGRESS_PAUSE, over).await, Ok(Err(_)));
    if gone { Err(Unanswered::Stopping) } else { Ok(()) }
}

/// Writes the certificate to a nameless file, whose length is known then, and sends it from there.
async fn send_certificate(
    stream: &mut Stream,
    (job, extent): (JobId, Extent),
    shared: &Shared,
) -> Result<(), Unanswered> {
    let (ledger, admission) = (shared.ledger.clone(), Arc::clone(&shared.admission));
    let outcomes = Arc::clone(&shared.outcomes);
    let written = tokio::task::spawn_blocking(move || {
        certificate::write_to_file(&ledger, admission.key(), (job, extent), |digest| outcomes.get(digest))
    });
    let (file, length_bytes) = match written.await.map_err(|_| Unanswered::Stopping)? {
        Ok(written) => written,
        Err(error) => {
            let reason = format!("job {job} has no certificate: {error}");
            stream.writer.send(&Response::Error(reason)).await?;
            return Ok(stream.writer.finish().await?);
        }
    };
    stream.writer.send(&Response::Certificate { length_bytes }).await?;
    send_file(stream, file).await?;
    Ok(stream.writer.finish().await?)
}

async fn send_result(
    stream: &mut Stream,
    job: JobId,
    result: Result<Box<JobResult>, String>,
    shared: &Shared,
) -> Result<(), Unanswered> {
    match result {
        Ok(result) => send_written(stream, job, write_result(result, shared).await?, shared).await,
        Err(reason) => Ok(stream.writer.send(&Response::Error(reason)).await?),
    }
}

/// A result, and what was written of it.
type Ready = (Arc<JobResult>, Result<WrittenResult, ResultError>);

async fn write_result(result: Box<JobResult>, shared: &Shared) -> Result<Ready, Unanswered> {
    let (ledger, result) = (shared.ledger.clone(), Arc::new(*result));
    let written = if result.is_short() && result.is_at_hand() {
        result.write(&ledger)
    } else {
        let writer = Arc::clone(&result);
        let written = tokio::task::spawn_blocking(move || writer.write(&ledger));
        written.await.map_err(|_| Unanswered::Stopping)?
    };
    Ok((result, written))
}

async fn send_written(
    stream: &mut Stream,
    job: JobId,
    (result, written): Ready,
    shared: &Shared,
) -> Result<(), Unanswered> {
    let WrittenResult { report, ballots, outcomes } = match written {
        Ok(written) => written,
        Err(error) => {
            let reason = format!("job {job} has no result: {error}");
            return Ok(stream.writer.send(&Response::Error(reason)).await?);
        }
    };
    let header = Response::Result {
        job_bytes: result.text.len() as u64,
        file_bytes: result.file.as_ref().map(|file| file.len() as u64),
        report_bytes: report.iter().map(Part::length_bytes).sum(),
        ballots_bytes: ballots.iter().map(Part::length_bytes).sum(),
        tasks: outcomes.tasks(),
    };
    stream.writer.feed(&header).await?;
    stream.writer.feed_bytes(result.text.as_bytes()).await?;
    if let Some(file) = &result.file {
        stream.writer.send_bytes(bytes_of(Arc::clone(file))).await?;
    }
    for part in report.into_iter().chain(ballots) {
        send_part(stream, part).await?;
    }
    outcomes::send(stream, outcomes, shared).await
}

async fn send_part(stream: &mut Stream, part: Part) -> Result<(), Unanswered> {
    match part {
        Part::Bytes(bytes) => stream.writer.feed_bytes(&bytes).await?,
        Part::File(file, _) => send_file(stream, file).await?,
    }
    Ok(())
}

/// Sends a file from where it is, piece by piece.
async fn send_file(stream: &mut Stream, file: std::fs::File) -> Result<(), Unanswered> {
    let mut file = tokio::fs::File::from_std(file);
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut file).take(PIECE_BYTES as u64).read_to_end(&mut piece).await;
        if read.map_err(Unanswered::Temporary)? == 0 {
            return Ok(());
        }
        stream.writer.send_bytes(Bytes::from(piece)).await?;
    }
}
