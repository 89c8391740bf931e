//! A client's side of the conversation: connect, ask, watch, collect.

mod certificate;
mod result;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use protocol::{
    identity::{NodeId, SecretKey},
    job::JobId,
    limits::PROTOCOL_VERSION,
    message::{Hello, Introduction, Request, Response, Welcome},
    report::{JobProgress, JobStatus, WorkerStatus},
    token::{Credential, Role, Token},
};
use tokio::sync::Mutex;
use transport::{Connection, ConnectionConfig, Opening, Stream, blob::Neighbours, connect_with, identity};

pub use certificate::CertificateStream;
pub use result::ResultStream;

use crate::exit::CommandError;

/// How long a connection attempt may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the coordinator may take for the next piece of an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the coordinator may take to put a result or a certificate together: some 100 us a task. A coordinator that is gone is
/// noticed by its silence on the connection, long before.
const PREPARATION_TIMEOUT: Duration = Duration::from_hours(1);

/// How many bytes of a result or a certificate a client holds at a time.
const PIECE_BYTES_MAX: u64 = 256 * 1024;

/// The most items of a list that a client takes.
const LIST_ITEMS_MAX: usize = 64 * 1024;

/// Where a coordinator is, and how this client proves that it may come in.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// The key that it must show.
    pub coordinator: NodeId,
    /// The key that this client shows.
    pub key: SecretKey,
    /// The proof, where the client's key is not the coordinator's own.
    pub credential: Option<Credential>,
    /// The nodes that share this process with the client.
    pub neighbours: Neighbours,
}

impl Target {
    /// Understands `--coordinator`: a client token, or the address of a coordinator whose state directory is here.
    ///
    /// # Errors
    /// [`CommandError`] when it is neither.
    pub fn resolve(text: &str, coordinator_dir: &Path, client_dir: &Path) -> Result<Self, CommandError> {
        if text.trim_start().starts_with("quorate1.") {
            let token = Token::from_text(text).map_err(|error| CommandError::Input(error.to_string()))?;
            if token.grant.role != Role::Client {
                let reason = "this token is for a worker; ask for one made with `coordinator token --client`";
                return Err(CommandError::Input(reason.to_owned()));
            }
            let key = identity::load_or_create(client_dir)?;
            let credential = Some(Credential::from(&token));
            let (address, coordinator) = (token.address, token.coordinator);
            return Ok(Self { address, coordinator, key, credential, neighbours: Neighbours::default() });
        }
        let key_file = coordinator_dir.join(identity::KEY_FILE);
        if !key_file.exists() {
            let reason = format!(
                "the key of the coordinator at {text} is not known: there is no {}; name its state directory with \
                 --state-dir, or give a client token instead of the address (`coordinator token --client` prints one)",
                key_file.display()
            );
            return Err(CommandError::Input(reason));
        }
        let key = identity::load_or_create(coordinator_dir)?;
        let (address, coordinator) = (text.to_owned(), key.node_id());
        Ok(Self { address, coordinator, key, credential: None, neighbours: Neighbours::default() })
    }
}

/// A client that was let in.
pub struct Client {
    connection: Connection,
    /// The stream of the hello. It stays open as long as the client is there.
    control: Mutex<Control>,
}

struct Control {
    stream: Stream,
    welcomed: bool,
}

impl Client {
    /// Connects and says hello. Whether the client is let in shows with the answer to its first request, which travels
    /// with the hello and saves a round trip.
    ///
    /// # Errors
    /// [`CommandError`] when nobody answers.
    pub async fn connect(target: &Target) -> Result<Self, CommandError> {
        let config =
            ConnectionConfig { neighbours: target.neighbours.clone(), ..ConnectionConfig::default() };
        let Target { key, coordinator, address, .. } = target;
        let connection = connect_with(key, *coordinator, address, CONNECT_TIMEOUT, &config).await?;
        let hello = Hello {
            protocol_version: PROTOCOL_VERSION,
            credential: target.credential.clone(),
            introduction: Introduction::Client,
        };
        let stream = connection.open_stream(&Opening::Control(hello)).await?;
        Ok(Self { connection, control: Mutex::new(Control { stream, welcomed: false }) })
    }

    /// Sends a request and what belongs to it, and waits until the client is let in.
    async fn send(&self, request: Request, parts: Vec<Bytes>) -> Result<Stream, CommandError> {
        let sent = async {
            let mut stream = self.connection.open_stream(&Opening::Request(request)).await?;
            for part in parts {
                stream.writer.send_bytes(part).await?;
            }
            Ok::<_, CommandError>(stream)
        };
        let (sent, welcomed) = tokio::join!(sent, self.welcomed());
        // A refusal explains best why nothing could be sent.
        welcomed.and(sent)
    }

    async fn welcomed(&self) -> Result<(), CommandError> {
        let mut control = self.control.lock().await;
        if !control.welcomed {
            match control.stream.reader.require_within::<Welcome>(ANSWER_TIMEOUT).await? {
                Welcome::Accepted { .. } => control.welcomed = true,
                Welcome::Refused { reason, .. } => return Err(CommandError::Refused(reason)),
            }
        }
        Ok(())
    }

    async fn open(&self, request: Request) -> Result<Stream, CommandError> {
        self.send(request, Vec::new()).await
    }

    /// Asks for one answer.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks, or the coordinator says no.
    pub async fn ask(&self, request: Request) -> Result<Response, CommandError> {
        let mut stream = self.open(request).await?;
        accepted(stream.reader.require_within(ANSWER_TIMEOUT).await?)
    }

