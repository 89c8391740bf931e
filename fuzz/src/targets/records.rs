//! What is named by its digest, signed, or written down: tasks, outcomes, ballots, commitments, trees, entries, heads.

use std::sync::LazyLock;

use protocol::{
    ballot::{Ballot, SignedBallot},
    codec,
    commitment::{Commitment, Salt},
    job::JobSpec,
    ledger::{Entry, SignedHead},
    merkle::{AuditPath, ConsistencyPath, MerkleTree, TreeRoot},
    outcome::Outcome,
    plan::{Plan, ResultAssembler},
    task::Task,
};

use super::{MemoryBound, Reading, TWICE, Target, encoded, message, reading, seeds};
use crate::INPUT_BYTES_MAX;

pub(super) const TASKS: Target = Target {
    name: "tasks",
    read: task,
    seeds: || encoded(&seeds::decided::tasks()),
    memory: TWICE.and(MemoryBound::EXPRESSION),
};
pub(super) const OUTCOMES: Target = Target {
    name: "outcomes",
    read: outcome,
    seeds: || encoded(&seeds::decided::outcomes()),
    memory: TWICE.and(MemoryBound::TEXT),
};
pub(super) const BALLOTS: Target =
    Target { name: "ballots", read: ballot, seeds: || encoded(&seeds::decided::ballots()), memory: TWICE };
pub(super) const COMMITMENTS: Target =
    Target { name: "commitments", read: commitment, seeds: commitment_seeds, memory: TWICE };
pub(super) const TREE_PATHS: Target =
    Target { name: "tree_paths", read: tree_path, seeds: path_seeds, memory: TWICE };
pub(super) const LEDGER_ENTRIES: Target = Target {
    name: "ledger_entries",
    read: ledger_entry,
    seeds: || encoded(&seeds::decided::entries()),
    memory: TWICE,
};
pub(super) const LEDGER_HEADS: Target = Target {
    name: "ledger_heads",
    read: ledger_head,
    seeds: || encoded(&[seeds::decided::head(&MerkleTree::new([vec![1], vec![2]]))]),
    memory: TWICE,
};

/// A task, and what a worker asks of it before it computes.
fn task(bytes: &[u8]) -> Reading {
    let result = Task::from_bytes(bytes);
    if let Ok(task) = &result {
        assert_eq!(task.to_bytes(), bytes, "a task has one encoding");
        assert!(!task.formulas().is_empty() && !task.engines().is_empty());
        assert!(task.outcome_bytes_max() > 0);
        let _ = task.weight();
        if let Task::HexTerms(terms) = task
            && let Err(fault) = terms.check()
        {
            assert!(!fault.to_string().is_empty());
        }
        if let Task::Series { formulas, decimals } = task {
            for fault in formulas.iter().filter_map(|formula| formula.check(*decimals).err()) {
                assert!(!fault.to_string().is_empty());
            }
        }
    }
    reading(&result)
}

/// The plans of the menu.
static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| {
    let plan = |text: &&str| Plan::new(&JobSpec::parse(text).ok()?, Some(seeds::texts::LINES.into())).ok();
    seeds::texts::JOBS.iter().filter_map(plan).collect()
});
/// Outcomes to differ from.
static SEEDS: LazyLock<Vec<Outcome>> = LazyLock::new(seeds::decided::outcomes);

/// An outcome that a majority agreed on goes into the result of a job, whether or not it fits there.
fn outcome(bytes: &[u8]) -> Reading {
    let result = Outcome::from_bytes(bytes, INPUT_BYTES_MAX);
    if let Ok(outcome) = &result {
        assert_eq!(outcome.to_bytes(), bytes, "an outcome has one encoding");
        for plan in PLANS.iter() {
            let mut assembler = ResultAssembler::new(plan);
            let mut text = Vec::new();
            for index in 0..plan.tasks().min(3) {
                assert!(assembler.push(Some(outcome), &mut text).is_ok(), "memory takes what is written");
                for other in SEEDS.iter() {
                    let _ = plan.describe_difference(index, outcome, other);
                }
            }
        }
    }
    reading(&result)
}

