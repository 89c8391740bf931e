//! Files and functions that one can read at a sitting, each opening with its intuition, none of them a dumping ground.

use crate::complaint::{Complaint, settle};
use crate::repository;
use crate::rust_source::RustSource;

/// Most lines of a file beside its test modules (aim at 400).
const FILE_LINES_MAX: usize = 500;
/// Most lines of a file of tests.
const TEST_FILE_LINES_MAX: usize = 700;
/// Most lines of a function, from its signature to its closing brace (aim at 70).
const FUNCTION_LINES_MAX: usize = 80;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "stuff"];

fn too_long(source: &RustSource) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let limit = if source.is_test { TEST_FILE_LINES_MAX } else { FILE_LINES_MAX };
    let lines = source.own_line_count();
    if lines > limit {
        let message = format!("{lines} lines beside its test modules, at most {limit}; split it by concept");
        complaints.push(Complaint::new(&source.file, 0, message));
    }
    for function in source.functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let (name, lines) = (&function.name, function.lines);
        let message = format!("`{name}` has {lines} lines, at most {FUNCTION_LINES_MAX}; name its steps");
        complaints.push(Complaint::new(&source.file, function.line, message));
    }
    complaints
}

fn without_opening(source: &RustSource) -> Vec<Complaint> {
    if source.opens_with_documentation {
        return Vec::new();
    }
    vec![Complaint::new(&source.file, 1, "open the file with a `//!` paragraph that gives its intuition")]
}

fn empty_names(source: &RustSource) -> Vec<Complaint> {
    let message = |name: &str| format!("`{name}` says nothing; name it by the concept that it holds");
    let in_path = source.file.split('/').map(|part| part.trim_end_matches(".rs")).map(|part| (part, 0));
    let declared = source.modules.iter().map(|(name, line)| (name.as_str(), *line));
    in_path
        .chain(declared)
        .filter(|(name, _)| EMPTY_NAMES.contains(name))
        .map(|(name, line)| Complaint::new(&source.file, line, message(name)))
        .collect()
}

fn over_all(rule: fn(&RustSource) -> Vec<Complaint>) -> Vec<Complaint> {
    repository::rust_sources().iter().flat_map(rule).collect()
}

#[test]
fn files_and_functions_can_be_read_at_a_sitting() {
    settle("length", over_all(too_long));
}

#[test]
fn every_file_opens_with_its_intuition() {
    settle("opening", over_all(without_opening));
}

#[test]
fn no_module_is_a_dumping_ground() {
    settle("names", over_all(empty_names));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, text: &str) -> RustSource {
        RustSource::read(file, text).unwrap()
    }

    #[test]
    fn one_line_too_many_is_caught_and_test_modules_are_free() {
        let body = |lines: usize| "//! Doc.\n".to_owned() + &"const _: u8 = 0;\n".repeat(lines - 1);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const _: u8 = 0;\n".repeat(300));
        assert_eq!(too_long(&read("a/src/b.rs", &body(FILE_LINES_MAX))), []);
        assert_eq!(too_long(&read("a/src/b.rs", &(body(FILE_LINES_MAX) + &tests))), []);
        assert!(too_long(&read("a/src/b.rs", &body(FILE_LINES_MAX + 1)))[0].message.contains("501 lines"));
        assert_eq!(too_long(&read("a/tests/b.rs", &body(FILE_LINES_MAX + 1))), []);
        assert_eq!(too_long(&read("a/tests/b.rs", &body(TEST_FILE_LINES_MAX + 1))).len(), 1);
    }

    #[test]
    fn a_long_function_is_caught_wherever_it_stands() {
        let function = |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
        assert_eq!(too_long(&read("a.rs", &function(FUNCTION_LINES_MAX))), []);
        for frame in ["BODY", "impl A { BODY }", "trait A { BODY }", "mod a { BODY }", "fn outer() { BODY }"]
        {
            let found = too_long(&read("a.rs", &frame.replace("BODY", &function(FUNCTION_LINES_MAX + 1))));
            assert!(
                found.iter().any(|complaint| complaint.message.contains("`long` has 81 lines")),
                "{frame}"
            );
        }
    }

    #[test]
    fn a_file_without_an_opening_is_caught() {
        assert_eq!(without_opening(&read("a.rs", "//! Why.\nfn f() {}\n")), []);
        assert_eq!(without_opening(&read("a.rs", "/// Not of the file.\nfn f() {}\n")).len(), 1);
    }

    #[test]
    fn a_name_that_says_nothing_is_caught() {
        assert_eq!(empty_names(&read("a/src/utils.rs", "")).len(), 1);
        assert_eq!(empty_names(&read("a/src/common/mod.rs", "")).len(), 1);
        assert_eq!(empty_names(&read("a/src/lib.rs", "//! A.\nmod helpers { }"))[0].line, 2);
        assert_eq!(empty_names(&read("a/src/lib.rs", "mod utility_bill;")), []);
    }
}
