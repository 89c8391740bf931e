//! Adaptive replication against workers that conspire: whoever was asked before there was an answer cannot second a lie.

use std::collections::BTreeMap;

use protocol::{
    ballot::ReplicaId,
    identity::NodeId,
    policy::{Policy, PolicyDraft, Ways},
    verdict::Verdict,
};
use verdict::Input;

use super::cluster::{Behaviour, Cluster, lie, truth};

/// At 1 % of faulty answers and an error of 1 %, one other checks, and a lead of two ends a dispute.
fn adaptive() -> Policy {
    let draft = PolicyDraft {
        adaptive: Some(true),
        error_ppt: Some(10_000_000_000),
        faulty_ppm: Some(10_000),
        ..PolicyDraft::default()
    };
    draft.resolve(Ways { formulas: 2, engines: 1, audited: 1 }).expect("a policy")
}

fn lease_of(cluster: &Cluster, worker: NodeId) -> ReplicaId {
    let last = cluster.leases.iter().rev().find(|(id, ..)| *id == worker);
    last.expect("it was leased a task").1
}

fn says_lie(cluster: &mut Cluster, worker: NodeId, replica: ReplicaId) {
    let formula = cluster.leases.iter().find(|(_, leased, _)| *leased == replica).expect("leased").2;
    let ballot = cluster.ballot(worker, replica, formula, lie(replica.index, 1));
    cluster.cast(ballot).expect("it was leased the task");
}

#[test]
fn whoever_gave_a_lease_up_cannot_second_the_lie_of_whoever_is_leased_the_task_next() {
    let mut cluster = Cluster::new(false, 1);
    let accomplice = cluster.add("a", Behaviour::Silent);
    cluster.submit(adaptive(), 1);
    let first = lease_of(&cluster, accomplice);
    let reason = "not now".to_owned();
    cluster.tell(Input::ReplicaFailed { worker: accomplice, replica: first, reason }).expect("its lease");
    let liar = cluster.add("b", Behaviour::Silent);
    let second = lease_of(&cluster, liar);
    says_lie(&mut cluster, liar, second);
    says_lie(&mut cluster, accomplice, first);
    assert_eq!(cluster.verdicts, BTreeMap::new(), "no one was asked to check it yet");
    assert!(cluster.cancelled.contains(&first), "nobody waits for its answer");
    for _ in 0..4 {
        cluster.add("c", Behaviour::Honest);
    }
    cluster.run_until_idle();
    assert_eq!(cluster.verdicts, BTreeMap::from([(0, Verdict::Accepted(truth(0)))]));
}

#[test]
fn whoever_was_cut_off_before_the_first_answer_is_no_check_of_it_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    let accomplice = cluster.add("a", Behaviour::Silent);
    cluster.submit(adaptive(), 1);
    let first = lease_of(&cluster, accomplice);
    cluster.lose(accomplice);
    let liar = cluster.add("b", Behaviour::Silent);
    let second = lease_of(&cluster, liar);
    says_lie(&mut cluster, liar, second);
    cluster.join_with(accomplice, vec![first]);
    assert!(cluster.cancelled.contains(&first), "it keeps no lease from before");
    says_lie(&mut cluster, accomplice, first);
    assert_eq!(cluster.verdicts, BTreeMap::new(), "it was asked before there was anything to check");
}
