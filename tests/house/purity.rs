//! The pure crates stay pure: no clock, no network, no files, no threads, no randomness of their own, no unsafe code.
//!
//! Time and random bytes come in as arguments, so that the same inputs give the same outputs on every machine and under
//! the simulator's clock. Two rules look at it from both sides: what the crates reach through their dependencies, and
//! what their sources mention of the standard library.

use std::process::Command;

use crate::arrows;
use crate::complaint::{Complaint, settle};
use crate::repository;
use crate::rust_source::RustSource;

/// The crates that decide and describe, with their folders.
const PURE: &[(&str, &str)] = &[
    ("quorate-protocol", "crates/protocol/"),
    ("quorate-verdict", "crates/verdict/"),
    ("quorate-simulator", "crates/simulator/"),
];

/// Crates that read a clock, touch the system, draw randomness, run threads or hold big arithmetic.
const DENIED_CRATES: &[&str] = &[
    "chrono",
    "crossbeam-channel",
    "fastrand",
    "getrandom",
    "gmp-mpfr-sys",
    "hyper",
    "mio",
    "object_store",
    "openraft",
    "quinn",
    "quinn-proto",
    "quinn-udp",
    "rand",
    "rayon",
    "redb",
    "ring",
    "rug",
    "rustls",
    "rustix",
    "socket2",
    "tempfile",
    "time",
    "tokio",
    "wgpu",
    "wgpu-core",
];

/// Parts of the standard library that act on the world, or whose order differs from run to run.
const DENIED_PATHS: &[&str] = &[
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::env",
    "std::fs",
    "std::hash::RandomState",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::mpsc",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
];

const DENIED_MACROS: &[&str] = &["println", "print", "eprintln", "eprint", "thread_local"];

/// The only crate that may hold `unsafe`, each with its `SAFETY` comment (a lint sees to that).
const UNSAFE_MAY_STAND_IN: &str = "crates/compute/";

/// The only crate that may take a ballot's signature for granted: its network is made of its own memory.
const VOUCHING_MAY_STAND_IN: [&str; 3] =
    ["crates/simulator/", "crates/verdict/src/machine/replay.rs", "crates/verdict/src/tally/record.rs"];

/// `tree` is what `cargo tree --prefix none` prints: one package a line, its name first.
fn impure_dependencies(package: &str, tree: &str) -> Vec<Complaint> {
    let mut reached: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    reached.sort_unstable();
    reached.dedup();
    reached.retain(|name| DENIED_CRATES.contains(name));
    let complaint = |name: &str| {
        let message = format!(
            "reaches {name}, and must stay pure; pass time, random bytes and data in as arguments, or trim the features \
             that pull it in (`cargo tree -p {package} -e normal -i {name}` shows the way)"
        );
        Complaint::new(package, 0, message)
    };
    reached.into_iter().map(complaint).collect()
}

fn impure_mentions(source: &RustSource) -> Vec<Complaint> {
    let denied = |mention: &&crate::rust_source::Mention| {
        DENIED_PATHS.iter().any(|path| mention.is_within(path))
            || mention.bang && DENIED_MACROS.contains(&mention.path.as_str())
    };
    let complaint = |mention: &crate::rust_source::Mention| {
        let message = format!(
            "`{}` in a pure crate; take it as an argument, return an output for the driver, or use an ordered \
             collection (BTreeMap)",
            mention.path
        );
        Complaint::new(&source.file, mention.line, message)
    };
    source.own_mentions().filter(denied).map(complaint).collect()
}

fn unsafe_where_it_may_not_stand(source: &RustSource) -> Vec<Complaint> {
    if source.file.starts_with(UNSAFE_MAY_STAND_IN) {
        return Vec::new();
    }
    let message = format!("`unsafe` stands only in {UNSAFE_MAY_STAND_IN}; find a safe way, or move it there");
    let found = source.mentions.iter().filter(|mention| mention.path == "unsafe");
    found.map(|mention| Complaint::new(&source.file, mention.line, &message)).collect()
}

fn vouched_where_it_may_not_be(source: &RustSource) -> Vec<Complaint> {
    if VOUCHING_MAY_STAND_IN.iter().any(|place| source.file.starts_with(place)) {
        return Vec::new();
    }
    let message = "a ballot counts when its signature was checked; call `authenticate`";
    let is_definition = |line: usize| {
        source.functions.iter().any(|function| function.name == "assume_authentic" && function.line == line)
    };
    let found = source.mentions.iter().filter(|mention| mention.ends_with("assume_authentic"));
    found
        .filter(|mention| !is_definition(mention.line))
        .map(|mention| Complaint::new(&source.file, mention.line, message))
        .collect()
}

fn is_pure(file: &str) -> bool {
    PURE.iter().any(|(_, folder)| file.starts_with(&format!("{folder}src/")))
}

