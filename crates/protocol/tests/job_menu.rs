//! Every ready-made job under `jobs/` is valid, has a plan, and has one expected outcome for each expression.

use std::{fs, path::PathBuf, sync::Arc};

use protocol::{
    job::{ExpressionSource, JobSpec, Work},
    plan::Plan,
};

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(repository().join("jobs")).expect("the menu");
    let name_of = |file: String| Some(file.strip_suffix(".toml")?.to_owned());
    entries
        .filter_map(|entry| {
            name_of(entry.expect("an entry").file_name().into_string().expect("a plain name"))
        })
        .collect()
}

fn planned(name: &str) -> (JobSpec, Plan) {
    let path = format!("jobs/{name}.toml");
    let spec = JobSpec::parse(&read(&path)).unwrap_or_else(|errors| panic!("{}", errors.render(&path)));
    let file = match &spec.work {
        Work::Expressions { source: ExpressionSource::File(file), .. } => {
            Some(Arc::from(read(&format!("jobs/{file}"))))
        }
        _ => None,
    };
    let plan = Plan::new(&spec, file).unwrap_or_else(|errors| panic!("{}", errors.render(&path)));
    (spec, plan)
}

#[test]
fn every_ready_made_job_is_valid_and_named_like_its_file() {
    let names = names();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let (spec, plan) = planned(&name);
        assert_eq!(spec.name, name);
        assert!(!spec.description.is_empty(), "{name} says in a line what it is");
        assert!((1..=100).contains(&plan.tasks()), "{name} is for a newcomer, not for a night");
    }
}

#[test]
fn every_ready_made_job_has_an_expected_outcome_for_each_of_its_expressions() {
    for name in names() {
        let (spec, plan) = planned(&name);
        let expected = read(&format!("tests/expected/{name}.txt"));
        match spec.work {
            Work::Digits { decimals, .. } | Work::Series { decimals, .. } => {
                assert!(expected.starts_with(&format!("decimals {decimals}\nbegins ")), "{name}");
            }
            Work::HexDigits { after, digits, .. } => {
                assert!(expected.starts_with(&format!("after {after}\ndigits {digits}\nvalue ")), "{name}");
            }
            Work::Expressions { .. } => {
                assert_eq!(Some(expected.lines().count() as u64), plan.expressions(), "{name}");
            }
        }
    }
}
