//! The results of a job as they arrive at a client, piece by piece: a report and ballots of a million tasks are gigabytes. Only
//! the job's own text is held whole.

use bytes::Bytes;
use protocol::{
    digest::Digest,
    limits::EXPRESSION_FILE_BYTES_MAX,
    message::{BlobName, NO_OUTCOME, OUTCOME_BY_NAME, Response},
};
use transport::{Connection, Stream, blob};

use super::{ANSWER_TIMEOUT, PIECE_BYTES_MAX, PREPARATION_TIMEOUT, accepted, unexpected};
use crate::exit::CommandError;

/// The results of a job as they arrive: its text, the report, the signed ballots, and the outcomes of its tasks.
pub struct ResultStream {
    /// The job file's text.
    pub text: String,
    /// The expression file's text, where the job names one and it was asked for.
    pub file: Option<String>,
    /// How many tasks' outcomes follow.
    pub tasks: u64,
    /// Over which long outcomes are fetched.
    connection: Connection,
    stream: Stream,
    report_left_bytes: u64,
    ballots_left_bytes: u64,
    /// How many tasks without an outcome are next.
    absent: u64,
}

impl ResultStream {
    pub(super) async fn begin(connection: &Connection, mut stream: Stream) -> Result<Self, CommandError> {
        let header = accepted(stream.reader.require_within(PREPARATION_TIMEOUT).await?)?;
        let Response::Result { job_bytes, file_bytes, report_bytes, ballots_bytes, tasks } = header else {
            return Err(unexpected(&header));
        };
        let mut text_of = async |count| {
            let bytes = stream.reader.exact_bytes(count, EXPRESSION_FILE_BYTES_MAX, ANSWER_TIMEOUT).await?;
            let damaged = |_| CommandError::Broken("the job's text is damaged".to_owned());
            String::from_utf8(bytes).map_err(damaged)
        };
        let text = text_of(job_bytes).await?;
        let file = match file_bytes {
            Some(count) => Some(text_of(count).await?),
            None => None,
        };
        let (report_left_bytes, ballots_left_bytes) = (report_bytes, ballots_bytes);
        let connection = connection.clone();
        Ok(Self { text, file, tasks, connection, stream, report_left_bytes, ballots_left_bytes, absent: 0 })
    }

    /// The next piece of the report, as JSON; none after the last.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks.
    pub async fn next_report_piece(&mut self) -> Result<Option<Vec<u8>>, CommandError> {
        next_piece(&mut self.stream, &mut self.report_left_bytes).await
    }

    /// The next piece of the signed ballots, as JSON; none after the last. What is left of the report is passed over.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks.
    pub async fn next_ballots_piece(&mut self) -> Result<Option<Vec<u8>>, CommandError> {
        while self.next_report_piece().await?.is_some() {}
        next_piece(&mut self.stream, &mut self.ballots_left_bytes).await
    }

    /// The next task's accepted outcome, if it has one. What is left of the report and the ballots is passed over.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks.
    pub async fn next_outcome(&mut self, limit_bytes: u64) -> Result<Option<Bytes>, CommandError> {
        while self.next_ballots_piece().await?.is_some() {}
        if self.absent == 0 {
            let length = self.number().await?;
            if length == OUTCOME_BY_NAME {
                return self.named_outcome(limit_bytes).await.map(Some);
            }
            if length != NO_OUTCOME {
                let bytes = self.stream.reader.exact_bytes(length, limit_bytes, ANSWER_TIMEOUT).await?;
                return Ok(Some(bytes.into()));
            }
            self.absent = self.number().await?.max(1);
        }
        self.absent -= 1;
        Ok(None)
    }

    /// A long outcome, of which the digest is next.
    async fn named_outcome(&mut self, limit_bytes: u64) -> Result<Bytes, CommandError> {
        let mut digest = Digest([0; 32]);
        let bytes = self.stream.reader.exact_bytes(32, 32, ANSWER_TIMEOUT).await?;
        digest.0.copy_from_slice(&bytes);
        let fetched = blob::fetch(&self.connection, BlobName::Outcome(digest), limit_bytes).await;
        fetched.map_err(|error| CommandError::Broken(error.to_string()))
    }

    /// How many of the next tasks are known to have no outcome; they are passed over.
    pub fn pass_absent(&mut self) -> u64 {
        std::mem::take(&mut self.absent)
    }

    async fn number(&mut self) -> Result<u64, CommandError> {
        let bytes = self.stream.reader.exact_bytes(8, 8, ANSWER_TIMEOUT).await?;
        Ok(bytes.try_into().map_or(0, u64::from_be_bytes))
    }
}

/// The next piece of something of which so much is still to come.
async fn next_piece(stream: &mut Stream, left_bytes: &mut u64) -> Result<Option<Vec<u8>>, CommandError> {
    let bytes = (*left_bytes).min(PIECE_BYTES_MAX);
    if bytes == 0 {
        return Ok(None);
    }
    *left_bytes -= bytes;
    Ok(Some(stream.reader.exact_bytes(bytes, PIECE_BYTES_MAX, ANSWER_TIMEOUT).await?))
}
