//! What no source says: lints silenced without a reason, work left undone, tests that wait for time to pass, queues
//! without a bound, and state machines shared behind a lock.

use crate::complaint::{Complaint, settle};
use crate::repository;
use crate::rust_source::{Mention, RustSource};

fn silenced_lints(source: &RustSource) -> Vec<Complaint> {
    let message = "write #[expect(lint, reason = \"…\")]: it says why, and fails once nothing needs it";
    source.allows.iter().map(|line| Complaint::new(&source.file, *line, message)).collect()
}

fn undone_work(source: &RustSource) -> Vec<Complaint> {
    let is_undone =
        |mention: &Mention| mention.bang && (mention.ends_with("todo") || mention.ends_with("unimplemented"));
    complaints(
        source,
        source.mentions.iter(),
        is_undone,
        "finish it, or return a typed error that says what is missing",
    )
}

fn sleeping_tests(source: &RustSource) -> Vec<Complaint> {
    let tests = source.mentions.iter().filter(|mention| source.is_test_line(mention.line));
    let message = "a test waits for an event (a channel, a line of output, a process that ends), never for time to pass";
    let sleeps = ["thread::sleep", "time::sleep", "time::sleep_until", "thread::park_timeout"];
    complaints(source, tests, |mention| sleeps.iter().any(|sleep| mention.ends_with(sleep)), message)
}

fn unbounded_queues(source: &RustSource) -> Vec<Complaint> {
    let message = "every queue has a bound; use a bounded channel whose size stands in protocol::limits";
    let imports_std = source.own_mentions().any(|mention| mention.is_within("std::sync::mpsc"));
    let is_unbounded = |mention: &Mention| {
        mention.ends_with("unbounded_channel")
            || mention.ends_with("channel::unbounded")
            || mention.is_within("std::sync::mpsc::channel")
            || imports_std && mention.path == "mpsc::channel"
    };
    complaints(source, source.own_mentions(), is_unbounded, message)
}

fn locked_machine(source: &RustSource) -> Vec<Complaint> {
    let locks = ["Mutex < Machine", "RwLock < Machine", "Mutex < verdict :", "RwLock < verdict :"];
    let message = "one task owns the machine; send it inputs over a bounded channel instead of sharing it behind a lock";
    let found = locks.iter().filter(|lock| source.code.contains(*lock));
    found.map(|_| Complaint::new(&source.file, 0, message)).collect()
}

fn complaints<'a>(
    source: &RustSource,
    mentions: impl Iterator<Item = &'a Mention>,
    is_banned: impl Fn(&Mention) -> bool,
    message: &str,
) -> Vec<Complaint> {
    mentions
        .filter(|mention| is_banned(mention))
        .map(|mention| Complaint::new(&source.file, mention.line, format!("`{}`: {message}", mention.path)))
        .collect()
}

fn over_all(rule: fn(&RustSource) -> Vec<Complaint>) -> Vec<Complaint> {
    repository::rust_sources().iter().flat_map(rule).collect()
}

#[test]
fn lints_are_silenced_only_with_a_reason() {
    settle("allow", over_all(silenced_lints));
}

#[test]
fn no_work_is_left_undone() {
    settle("undone", over_all(undone_work));
}

#[test]
fn no_test_sleeps() {
    settle("sleep", over_all(sleeping_tests));
}

#[test]
fn every_queue_is_bounded() {
    settle("bounds", over_all(unbounded_queues));
}

#[test]
fn no_lock_stands_around_the_machine() {
    settle("locks", over_all(locked_machine));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn lines(rule: fn(&RustSource) -> Vec<Complaint>, file: &str, text: &str) -> Vec<usize> {
        rule(&RustSource::read(file, text).unwrap()).into_iter().map(|complaint| complaint.line).collect()
    }

    #[test]
    fn a_silenced_lint_is_caught() {
        assert_eq!(lines(silenced_lints, "a.rs", "//! A.\n#[allow(dead_code)]\nfn f() {}"), [2]);
        assert_eq!(lines(silenced_lints, "a.rs", "#[expect(dead_code, reason = \"r\")]\nfn f() {}"), NONE);
    }

    #[test]
    fn undone_work_is_caught() {
        assert_eq!(lines(undone_work, "a.rs", "fn f() {\n    todo!(\"later\")\n}"), [2]);
        assert_eq!(lines(undone_work, "a.rs", "fn f() { std::unimplemented!() }"), [1]);
        assert_eq!(lines(undone_work, "a.rs", "fn todo() {} // todo!()"), NONE);
    }

    #[test]
    fn a_sleeping_test_is_caught_and_a_sleeping_program_is_not() {
        let sleep = "use std::thread;\nfn f() { thread::sleep(d); }";
        assert_eq!(lines(sleeping_tests, "a/tests/b.rs", sleep), [2]);
        assert_eq!(lines(sleeping_tests, "a/src/b.rs", sleep), NONE);
        let inside = "#[cfg(test)]\nmod tests {\n    async fn f() { tokio::time::sleep(d).await }\n}";
        assert_eq!(lines(sleeping_tests, "a/src/b.rs", inside), [3]);
        assert_eq!(lines(sleeping_tests, "a/tests/b.rs", "use tokio::time::{timeout, sleep};"), [1]);
    }

    #[test]
    fn an_unbounded_queue_is_caught() {
        assert_eq!(
            lines(unbounded_queues, "a.rs", "fn f() { tokio::sync::mpsc::unbounded_channel(); }"),
            [1]
        );
        assert_eq!(lines(unbounded_queues, "a.rs", "use std::sync::mpsc;\nfn f() { mpsc::channel(); }"), [2]);
        assert_eq!(
            lines(unbounded_queues, "a.rs", "use tokio::sync::mpsc;\nfn f() { mpsc::channel(8); }"),
            NONE
        );
        assert_eq!(
            lines(unbounded_queues, "a.rs", "use std::sync::mpsc;\nfn f() { mpsc::sync_channel(8); }"),
            NONE
        );
    }

    #[test]
    fn a_machine_behind_a_lock_is_caught() {
        assert_eq!(lines(locked_machine, "a.rs", "struct A { m: Arc<Mutex<Machine>> }"), [0]);
        assert_eq!(lines(locked_machine, "a.rs", "fn f(m: RwLock<verdict::Machine>) {}"), [0]);
        assert_eq!(
            lines(locked_machine, "a.rs", "struct A { m: Machine, n: Mutex<Names> } // Mutex<Machine>"),
            NONE
        );
    }
}
