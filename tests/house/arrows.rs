//! Which package may use which: the arrows of ARCHITECTURE.md, and no others.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::complaint::{Complaint, settle};
use crate::repository;
use crate::rust_source::RustSource;

/// Each package of the workspace with those that it may use.
const ARROWS: &[(&str, Uses)] = &[
    ("quorate-protocol", Uses::Only(&[])),
    ("quorate-verdict", Uses::Only(&["quorate-protocol"])),
    ("quorate-compute", Uses::Only(&["quorate-protocol"])),
    ("quorate-transport", Uses::Only(&["quorate-protocol"])),
    ("quorate-program", Uses::Only(&["quorate-protocol"])),
    ("quorate-simulator", Uses::Only(&["quorate-verdict", "quorate-protocol"])),
    ("quorate-worker", Uses::Only(WORKER)),
    ("quorate-coordinator", Uses::Only(COORDINATOR)),
    ("quorate-tests", Uses::Anything),
    ("quorate-benches", Uses::Anything),
    ("quorate-fuzz", Uses::Anything),
];
const WORKER: &[&str] = &["quorate-compute", "quorate-transport", "quorate-program", "quorate-protocol"];
/// The worker only for the embedded cluster: see [`worker_outside_embedded`].
const COORDINATOR: &[&str] = &[
    "quorate-verdict",
    "quorate-transport",
    "quorate-program",
    "quorate-protocol",
    "quorate-simulator",
    "quorate-worker",
];
/// What the tests inside any package may use as well: words and decisions, nothing that computes or connects.
const TESTS_MAY_USE: &[&str] = &["quorate-protocol", "quorate-verdict"];
/// Where the coordinator may start workers.
const EMBEDDED: &str = "coordinator/src/embedded";

enum Uses {
    Only(&'static [&'static str]),
    Anything,
}

/// The workspace's members with what they declare; nothing is resolved, so nothing is downloaded.
pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(repository::root())
        .no_deps()
        .other_options(["--offline".to_owned(), "--locked".to_owned()])
        .exec()
        .expect("cargo metadata reads the workspace")
}

fn undrawn_arrows(metadata: &Metadata) -> Vec<Complaint> {
    let members: Vec<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let Some((_, uses)) = ARROWS.iter().find(|(name, _)| *name == package.name.as_str()) else {
            let message = "this package is not on the map; draw its arrows in ARCHITECTURE.md and in ARROWS";
            complaints.push(Complaint::new(package.name.as_str(), 0, message));
            continue;
        };
        let Uses::Only(drawn) = uses else { continue };
        for dependency in package.dependencies.iter().filter(|found| members.contains(&found.name.as_str())) {
            let name = dependency.name.as_str();
            let for_tests = dependency.kind == DependencyKind::Development && TESTS_MAY_USE.contains(&name);
            if !drawn.contains(&name) && !for_tests {
                let message = format!(
                    "the map draws no arrow to {name}; move what is shared to quorate-protocol, move the test to \
                     tests/, or redraw ARCHITECTURE.md and ARROWS with the reason"
                );
                complaints.push(Complaint::new(package.name.as_str(), 0, message));
            }
        }
    }
    complaints
}

fn worker_outside_embedded(sources: &[RustSource]) -> Vec<Complaint> {
    let message = format!(
        "the coordinator uses the worker for the embedded cluster only; move this to {EMBEDDED}.rs or {EMBEDDED}/ (a \
         module of your own called `worker` needs another name)"
    );
    let outside =
        |source: &&RustSource| source.file.starts_with("coordinator/src/") && !is_embedded(&source.file);
    let mentions = sources.iter().filter(outside).flat_map(|source| {
        source
            .own_mentions()
            .filter(|mention| mention.path.starts_with("worker::"))
            .map(move |mention| (source, mention))
    });
    mentions.map(|(source, mention)| Complaint::new(&source.file, mention.line, &message)).collect()
}

fn is_embedded(file: &str) -> bool {
    file.strip_prefix(EMBEDDED).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

#[test]
fn packages_use_each_other_only_along_the_arrows() {
    settle("arrows", undrawn_arrows(&metadata()));
}

#[test]
fn the_coordinator_uses_the_worker_only_for_the_embedded_cluster() {
    settle("embedded", worker_outside_embedded(repository::rust_sources()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_dependency(package: &str, dependency: &str, kind: DependencyKind) -> Vec<Complaint> {
        let mut metadata = metadata();
        let template = metadata
            .packages
            .iter()
            .flat_map(|found| &found.dependencies)
            .find(|found| found.name == "quorate-protocol")
            .cloned()
            .expect("something uses quorate-protocol");
        let package = metadata.packages.iter_mut().find(|found| found.name.as_str() == package).unwrap();
        package.dependencies = vec![template];
        dependency.clone_into(&mut package.dependencies[0].name);
        package.dependencies[0].kind = kind;
        let name = package.name.to_string();
        undrawn_arrows(&metadata).into_iter().filter(|complaint| complaint.place == name).collect()
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_caught() {
        for kind in [DependencyKind::Normal, DependencyKind::Build, DependencyKind::Development] {
            let found = with_dependency("quorate-coordinator", "quorate-compute", kind);
            assert!(found[0].message.contains("no arrow to quorate-compute"), "{kind}: {found:?}");
        }
        assert_eq!(with_dependency("quorate-protocol", "quorate-verdict", DependencyKind::Normal).len(), 1);
        assert_eq!(with_dependency("quorate-verdict", "quorate-protocol", DependencyKind::Normal), []);
        assert_eq!(with_dependency("quorate-compute", "quorate-verdict", DependencyKind::Development), []);
        assert_eq!(with_dependency("quorate-tests", "quorate-worker", DependencyKind::Normal), []);
    }

    #[test]
    fn a_package_that_is_not_on_the_map_is_caught() {
        let mut metadata = metadata();
        let json = serde_json::to_string(&metadata.packages[0].name).unwrap();
        assert!(json.starts_with("\"quorate-"), "{json}");
        metadata.packages[0].name = serde_json::from_str("\"quorate-newcomer\"").unwrap();
        let found = undrawn_arrows(&metadata);
        assert!(found.iter().any(|complaint| complaint.message.contains("not on the map")), "{found:?}");
    }

    #[test]
    fn a_worker_started_elsewhere_is_caught() {
        let caught = |file: &str, text: &str| {
            let source = RustSource::read(file, text).unwrap();
            !worker_outside_embedded(&[source]).is_empty()
        };
        assert!(caught("coordinator/src/serve.rs", "use worker::{Worker, config};"));
        assert!(caught("coordinator/src/serve/mod.rs", "fn f() { worker::run(); }"));
        assert!(caught("coordinator/src/embedded_too.rs", "fn f() { worker::run(); }"));
        assert!(!caught("coordinator/src/embedded.rs", "use worker::Worker;"));
        assert!(!caught("coordinator/src/embedded/liar.rs", "use worker::Worker;"));
        assert!(!caught(
            "coordinator/src/serve.rs",
            "use verdict::worker::Worker;\nfn f(worker: W) { worker.run() }"
        ));
    }
}
