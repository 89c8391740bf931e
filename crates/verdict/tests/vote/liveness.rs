//! Who is there: when silence becomes suspicion, what a suspect keeps, and what a worker that comes back is told first.

use proptest::prelude::*;
use protocol::{
    identity::NodeId,
    limits::SUSPICION_THRESHOLD_MAX,
    policy::{Electorate, Policy},
    report::{JobState, Liveness},
    verdict::Verdict,
};
use verdict::{
    Input,
    liveness::{Rhythm, Watch},
};

use super::cluster::{Behaviour, Cluster, JOB, Told, truth};

fn watched() -> Cluster {
    Cluster::with_rhythm(false, 1, Some(Rhythm::default()))
}

fn liveness_of(cluster: &Cluster, id: NodeId) -> Liveness {
    cluster
        .machine
        .workers()
        .find(|(worker, _)| *worker == id)
        .map(|(_, record)| record.liveness)
        .expect("known")
}

fn leases_of(cluster: &Cluster, id: NodeId) -> u64 {
    cluster
        .machine
        .workers()
        .find(|(worker, _)| *worker == id)
        .map(|(_, record)| record.leases)
        .expect("known")
}

/// The share of a standard normal distribution beyond `z`, by Simpson's rule: slow, plain, and not how it is done.
fn normal_tail(z: f64) -> f64 {
    let (steps, end) = (20_000_u32, z + 12.0);
    let width = (end - z) / f64::from(steps);
    let density = |x: f64| (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let sum: f64 = (0..=steps)
        .map(|step| {
            let weight = if step == 0 || step == steps {
                1.0
            } else if step % 2 == 1 {
                4.0
            } else {
                2.0
            };
            weight * density(f64::from(step).mul_add(width, z))
        })
        .sum();
    sum * width / 3.0
}

#[test]
fn a_worker_is_suspect_when_phi_reaches_the_threshold() {
    for threshold in 1..=SUSPICION_THRESHOLD_MAX {
        let rhythm = Rhythm::new(1_000, threshold);
        // Without intervals: the pause of two heartbeats, a mean of one, a deviation of a quarter.
        let silence_ms = Watch::new(rhythm, 0).silence_ms();
        #[expect(clippy::cast_precision_loss, reason = "some thousand milliseconds")]
        let z = (silence_ms - 3_000) as f64 / 250.0;
        let phi = -normal_tail(z).log10();
        assert!((phi - f64::from(threshold)).abs() < 0.05, "threshold {threshold}: phi is {phi}");
    }
}

/// The silence by the formula of the paper, in floats, over the last 64 intervals.
#[expect(clippy::cast_precision_loss, reason = "some thousand milliseconds")]
fn plain_silence_ms(intervals_ms: &[u64], rhythm: Rhythm) -> f64 {
    let heartbeat_ms = rhythm.heartbeat_ms() as f64;
    let learnt: Vec<f64> = intervals_ms
        .iter()
        .map(|ms| *ms as f64)
        .filter(|ms| *ms >= heartbeat_ms / 4.0)
        .map(|ms| ms.min(4.0 * heartbeat_ms))
        .collect();
    let window = &learnt[learnt.len().saturating_sub(64)..];
    let count = window.len().max(1) as f64;
    let mean = window.iter().sum::<f64>() / count;
    let deviation = (window.iter().map(|ms| (ms - mean).powi(2)).sum::<f64>() / count).sqrt();
    2.0 * heartbeat_ms + mean.max(heartbeat_ms) + 5.612 * deviation.max(heartbeat_ms / 4.0)
}

proptest! {
    /// The whole-number silence is the paper's, to a few milliseconds of rounding.
    #[test]
    fn the_silence_follows_mean_and_deviation_of_the_window(
        intervals_ms in prop::collection::vec(0u64..9_000, 0..200),
    ) {
        let rhythm = Rhythm::default();
        let mut watch = Watch::new(rhythm, 5);
        let mut now_ms = 5;
        for interval_ms in &intervals_ms {
            now_ms += interval_ms;
            watch.heard(now_ms);
        }
        #[expect(clippy::cast_precision_loss, reason = "some thousand milliseconds")]
        let silence_ms = watch.silence_ms() as f64;
        prop_assert!((silence_ms - plain_silence_ms(&intervals_ms, rhythm)).abs() < 12.0);
        prop_assert_eq!(watch.suspect_at_ms(), now_ms + watch.silence_ms());
        prop_assert!((rhythm.silence_ms_min()..=rhythm.silence_ms_max()).contains(&watch.silence_ms()));
    }

    /// Steady heartbeats with bounded jitter never raise suspicion; a burst of messages between them changes nothing.
    #[test]
    fn a_worker_with_steady_heartbeats_is_never_suspected(
        heartbeat_ms in 100u64..5_000,
        threshold in 1u8..=16,
        jitters in prop::collection::vec(0u64..1_000, 1..300),
        bursts in any::<bool>(),
    ) {
        let rhythm = Rhythm::new(heartbeat_ms, threshold);
        let mut watch = Watch::new(rhythm, 0);
        let mut now_ms = 0;
        for jitter in jitters {
            // Up to two heartbeats late: the pause that anybody may make.
            now_ms += heartbeat_ms + 2 * heartbeat_ms * jitter / 1_000;
            prop_assert!(watch.suspect_at_ms() > now_ms);
            for step in 0..if bursts { 20 } else { 1 } {
                watch.heard(now_ms + step);
            }
        }
    }

    /// Whatever it taught before, a silent worker is suspect within the stated bound, and on standby within twice that.
    /// Silences that are each shorter than the least one are never suspicious, so suspicions cannot come faster.
    #[test]
    fn a_silent_worker_is_found_within_the_bound_and_flapping_is_bounded(
        gaps_ms in prop::collection::vec(0u64..60_000, 0..60),
    ) {
        let rhythm = Rhythm::default();
        let mut cluster = Cluster::with_rhythm(false, 1, Some(rhythm));
        let id = cluster.add("a", Behaviour::Silent);
        for gap_ms in gaps_ms {
            cluster.pass_ms(gap_ms);
            cluster.tell(Input::Heartbeat { worker: id, under_way: Vec::new() }).expect("it is known");
            prop_assert_eq!(liveness_of(&cluster, id), Liveness::Alive);
        }
        let suspicions = cluster.notes.iter().filter(|(_, _, liveness)| *liveness == Liveness::Suspect).count();
        prop_assert!(suspicions as u64 <= cluster.now_ms / rhythm.silence_ms_min());
        let silent_since_ms = cluster.now_ms;
        cluster.pass_ms(2 * rhythm.silence_ms_max());
        prop_assert_eq!(liveness_of(&cluster, id), Liveness::Standby);
        let suspected = cluster.notes.iter().filter(|(_, _, liveness)| *liveness == Liveness::Suspect);
        let suspected_ms = suspected.map(|(at_ms, ..)| *at_ms).max().expect("it was suspected first");
        prop_assert!(suspected_ms <= silent_since_ms + rhythm.silence_ms_max());
        prop_assert_eq!(cluster.machine.next_timeout_ms(), None, "a worker on standby needs no timer");
    }
}

#[test]
fn a_suspect_keeps_its_leases_and_gets_no_new_ones() {
    let mut cluster = watched();
    let silent = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 1);
    cluster.pass_ms(Rhythm::default().silence_ms_min());
    assert_eq!(liveness_of(&cluster, silent), Liveness::Suspect);
    assert_eq!(leases_of(&cluster, silent), 1, "what it computes is still its own");
    cluster.tell(Input::JobAbandoned { job: JOB }).expect("it is known");
    let again = protocol::job::JobId([8; 16]);
    cluster.submit_as(again, Policy::default(), 1);
    assert_eq!(leases_of(&cluster, silent), 0, "nobody asks a suspect");
    let waiting = cluster.machine.progress(again).and_then(|progress| progress.waiting);
    assert_eq!(waiting.as_deref(), Some("no worker is alive: 1 is connected and not heard"));
    cluster.tell(Input::Heartbeat { worker: silent, under_way: Vec::new() }).expect("it is known");
    assert_eq!(liveness_of(&cluster, silent), Liveness::Alive);
    assert_eq!(leases_of(&cluster, silent), 1);
}