#[test]
fn pure_crates_reach_no_clock_no_network_and_no_randomness() {
    let metadata = arrows::metadata();
    let mut complaints = Vec::new();
    for (package, _) in PURE {
        if !metadata.packages.iter().any(|member| member.name.as_str() == *package) {
            continue; // Not every pure crate of the map has to exist yet.
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}"])
            .args(["--edges", "normal,no-proc-macro", "--package", package])
            .current_dir(repository::root())
            .output()
            .expect("cargo runs");
        let tree = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && tree.starts_with(package), "cargo tree failed: {errors}");
        complaints.extend(impure_dependencies(package, &tree));
    }
    settle("pure dependencies", complaints);
}

#[test]
fn pure_crates_mention_nothing_that_acts_on_the_world() {
    let pure = repository::rust_sources().iter().filter(|source| is_pure(&source.file));
    settle("pure sources", pure.flat_map(impure_mentions));
}

#[test]
fn pure_crates_forbid_unsafe_code() {
    let roots = repository::rust_sources().iter().filter(|source| {
        PURE.iter().any(|(_, folder)| source.file == format!("{folder}src/lib.rs")) && !source.forbids_unsafe
    });
    let message = "a pure crate forbids unsafe code; put #![forbid(unsafe_code)] under the documentation";
    settle("forbid unsafe", roots.map(|source| Complaint::new(&source.file, 0, message)));
}

#[test]
fn unsafe_code_stands_only_where_it_computes() {
    let found = repository::rust_sources().iter().flat_map(unsafe_where_it_may_not_stand);
    settle("unsafe", found);
}

#[test]
fn every_ballot_outside_of_the_simulator_is_authenticated() {
    settle("vouching", repository::rust_sources().iter().flat_map(vouched_where_it_may_not_be));
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn caught(text: &str) -> Vec<usize> {
        let source = RustSource::read("crates/verdict/src/sample.rs", text).unwrap();
        impure_mentions(&source).into_iter().map(|complaint| complaint.line).collect()
    }

    #[test]
    fn a_dependency_that_acts_is_caught_however_deep() {
        let tree = "quorate-verdict v0.1.0\nquorate-protocol v0.1.0\nsome-clock v1.0.0\ntokio v1.54.1\ntokio v1.54.1 (*)\n";
        let found = impure_dependencies("quorate-verdict", tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("reaches tokio"), "{}", found[0]);
        assert_eq!(impure_dependencies("quorate-verdict", "quorate-verdict v0.1.0\ntokio-like v1.0.0\n"), []);
    }

    #[test]
    fn a_mention_that_acts_is_caught_however_it_is_imported() {
        assert_eq!(caught("fn f() { let _ = std::time::Instant::now(); }"), [1]);
        assert_eq!(caught("use std::{\n    fmt,\n    time::{Duration, SystemTime},\n};"), [3]);
        assert_eq!(caught("use std::net::{IpAddr, UdpSocket};"), [1]);
        assert_eq!(caught("fn f() { println!(\"{}\", 1); }"), [1]);
        assert_eq!(caught("fn f() { v.iter().map(std::fs::read); }"), [1]);
        assert_eq!(caught("use std::collections::HashMap;"), [1]);
    }

    #[test]
    fn what_only_describes_and_what_only_tests_is_no_mention() {
        assert_eq!(
            caught("use std::time::Duration;\nuse std::net::SocketAddr;\nuse std::collections::BTreeMap;"),
            NONE
        );
        assert_eq!(caught("// std::fs\nconst A: &str = \"std::thread\";"), NONE);
        assert_eq!(caught("#[cfg(test)]\nmod tests { use std::time::Instant; }"), NONE);
    }

    #[test]
    fn unsafe_outside_of_compute_is_caught() {
        let caught = |file: &str, text: &str| {
            !unsafe_where_it_may_not_stand(&RustSource::read(file, text).unwrap()).is_empty()
        };
        assert!(caught("worker/src/lib.rs", "fn f() { unsafe { g() } }"));
        assert!(caught("tests/src/lib.rs", "unsafe fn f() {}"));
        assert!(!caught("crates/compute/src/lib.rs", "unsafe fn f() {}"));
        assert!(!caught("worker/src/lib.rs", "#![forbid(unsafe_code)]\n// unsafe"));
    }

    #[test]
    fn a_ballot_taken_on_trust_outside_of_the_simulator_is_caught() {
        let lines = |file: &str, text: &str| -> Vec<usize> {
            let source = RustSource::read(file, text).unwrap();
            vouched_where_it_may_not_be(&source).into_iter().map(|complaint| complaint.line).collect()
        };
        let call = "fn f(b: SignedBallot) {\n    AuthenticBallot::assume_authentic(b);\n}";
        assert_eq!(lines("coordinator/src/core.rs", call), [2]);
        assert_eq!(lines("crates/verdict/tests/vote.rs", call), [2]);
        assert_eq!(lines("crates/simulator/src/world.rs", call), NONE);
        assert_eq!(lines("a.rs", "use A as B;\nconst F: fn(S) -> A = A::assume_authentic;"), [2]);
        assert_eq!(
            lines("crates/protocol/src/ballot.rs", "fn assume_authentic(s: S) -> A {\n    A(s)\n}"),
            NONE
        );
    }
}
