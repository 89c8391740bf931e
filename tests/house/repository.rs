//! The files of this repository: what git tracks, and what it would track if it were added now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::rust_source::{self, RustSource};

/// The workspace's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies inside the workspace")
}

/// Every file, relative to [`root`] and with `/`, in order.
pub(crate) fn files() -> &'static [String] {
    static FILES: OnceLock<Vec<String>> = OnceLock::new();
    FILES.get_or_init(|| {
        let files = listed_by_git().unwrap_or_else(walked);
        assert!(files.iter().any(|file| file == "Cargo.toml"), "no files found under {}", root().display());
        files
    })
}

/// The files under `folder` (with a trailing `/`) whose names end in `suffix`.
pub(crate) fn files_under(folder: &str, suffix: &str) -> Vec<String> {
    files().iter().filter(|file| file.starts_with(folder) && file.ends_with(suffix)).cloned().collect()
}

/// A file's text; `None` where it is not UTF-8.
pub(crate) fn text(file: &str) -> Option<String> {
    let bytes =
        std::fs::read(root().join(file)).unwrap_or_else(|error| panic!("{file} cannot be read: {error}"));
    String::from_utf8(bytes).ok()
}

/// The text of a file that must be there and be text.
pub(crate) fn page(file: &str) -> String {
    assert!(files().iter().any(|known| known == file), "{file} is missing; write it");
    text(file).unwrap_or_else(|| panic!("{file} is not UTF-8"))
}

/// Every Rust file, read once.
pub(crate) fn rust_sources() -> &'static [RustSource] {
    static SOURCES: OnceLock<Vec<RustSource>> = OnceLock::new();
    SOURCES.get_or_init(|| {
        let mut sources: Vec<RustSource> = files_under("", ".rs")
            .iter()
            .map(|file| {
                RustSource::read(file, &page(file))
                    .unwrap_or_else(|error| panic!("{file} does not parse: {error}"))
            })
            .collect();
        rust_source::mark_test_modules(&mut sources);
        sources
    })
}

fn listed_by_git() -> Option<Vec<String>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let listed = String::from_utf8(output.stdout).ok()?;
    let files: BTreeSet<String> = listed
        .split('\0')
        .filter(|file| !file.is_empty() && root().join(file).is_file())
        .map(str::to_owned)
        .collect();
    Some(files.into_iter().collect())
}

/// The same for a copy without git (an archive, a container): all but what .gitignore names.
fn walked() -> Vec<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::from(root())];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let relative = path.strip_prefix(root()).expect("a walk stays below its start").to_owned();
            if ["target", "results", ".git"].iter().any(|ignored| relative == Path::new(ignored)) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.into_iter().collect()
}

#[test]
fn a_walk_finds_every_file_that_git_tracks() {
    let Some(listed) = listed_by_git() else { return };
    let walked: BTreeSet<String> = walked().into_iter().collect();
    let lost: Vec<&String> = listed.iter().filter(|file| !walked.contains(*file)).collect();
    assert!(lost.is_empty(), "the walk misses {lost:?}");
}
