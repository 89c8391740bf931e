//! No file names a folder that exists on one developer's machine only.

use crate::complaint::{Complaint, settle};
use crate::repository;

/// Where people and their machines keep things. Spelled in two parts, so that this file does not name them either.
const PRIVATE: &[&str] =
    &[concat!("/", "root/"), concat!("/", "home/"), concat!("/", "Users/"), concat!("/", "work/")];

fn private_paths(file: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for private in PRIVATE {
            let named = line.match_indices(private).any(|(at, _)| {
                let starts_here = !line[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || "._-)}~*".contains(before));
                starts_here
                    && line[at + private.len()..]
                        .starts_with(|next: char| next.is_alphanumeric() || next == '.')
            });
            if named {
                let message =
                    format!("`{private}…` exists on one machine only; use a path relative to the repository");
                complaints.push(Complaint::new(file, index + 1, message));
            }
        }
    }
    complaints
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let texts = repository::files().iter().filter_map(|file| Some((file, repository::text(file)?)));
    settle("machine paths", texts.flat_map(|(file, text)| private_paths(file, &text)));
}

#[test]
fn a_path_of_one_machine_is_caught() {
    const NONE: [usize; 0] = [];
    let lines = |text: &str| private_paths("a.md", text).iter().map(|found| found.line).collect::<Vec<_>>();
    for private in PRIVATE {
        assert_eq!(lines(&format!("cd x\ncd {private}alice/quorate\n")), [2]);
        assert_eq!(lines(&format!("include_str!(\"{private}notes.txt\")")), [1]);
        assert_eq!(
            lines(&format!("https://example.org{private}page and docs{private}page and $HOME{private}x")),
            NONE
        );
    }
}
