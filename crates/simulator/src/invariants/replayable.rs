//! A log that a coordinator wrote can be read by it: no entry contradicts those before it.

use verdict::ReplayError;

use super::Violation;

pub(super) fn check(replayed: Result<(), (usize, ReplayError)>) -> Result<(), Violation> {
    replayed.map_err(|(position, error)| Violation {
        invariant: "a log can be replayed",
        what: format!("entry {position}: {error}"),
    })
}