#[test]
fn the_task_of_a_worker_on_standby_goes_to_another_long_before_its_lease_ends() {
    let mut cluster = watched();
    let silent = cluster.add("a", Behaviour::Silent);
    cluster.add("b", Behaviour::Honest);
    cluster.submit(Policy { quorum: 2, replicas: 2, ..Policy::default() }, 1);
    while cluster.deliver_one() {}
    cluster.add("c", Behaviour::Honest);
    assert_eq!(cluster.over, None, "the seat is taken");
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
    assert_eq!(liveness_of(&cluster, silent), Liveness::Standby);
    assert!(cluster.now_ms < Policy::default().lease_ms / 4, "after {} ms", cluster.now_ms);
}

#[test]
fn a_worker_on_standby_that_is_heard_keeps_what_nobody_took_over() {
    let mut cluster = watched();
    let silent = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy { quorum: 1, replicas: 1, tolerate: 0, ..Policy::default() }, 1);
    let (_, replica, formula) = cluster.leases[0];
    cluster.pass_ms(30_000);
    assert_eq!((liveness_of(&cluster, silent), leases_of(&cluster, silent)), (Liveness::Standby, 0));
    cluster
        .tell(Input::Heartbeat { worker: silent, under_way: vec![(replica, 500)] })
        .expect("a heartbeat is welcome");
    assert_eq!(leases_of(&cluster, silent), 1);
    assert_eq!((cluster.leases.len(), cluster.cancelled.len()), (1, 0), "the same lease is out again");
    let ballot = cluster.ballot(silent, replica, formula, truth(0));
    cluster.cast(ballot).expect("the lease is out");
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_worker_that_is_heard_again_is_told_what_it_missed_before_it_gets_work() {
    for reconnects in [false, true] {
        let mut cluster = watched();
        let liar = cluster.add("a", Behaviour::Lies(1));
        cluster.submit(Policy::default(), 1);
        while cluster.deliver_one() {}
        cluster.worker(liar).behaviour = Behaviour::Silent;
        cluster.pass_ms(30_000);
        assert_eq!(liveness_of(&cluster, liar), Liveness::Standby);
        if reconnects {
            cluster.lose(liar);
        }
        cluster.add("b", Behaviour::Honest);
        cluster.add("c", Behaviour::Honest);
        cluster.run();
        assert_eq!(cluster.over, Some(JobState::Reconciled), "nobody waits for a worker on standby");
        // More work than the others take: there is some for whoever comes.
        let more = protocol::job::JobId([8; 16]);
        cluster.submit_as(more, Policy { quorum: 3, ..Policy::default() }, 200);
        let before = cluster.told.len();
        cluster.worker(liar).behaviour = Behaviour::Honest;
        if reconnects {
            cluster.join(liar);
        } else {
            cluster.tell(Input::Heartbeat { worker: liar, under_way: Vec::new() }).expect("it is known");
        }
        let told = |cluster: &Cluster| -> Vec<Told> {
            cluster.told[before..]
                .iter()
                .filter(|(worker, _)| *worker == liar)
                .map(|(_, told)| *told)
                .collect()
        };
        assert_eq!(told(&cluster), [Told::Correction], "first what it missed");
        while cluster.deliver_one() {}
        assert_eq!(cluster.worker(liar).stored[&0], truth(0));
        assert_eq!(told(&cluster)[1], Told::Lease, "then work");
        assert_eq!(cluster.machine.progress(JOB).map(|progress| progress.corrections), Some(1));
    }
}

