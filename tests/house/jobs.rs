//! Every ready-made job is run by a test, and every expectation belongs to a job.
//!
//! The end-to-end tests run what stands in `tests/expected/`: one file per job, named like it, with the outcome that
//! mathematics gives it.

use std::collections::BTreeSet;

use crate::complaint::{Complaint, settle};
use crate::repository;

const JOBS: &str = "jobs/";
const EXPECTED: &str = "tests/expected/";

fn jobs_without_a_test(files: &[String]) -> Vec<Complaint> {
    let names = |folder: &str, suffix: &str| -> BTreeSet<String> {
        let name_of = |file: &String| Some(file.strip_prefix(folder)?.strip_suffix(suffix)?.to_owned());
        files.iter().filter_map(name_of).collect()
    };
    let (jobs, expected) = (names(JOBS, ".toml"), names(EXPECTED, ".txt"));
    let untested = jobs.difference(&expected).map(|name| {
        let message =
            format!("no test runs this job; write the outcome that it must have to {EXPECTED}{name}.txt");
        Complaint::new(format!("{JOBS}{name}.toml"), 0, message)
    });
    let orphaned = expected.difference(&jobs).map(|name| {
        let message = format!("there is no {JOBS}{name}.toml; write the job, or remove its expectation");
        Complaint::new(format!("{EXPECTED}{name}.txt"), 0, message)
    });
    untested.chain(orphaned).collect()
}

#[test]
fn every_job_file_is_run_by_a_test() {
    assert!(
        !repository::files_under(JOBS, ".toml").is_empty(),
        "{JOBS} holds no job; the newcomer's menu is empty"
    );
    settle("jobs", jobs_without_a_test(repository::files()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(files: &[&str]) -> Vec<String> {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        jobs_without_a_test(&files).into_iter().map(|complaint| complaint.place).collect()
    }

    #[test]
    fn a_job_that_no_test_runs_is_caught() {
        assert_eq!(places(&["jobs/pi.toml", "jobs/e.toml", "tests/expected/e.txt"]), ["jobs/pi.toml"]);
    }

    #[test]
    fn an_expectation_without_a_job_is_caught() {
        assert_eq!(
            places(&["jobs/pi.toml", "tests/expected/pi.txt", "tests/expected/e.txt"]),
            ["tests/expected/e.txt"]
        );
    }

    #[test]
    fn files_that_jobs_read_need_no_expectation() {
        assert_eq!(
            places(&["jobs/lines.txt", "jobs/sums.toml", "tests/expected/sums.txt"]),
            Vec::<String>::new()
        );
    }
}
