//! Where things are kept where nobody says otherwise: the folders that the user's system sets aside for programs.

use std::path::PathBuf;

use etcetera::{BaseStrategy, base_strategy::choose_native_strategy};

/// The state directory of one part of Quorate (`coordinator`, `worker`, `client`), such as
/// `~/.local/state/quorate/worker`; `.quorate/worker` where the user has no home.
pub fn state(part: &str) -> PathBuf {
    let all = choose_native_strategy().ok();
    let all = all.map(|user| user.state_dir().unwrap_or_else(|| user.data_dir()).join("quorate"));
    all.unwrap_or_else(|| PathBuf::from(".quorate")).join(part)
}

/// The user's configuration file, such as `~/.config/quorate/config.toml`; none where the user has no home.
pub(crate) fn config_file() -> Option<PathBuf> {
    Some(choose_native_strategy().ok()?.config_dir().join("quorate").join("config.toml"))
}
