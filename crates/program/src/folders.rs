//! Where things are kept where nobody says otherwise: the folders that the user's system sets aside for programs.

use std::path::PathBuf;

use directories::ProjectDirs;

fn user() -> Option<ProjectDirs> {
    ProjectDirs::from("", "", "quorate")
}

/// The state directory of one part of Quorate (`coordinator`, `worker`, `client`), such as
/// `~/.local/state/quorate/worker`; `.quorate/worker` where the user has no home.
pub fn state(part: &str) -> PathBuf {
    let all = user().map(|dirs| dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned());
    all.unwrap_or_else(|| PathBuf::from(".quorate")).join(part)
}

/// The user's configuration file, such as `~/.config/quorate/config.toml`; none where the user has no home.
pub(crate) fn config_file() -> Option<PathBuf> {
    Some(user()?.config_dir().join("config.toml"))
}
