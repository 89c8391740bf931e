//! Computing tasks again on this machine, to compare them with what was accepted: the coordinator does not compute, so
//! the code of a worker does.

use protocol::{digest::Digest, outcome::Outcome, task::Task};

/// Computes a task and takes the digest of its outcome. Blocks, and uses every processor.
///
/// # Errors
/// Why this machine cannot compute it.
pub fn recompute(task: &Task) -> Result<Digest, String> {
    let bytes = worker::alone::outcome_of(task).map_err(|error| error.to_string())?;
    Ok(Outcome::digest_of_bytes(&bytes))
}
