//! Where things are kept where nobody says otherwise, and what a running coordinator leaves there for `token`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use program::folders;

/// Name of the file with the address under which a coordinator is reached.
const ADDRESS_FILE: &str = "address";

/// The default state directory of the coordinator.
pub fn coordinator_dir(given: Option<&Path>) -> PathBuf {
    given.map_or_else(|| folders::state("coordinator"), Path::to_owned)
}

/// The state directory of a client that comes with a token.
pub fn client_dir() -> PathBuf {
    folders::state("client")
}

/// Writes down under which address a coordinator is reached.
///
/// # Errors
/// When the file cannot be written.
pub fn write_address(state_dir: &Path, address: &str) -> io::Result<()> {
    fs::write(state_dir.join(ADDRESS_FILE), format!("{address}\n"))
}

/// Under which address the coordinator said that it is reached, when it last started.
pub fn read_address(state_dir: &Path) -> Option<String> {
    let text = fs::read_to_string(state_dir.join(ADDRESS_FILE)).ok()?;
    let address = text.trim();
    (!address.is_empty()).then(|| address.to_owned())
}