#[test]
fn a_worker_that_never_acknowledges_gets_work_when_its_time_to_do_so_is_over() {
    let mut cluster = watched();
    let liar = cluster.add("a", Behaviour::Lies(1));
    cluster.submit(Policy::default(), 1);
    while cluster.deliver_one() {}
    cluster.lose(liar);
    cluster.add("b", Behaviour::Honest);
    cluster.add("c", Behaviour::Honest);
    cluster.run();
    cluster.worker(liar).behaviour = Behaviour::Silent;
    cluster.join(liar);
    cluster.submit_as(protocol::job::JobId([8; 16]), Policy { quorum: 3, ..Policy::default() }, 1);
    assert_eq!(leases_of(&cluster, liar), 0);
    for _ in 0..70 {
        cluster.pass_ms(1_000);
        cluster.tell(Input::Heartbeat { worker: liar, under_way: Vec::new() }).expect("it is known");
    }
    assert_eq!(leases_of(&cluster, liar), 1);
}

#[test]
fn an_electorate_of_all_counts_only_those_that_are_alive() {
    let mut cluster = watched();
    for number in 0..7 {
        cluster.add("x", if number < 3 { Behaviour::Silent } else { Behaviour::Honest });
    }
    cluster.pass_ms(Rhythm::default().silence_ms_min());
    cluster.submit(Policy { electorate: Electorate::All, ..Policy::default() }, 1);
    assert_eq!(cluster.leases.len(), 4, "three are suspect");
    cluster.run();
    assert_eq!(cluster.verdicts[&0], Verdict::Accepted(truth(0)));
}

#[test]
fn a_coordinator_that_slept_does_not_blame_its_workers() {
    let mut cluster = watched();
    let worker = cluster.add("a", Behaviour::Silent);
    cluster.now_ms += 3_600_000;
    cluster.machine.handle_timeout(cluster.now_ms);
    assert_eq!(liveness_of(&cluster, worker), Liveness::Alive);
    cluster.pass_ms(2 * Rhythm::default().silence_ms_min());
    assert_eq!(liveness_of(&cluster, worker), Liveness::Standby, "it is watched as before");
}

#[test]
fn liveness_says_nothing_about_standing() {
    let mut cluster = watched();
    let silent = cluster.add("a", Behaviour::Silent);
    cluster.submit(Policy::default(), 1);
    cluster.pass_ms(60_000);
    let (_, record) = cluster.machine.workers().find(|(id, _)| *id == silent).expect("known");
    assert_eq!(record.liveness, Liveness::Standby);
    assert_eq!((record.ballots, record.dissents, record.equivocations), (0, 0, 0));
}