    /// Every job that the coordinator knows.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn jobs(&self) -> Result<Vec<JobStatus>, CommandError> {
        self.list(Request::Status, |response| match response {
            Response::Status(jobs) => Ok(jobs),
            other => Err(other),
        })
        .await
    }

    /// Every worker that the coordinator knows.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn workers(&self) -> Result<Vec<WorkerStatus>, CommandError> {
        self.list(Request::Workers, |response| match response {
            Response::Workers(workers) => Ok(workers),
            other => Err(other),
        })
        .await
    }

    /// Asks for a list, which comes in parts.
    async fn list<T>(
        &self,
        request: Request,
        part: fn(Response) -> Result<Vec<T>, Response>,
    ) -> Result<Vec<T>, CommandError> {
        let mut stream = self.open(request).await?;
        let mut all = Vec::new();
        while let Some(response) = next_in_time(&mut stream).await? {
            all.extend(part(accepted(response)?).map_err(|other| unexpected(&other))?);
            if all.len() > LIST_ITEMS_MAX {
                let reason = format!("its list has more than {LIST_ITEMS_MAX} items, which is the limit");
                return Err(CommandError::Broken(reason));
            }
        }
        Ok(all)
    }

    /// Submits a job.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn submit(&self, text: &str, file: Option<Bytes>) -> Result<JobId, CommandError> {
        let (job, _) = self.submit_with(text, file, false).await?;
        Ok(job)
    }

    /// Submits a job, follows its progress to its end, and starts to collect its results: one request for all of it.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn run(
        &self,
        text: &str,
        file: Option<Bytes>,
        show: impl FnMut(&JobProgress),
    ) -> Result<(JobId, JobProgress, ResultStream), CommandError> {
        let (job, mut stream) = self.submit_with(text, file, true).await?;
        let progress = progress_to_the_end(&mut stream, show).await?;
        Ok((job, progress, ResultStream::begin(&self.connection, stream).await?))
    }

    async fn submit_with(
        &self,
        text: &str,
        file: Option<Bytes>,
        follow: bool,
    ) -> Result<(JobId, Stream), CommandError> {
        let request = Request::Submit {
            job_bytes: text.len() as u64,
            file_bytes: file.as_ref().map(|bytes| bytes.len() as u64),
            follow,
        };
        let mut parts = vec![Bytes::copy_from_slice(text.as_bytes())];
        parts.extend(file);
        let mut stream = self.send(request, parts).await?;
        match accepted(stream.reader.require_within(ANSWER_TIMEOUT).await?)? {
            Response::Submitted(job) => Ok((job, stream)),
            other => Err(unexpected(&other)),
        }
    }

    /// Follows a job's progress to its end.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn watch(
        &self,
        job: JobId,
        show: impl FnMut(&JobProgress),
    ) -> Result<JobProgress, CommandError> {
        let mut stream = self.open(Request::Watch(job)).await?;
        progress_to_the_end(&mut stream, show).await
    }

    /// Starts to collect the results of a job, with its expression file where `file`.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn result(&self, job: JobId, file: bool) -> Result<ResultStream, CommandError> {
        let stream = self.open(Request::Result { job, file }).await?;
        ResultStream::begin(&self.connection, stream).await
    }

    /// Starts to collect the certificate of a job, without expression file and outcomes where `abridged`.
    ///
    /// # Errors
    /// As [`Client::ask`].
    pub async fn certificate(&self, job: JobId, abridged: bool) -> Result<CertificateStream, CommandError> {
        let mut stream = self.open(Request::Certificate { job, abridged }).await?;
        match accepted(stream.reader.require_within(PREPARATION_TIMEOUT).await?)? {
            Response::Certificate { length_bytes } => {
                Ok(CertificateStream { left_bytes: length_bytes, stream })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Whose answers these are.
    #[must_use]
    pub fn coordinator(&self) -> NodeId {
        self.connection.peer()
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.connection.close_and_tell(transport::CloseCode::Finished, "the client has its answer").await;
    }
}

async fn progress_to_the_end(
    stream: &mut Stream,
    mut show: impl FnMut(&JobProgress),
) -> Result<JobProgress, CommandError> {
    loop {
        match accepted(stream.reader.require().await?)? {
            Response::Progress(progress) => {
                show(&progress);
                if progress.state.is_over() {
                    return Ok(progress);
                }
            }
            other => return Err(unexpected(&other)),
        }
    }
}

async fn next_in_time(stream: &mut Stream) -> Result<Option<Response>, CommandError> {
    let next = tokio::time::timeout(ANSWER_TIMEOUT, stream.reader.next()).await;
    Ok(next.map_err(|_| CommandError::Broken(format!("no answer came within {ANSWER_TIMEOUT:?}")))??)
}

fn accepted(response: Response) -> Result<Response, CommandError> {
    match response {
        Response::Error(reason) => Err(CommandError::Refused(reason)),
        other => Ok(other),
    }
}

/// The error for an answer to another question.
pub fn unexpected(response: &Response) -> CommandError {
    let kind = match response {
        Response::Submitted(_) => "submitted",
        Response::Progress(_) => "progress",
        Response::Status(_) => "status",
        Response::Workers(_) => "workers",
        Response::Result { .. } => "result",
        Response::Certificate { .. } => "certificate",
        Response::Done => "done",
        Response::Error(_) => "error",
    };
    CommandError::Broken(format!("it answered with `{kind}`, which was not asked for"))
}