fn ballot(bytes: &[u8]) -> Reading {
    let result = message::<SignedBallot>("ballot", bytes);
    if let Ok(signed) = &result {
        let authentic = signed.is_authentic();
        assert!(!authentic || signed.signed_digest().is_some(), "what was not signed is not authentic");
        // Nobody can make another ballot of a good one: only the seeds are signed.
        let is_seed = || seeds::decided::ballots().iter().any(|seed| seed.ballot == signed.ballot);
        assert!(!authentic || is_seed(), "a forged ballot passes: {signed:?}");
    }
    reading(&result)
}

fn commitment_seeds() -> Vec<Vec<u8>> {
    let salt = Salt([7; 32]);
    let ballots = seeds::decided::ballots().into_iter().map(|signed| signed.ballot);
    encoded(&ballots.map(|ballot| (Commitment::to(&ballot, &salt), salt, ballot)).collect::<Vec<_>>())
}

/// A commitment, a salt and a ballot: it opens exactly to what it was made of.
fn commitment(bytes: &[u8]) -> Reading {
    let result = message::<(Commitment, Salt, Ballot)>("opened commitment", bytes);
    if let Ok((commitment, salt, ballot)) = &result {
        let opens = commitment.opens_to(ballot, salt);
        let is_seed = || commitment_seeds().contains(&codec::encode(&(commitment, salt, ballot)));
        assert!(!opens || is_seed(), "a commitment opens to another ballot: {ballot:?}");
    }
    reading(&result)
}

/// What is checked against a path.
type Paths = (TreeRoot, TreeRoot, AuditPath, ConsistencyPath, Vec<Vec<u8>>);

fn path_seeds() -> Vec<Vec<u8>> {
    let leaves: Vec<Vec<u8>> = (0..13).map(|number| vec![number; 3]).collect();
    let (old, new) = (MerkleTree::new(leaves[..5].to_vec()), MerkleTree::new(leaves.clone()));
    let paths = (0..13).filter_map(|position| {
        let path = new.path(position)?;
        let leaf = leaves.get(usize::try_from(position).ok()?)?.clone();
        Some((old.root(), new.root(), path, ConsistencyPath { nodes: Vec::new() }, vec![leaf]))
    });
    encoded(&paths.collect::<Vec<Paths>>())
}

/// Roots, paths and leaves, of which nothing fits together: they are checked and refused.
fn tree_path(bytes: &[u8]) -> Reading {
    let result = message::<Paths>("path", bytes);
    if let Ok((old, new, path, continuation, leaves)) = &result {
        for leaf in leaves.iter().take(3) {
            for root in [old, new] {
                if let Err(error) = root.check_inclusion(leaf, path) {
                    assert!(!error.to_string().is_empty());
                }
            }
        }
        for nodes in [&continuation.nodes, &path.siblings] {
            let path = ConsistencyPath { nodes: nodes.clone() };
            if let Err(error) = new.check_consistency(old, &path) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
    reading(&result)
}

fn ledger_entry(bytes: &[u8]) -> Reading {
    let result = Entry::from_bytes(bytes);
    if let Ok(entry) = &result {
        assert_eq!(entry.to_bytes(), bytes, "an entry has one encoding");
        let _ = entry.record.job();
    }
    reading(&result)
}

fn ledger_head(bytes: &[u8]) -> Reading {
    let result = message::<SignedHead>("ledger head", bytes);
    if let Ok(signed) = &result {
        let is_seed = || seeds::decided::head(&MerkleTree::new([vec![1], vec![2]])).head == signed.head;
        assert!(!signed.is_authentic() || is_seed(), "a forged head passes: {signed:?}");
    }
    reading(&result)
}
