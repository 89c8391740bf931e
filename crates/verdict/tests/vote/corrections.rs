//! After the verdict: the accepted outcome is fetched, and dissenters are told until they have it.

use protocol::{policy::Policy, report::JobState, verdict::Verdict};

use crate::{
    cluster::{Behaviour, Cluster, JOB, lie, truth},
    leases::leased_twice,
};

#[test]
fn a_dissenter_is_corrected_and_the_job_is_reconciled() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    let liar = cluster.add("c", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 4);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    let progress = cluster.machine.progress(JOB).expect("the job is known");
    assert_eq!(progress.corrections, progress.dissenting_ballots);
    let stored = cluster.worker(liar).stored.clone();
    assert_eq!(stored.len(), 4);
    assert!(stored.iter().all(|(index, digest)| *digest == truth(*index)));
}

#[test]
fn an_outcome_that_is_lost_does_not_hang_on_one_worker_that_never_answers() {
    let mut cluster = Cluster::new(false, 1);
    let winners = ["a", "b"].map(|operator| cluster.add(operator, Behaviour::Honest));
    cluster.submit(Policy { replicas: 2, ..Policy::default() }, 1);
    while cluster.verdicts.is_empty() {
        assert!(cluster.deliver_one());
    }
    for winner in winners {
        cluster.worker(winner).stored.clear();
    }
    cluster.add("c", Behaviour::Silent);
    cluster.add("d", Behaviour::Honest);
    let asked_at_ms = cluster.now_ms;
    while cluster.deliver_one() {}
    assert_eq!(cluster.over, Some(JobState::Reconciled), "d computed it again, and c is not waited for");
    assert_eq!(cluster.now_ms, asked_at_ms);
}

#[test]
fn a_winner_that_was_away_at_the_verdict_gives_the_outcome_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Lies(0));
    let right = cluster.add("b", Behaviour::Honest);
    let slow = cluster.add("c", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    let [(replica, formula), _] = leased_twice(&mut cluster, slow);
    let ballot = cluster.ballot(slow, replica, formula, truth(0));
    cluster.cast(ballot).expect("its first replica counts");
    assert!(cluster.verdicts.is_empty(), "its second lease may still bring another ballot");
    cluster.lose(right);
    cluster.lose(slow);
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)), "and nobody who has it is here");
    cluster.worker(slow).stored.insert(0, truth(0));
    cluster.join(slow);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
}

#[test]
fn a_late_dissenter_is_recorded_and_corrected() {
    let mut cluster = Cluster::new(false, 1);
    cluster.add("a", Behaviour::Honest);
    cluster.add("b", Behaviour::Honest);
    let late = cluster.add("c", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled));
    let (_, replica, formula) =
        *cluster.leases.iter().find(|(worker, ..)| *worker == late).expect("it was asked");
    cluster.worker(late).behaviour = Behaviour::Lies(3);
    let ballot = cluster.ballot(late, replica, formula, lie(0, 3));
    cluster.cast(ballot).expect("late ballots are recorded");
    while cluster.deliver_one() {}
    let progress = cluster.machine.progress(JOB).expect("the job is known");
    assert_eq!((progress.dissenting_ballots, progress.corrections), (1, 1));
    assert_eq!(cluster.worker(late).stored[&0], truth(0));
    let certificate = cluster.certificates.get(&0).expect("accepted").clone();
    assert_eq!(certificate.verify(2), Ok(()));
    assert!(certificate.dissenting.is_empty(), "the certificate holds what decided");
}

#[test]
fn a_dissenter_that_left_is_corrected_when_it_comes_back() {
    let mut cluster = Cluster::new(false, 1);
    let liar = cluster.add("a", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 1);
    while cluster.deliver_one() {}
    cluster.lose(liar);
    cluster.add("b", Behaviour::Honest);
    cluster.add("c", Behaviour::Honest);
    cluster.run();
    assert_eq!(cluster.over, Some(JobState::Reconciled), "nobody waits for a worker that left");
    assert_eq!(cluster.worker(liar).stored[&0], lie(0, 1));
    cluster.join(liar);
    while cluster.deliver_one() {}
    assert_eq!(cluster.worker(liar).stored[&0], truth(0));
    assert_eq!(cluster.machine.progress(JOB).map(|progress| progress.corrections), Some(1));
}
