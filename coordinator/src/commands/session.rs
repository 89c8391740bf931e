//! What commands share when they talk to a coordinator: which one, which job, and which file.

use std::path::Path;

use protocol::{job::JobId, report::JobStatus};

use crate::{
    arguments::Reach,
    client::{Client, Target},
    exit::CommandError,
    state,
};

/// The coordinator that the user named, if any.
pub(super) fn target(reach: &Reach) -> Result<Option<Target>, CommandError> {
    let coordinator_dir = state::coordinator_dir(reach.state.state_dir.as_deref());
    reach
        .coordinator
        .as_deref()
        .map(|text| Target::resolve(text, &coordinator_dir, &state::client_dir()))
        .transpose()
}

/// A client of the coordinator that the user named, or of the one whose state is here.
pub(super) async fn client(reach: &Reach) -> Result<Client, CommandError> {
    if let Some(target) = target(reach)? {
        return Client::connect(&target).await;
    }
    let coordinator_dir = state::coordinator_dir(reach.state.state_dir.as_deref());
    let Some(address) = state::read_address(&coordinator_dir) else {
        return Err(CommandError::Input(
            "no coordinator is configured: name one with --coordinator or QUORATE_COORDINATOR, or start one with \
             `coordinator serve`"
                .to_owned(),
        ));
    };
    Client::connect(&Target::resolve(&address, &coordinator_dir, &state::client_dir())?).await
}

/// The job that the user means by an id or the first digits of it.
pub(super) async fn find_job(client: &Client, text: &str) -> Result<JobId, CommandError> {
    if let Some(job) = JobId::from_hex(text) {
        return Ok(job);
    }
    let jobs = client.jobs().await?;
    let fits = |status: &&JobStatus| !text.is_empty() && status.job.to_string().starts_with(text);
    let fitting: Vec<JobId> = jobs.iter().filter(fits).map(|status| status.job).collect();
    match fitting[..] {
        [job] => Ok(job),
        [] => Err(CommandError::Input(format!(
            "no job's id starts with `{text}`; `coordinator status` lists the jobs"
        ))),
        _ => Err(CommandError::Input(format!(
            "{} jobs' ids start with `{text}`; give more digits",
            fitting.len()
        ))),
    }
}

/// A file as text.
pub(super) fn read_text(path: &Path) -> Result<String, CommandError> {
    let failed = |source| CommandError::File { action: "read", path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(failed)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CommandError::Input(format!("{} is not UTF-8 text (byte {at}); save it as UTF-8", path.display()))
    })
}
