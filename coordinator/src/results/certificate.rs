//! The certificate in a results folder: it comes without the expression file and the outcomes, which are here, and is put
//! together while the outcomes come in.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use protocol::{
    certificate::{
        ABRIDGED_LEAD_BYTES, BuildError, Completion, CompletionError, SIGNATURE_BYTES, preamble_bytes,
    },
    identity::Signature,
    job::JobId,
};

use super::FILE_BUFFER_BYTES;
use crate::{client::Client, exit::CommandError};

/// A certificate of which the outcomes are missing.
pub(super) struct CertificateFile<'c> {
    client: &'c Client,
    job: JobId,
    path: PathBuf,
    completion: Completion<BufWriter<File>>,
    signature: Signature,
    /// Whether the outcomes belong into it; a value that is an outcome stands beside it.
    holds_outcomes: bool,
}

impl<'c> CertificateFile<'c> {
    /// Writes everything up to the outcomes; `file` is the expression file. A coordinator that cannot give a certificate says
    /// why, and the results are worth having without.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks or the disk refuses.
    pub(super) async fn begin(
        (client, job): (&'c Client, JobId),
        file: Option<&[u8]>,
        holds_outcomes: bool,
        path: PathBuf,
    ) -> Result<Option<Self>, CommandError> {
        let mut stream = match client.certificate(job, true).await {
            Ok(stream) => stream,
            Err(CommandError::Refused(reason)) => {
                eprintln!("no certificate is written: {reason}");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let damaged = || CommandError::Broken("the certificate is damaged".to_owned());
        let lead = stream.take(ABRIDGED_LEAD_BYTES).await?;
        let preamble = stream.take(preamble_bytes(&lead).ok_or_else(damaged)?).await?;
        let failed = |error| failed(error, &path);
        let out = File::create(&path).map_err(|error| failed(error.into()))?;
        let mut completion = Completion::begin(BufWriter::with_capacity(FILE_BUFFER_BYTES, out));
        for bytes in [&lead, &preamble, file.unwrap_or_default()] {
            completion.bytes(bytes).map_err(failed)?;
        }
        while let Some(piece) = stream.next_piece().await? {
            completion.bytes(&piece).map_err(failed)?;
        }
        let signature = stream.take(SIGNATURE_BYTES).await?;
        let signature = Signature(signature.try_into().map_err(|_| damaged())?);
        Ok(Some(Self { client, job, path, completion, signature, holds_outcomes }))
    }

    /// The outcome of the next task; none where it has none.
    ///
    /// # Errors
    /// [`CommandError`] when the disk refuses.
    pub(super) fn outcome(&mut self, bytes: Option<&[u8]>) -> Result<(), CommandError> {
        match bytes {
            Some(bytes) if self.holds_outcomes => {
                self.completion.outcome(bytes).map_err(|error| failed(error, &self.path))
            }
            Some(_) => Ok(()),
            None => {
                self.absent(1);
                Ok(())
            }
        }
    }

    /// So many of the next tasks have no outcome.
    pub(super) fn absent(&mut self, tasks: u64) {
        if self.holds_outcomes {
            self.completion.absent(tasks);
        }
    }

    /// Ends it. Where the coordinator signed something else, because an outcome was lost in between, all of it is asked for.
    ///
    /// # Errors
    /// [`CommandError`] when the connection breaks or the disk refuses.
    pub(super) async fn finish(self) -> Result<(), CommandError> {
        let Self { client, job, path, completion, signature, .. } = self;
        match completion.finish(client.coordinator(), signature) {
            Ok(_) => return Ok(()),
            Err(CompletionError::Build(error)) => return Err(failed(error, &path)),
            Err(CompletionError::Unsigned) => {}
        }
        let failed = |error| failed(BuildError::Write(error), &path);
        let mut whole = client.certificate(job, false).await?;
        let mut file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(&path).map_err(failed)?);
        while let Some(piece) = whole.next_piece().await? {
            file.write_all(&piece).map_err(failed)?;
        }
        file.write_all(&whole.take(SIGNATURE_BYTES).await?).map_err(failed)?;
        file.flush().map_err(failed)
    }
}

fn failed(error: BuildError, path: &std::path::Path) -> CommandError {
    match error {
        BuildError::Write(source) => CommandError::File { action: "write", path: path.to_owned(), source },
        other => CommandError::Broken(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use protocol::{certificate::verify, job::JobSpec, plan::Plan};

    use super::*;
    use crate::embedded::{Composition, EmbeddedCluster};

    /// No ballot comes after the verdict, so that the certificate stays as long as it was.
    const TEXT: &str = "name = \"lines\"\nkind = \"expressions\"\n[expressions]\nfile = \"lines.txt\"\nbatch = 1\n\
                        [policy]\nreplicas = 2\n";
    const FILE: &str = "1 + 1 == 2\n2 + 2 == 4\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_certificate_that_was_completed_wrongly_is_asked_for_as_a_whole() {
        let plan = Plan::new(&JobSpec::parse(TEXT).expect("a job"), Some(FILE.into())).expect("a plan");
        let cluster = EmbeddedCluster::start(Composition::of(3)).await.expect("a cluster");
        let client = Client::connect(&cluster.target()).await.expect("a client");
        let (job, _, mut result) = client.run(TEXT, Some(FILE.into()), |_| {}).await.expect("a result");
        let mut outcomes = Vec::new();
        for index in 0..plan.tasks() {
            let outcome = result.next_outcome(plan.outcome_bytes_max(index)).await;
            outcomes.push(outcome.expect("it comes").expect("it is accepted"));
        }
        let folder = tempfile::tempdir().expect("a folder");
        let mut lengths = Vec::new();
        for is_damaged in [false, true] {
            let path = folder.path().join(is_damaged.to_string());
            let file = CertificateFile::begin((&client, job), Some(FILE.as_bytes()), true, path.clone());
            let mut file = file.await.expect("it comes").expect("there is one");
            file.outcome(Some(&outcomes[0])).expect("room");
            file.outcome((!is_damaged).then_some(&outcomes[1][..])).expect("room");
            file.finish().await.expect("it is whole");
            let bytes = std::fs::read(&path).expect("a file");
            let found = verify(&bytes[..], &[]).expect("it holds");
            assert_eq!((found.accepted, found.outcomes), (2, 2));
            lengths.push(bytes.len());
        }
        assert_eq!(lengths[0], lengths[1]);
        client.close().await;
        cluster.stop().await;
    }
}
