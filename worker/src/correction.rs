//! Obeying a verdict: a dissenter replaces its outcome only for a certificate that proves another one.

use protocol::{
    ballot::ReplicaId,
    digest::Digest,
    limits::{CERTIFICATE_BYTES_MAX, OUTCOME_BYTES_MAX},
    message::BlobName,
    verdict::{Certificate, CertificateError},
};
use transport::{Connection, blob, blob::BlobError};

use crate::store::{OutcomeStore, StoreError};

/// Why a correction was not obeyed.
#[derive(Debug, thiserror::Error)]
pub enum CorrectionError {
    /// It did not arrive.
    #[error("the correction did not arrive: {0}")]
    Fetch(#[from] BlobError),
    /// The certificate proves nothing.
    #[error("the correction is not obeyed, its certificate proves nothing: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate proves something else.
    #[error("the correction is not obeyed, its certificate is about another task or digest")]
    Foreign,
    /// The outcome cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches certificate and outcome, checks both, and replaces what is stored.
///
/// `quorum` is what the lease named: a certificate with fewer agreeing workers is not obeyed.
///
/// # Errors
/// [`CorrectionError`]; then what is stored stays.
pub async fn obey(
    connection: &Connection,
    store: &OutcomeStore,
    replica: ReplicaId,
    accepted: Digest,
    quorum: u32,
) -> Result<(), CorrectionError> {
    let name = BlobName::Certificate(replica.job, replica.index);
    let bytes = blob::fetch(connection, name, CERTIFICATE_BYTES_MAX as u64).await?;
    let certificate = Certificate::check(&bytes, quorum)?;
    let proven = (certificate.job, certificate.index, certificate.task, certificate.accepted);
    if proven != (replica.job, replica.index, replica.task, accepted) {
        return Err(CorrectionError::Foreign);
    }
    let outcome = blob::fetch(connection, BlobName::Outcome(accepted), OUTCOME_BYTES_MAX).await?;
    store.correct(replica.task, accepted, outcome)?;
    Ok(())
}
