//! What the pages promise is there: the make targets that they name, the files that they link to, the map's packages,
//! and the version in the list of changes.

use crate::complaint::{Complaint, settle};
use crate::manifests;
use crate::repository;

/// Where tests are named as `path/of/file.rs::the_function`.
const NAMING_TESTS: &[&str] = &["docs/threats.md"];
const PAGES: &[&str] = &["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md"];

fn unknown_targets(page: &str, text: &str, makefile: &str) -> Vec<Complaint> {
    let is_target =
        |name: &str| makefile.lines().any(|line| line.split_once(':').is_some_and(|(left, _)| left == name));
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        // A command stands at the start of a line of code, behind a prompt, or in backquotes.
        let quoted = line.split('`').skip(1).step_by(2);
        for code in std::iter::once(line).chain(quoted) {
            let Some(arguments) = code.trim_start().trim_start_matches("$ ").strip_prefix("make ") else {
                continue;
            };
            let Some(target) = arguments.split_whitespace().next().filter(|target| is_word(target)) else {
                continue;
            };
            if !is_target(target) {
                let message = format!("the Makefile has no target `{target}`; add it, or correct the page");
                complaints.push(Complaint::new(page, index + 1, message));
            }
        }
    }
    complaints
}

fn is_word(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_lowercase() || character == '-')
}

fn broken_links(page: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !exists(target) {
                complaints.push(Complaint::new(
                    page,
                    index + 1,
                    format!("links to `{target}`, which is not there"),
                ));
            }
        }
    }
    complaints
}

fn unknown_tests(page: &str, text: &str, source: impl Fn(&str) -> Option<String>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let named = line.split('`').skip(1).step_by(2).filter_map(|code| code.split_once(".rs::"));
        for (file, function) in named {
            let is_there = source(&format!("{file}.rs")).is_some_and(|text| {
                let defined = format!("fn {function}(");
                text.lines().any(|line| line.trim_start().trim_start_matches("async ").starts_with(&defined))
            });
            if !is_there {
                let message = format!("names the test `{file}.rs::{function}`, which is not there");
                complaints.push(Complaint::new(page, index + 1, message));
            }
        }
    }
    complaints
}

fn off_the_map(members: &[String], map: &str) -> Vec<Complaint> {
    let missing = members.iter().filter(|member| !map.contains(&format!("`{member}/`")));
    let message = |member: &String| format!("the map does not name `{member}/`; say there what it is for");
    missing.map(|member| Complaint::new("ARCHITECTURE.md", 0, message(member))).collect()
}

fn unlisted_version(changes: &str, version: &str) -> Vec<Complaint> {
    let headings = ["[Unreleased]".to_owned(), format!("[{version}]")];
    let is_listed = changes
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .any(|heading| headings.iter().any(|known| heading.starts_with(known.as_str())));
    if is_listed {
        return Vec::new();
    }
    let message = format!(
        "there is neither `## [Unreleased]` nor `## [{version}]`; add the section for what changes now"
    );
    vec![Complaint::new("CHANGELOG.md", 0, message)]
}

#[test]
fn commands_on_the_pages_exist() {
    let makefile = repository::page("Makefile");
    let found = PAGES.iter().flat_map(|page| unknown_targets(page, &repository::page(page), &makefile));
    settle("commands", found);
}

#[test]
fn links_on_the_pages_lead_somewhere() {
    let exists = |target: &str| repository::root().join(target).exists();
    let found = PAGES.iter().flat_map(|page| broken_links(page, &repository::page(page), exists));
    settle("links", found);
}

#[test]
fn tests_that_a_page_names_exist() {
    let source =
        |file: &str| repository::files().iter().any(|known| known == file).then(|| repository::page(file));
    settle(
        "named-tests",
        NAMING_TESTS.iter().flat_map(|page| unknown_tests(page, &repository::page(page), source)),
    );
}

#[test]
fn the_map_names_every_package() {
    settle("map", off_the_map(&manifests::members(), &repository::page("ARCHITECTURE.md")));
}

#[test]
fn the_list_of_changes_has_a_section_for_what_comes_next() {
    settle("changelog", unlisted_version(&repository::page("CHANGELOG.md"), &manifests::version()));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    #[test]
    fn a_command_that_does_not_exist_is_caught() {
        let makefile = "test: ## all\n\tcargo test\n.PHONY: test\n";
        let lines = |text: &str| {
            unknown_targets("a.md", text, makefile)
                .into_iter()
                .map(|complaint| complaint.line)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines("    make test\n    $ make rocket   # up\nand `make rocket`, `make test`\n"),
            [2, 3]
        );
        assert_eq!(lines("what people make of it; they `make` much\n`make test`"), NONE);
    }

    #[test]
    fn a_link_to_nothing_is_caught() {
        let exists = |target: &str| target == "LICENSE";
        let text = "[a](LICENSE) [b](https://example.org) [c](#below)\n[d](docs/gone.md#top)\n";
        assert_eq!(broken_links("a.md", text, exists)[0].line, 2);
        assert_eq!(broken_links("a.md", text, exists).len(), 1);
    }

    #[test]
    fn a_test_that_does_not_exist_is_caught() {
        let source = |file: &str| (file == "a/b.rs").then(|| "    async fn it_is_so() {}\nfn it(".to_owned());
        let lines = |text: &str| -> Vec<usize> {
            unknown_tests("a.md", text, source).into_iter().map(|complaint| complaint.line).collect()
        };
        assert_eq!(
            lines("`a/b.rs::it_is_so`, `a/b.rs`\n`a/b.rs::it_is`\n`a/c.rs::it_is_so`, `a/b.rs::so`"),
            [2, 3, 3]
        );
    }

    #[test]
    fn a_package_that_the_map_forgot_is_caught() {
        let members = ["worker".to_owned(), "crates/protocol".to_owned()];
        assert_eq!(off_the_map(&members, "- `worker/` computes\n").len(), 1);
        assert_eq!(off_the_map(&members, "`worker/`, `crates/protocol/`"), []);
    }

    #[test]
    fn changes_without_a_section_are_caught() {
        assert_eq!(unlisted_version("# Changes\n## [0.0.9]\n", "0.1.0").len(), 1);
        assert_eq!(unlisted_version("## [Unreleased]\n", "0.1.0"), []);
        assert_eq!(unlisted_version("## [0.1.0] - 2030-01-01\n", "0.1.0"), []);
    }
}
