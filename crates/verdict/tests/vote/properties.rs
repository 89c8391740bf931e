//! What the vote guarantees, over random electorates, schedules and faults.

use proptest::prelude::*;
use protocol::{domain::Axis, policy::Policy, report::JobState, verdict::Verdict};
use verdict::{Input, Machine, Output, liveness::Rhythm};

use super::cluster::{Behaviour, Cluster, JOB, truth};

fn faulty() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        Just(Behaviour::Lies(1)),
        Just(Behaviour::Lies(1)),
        Just(Behaviour::Lies(2)),
        Just(Behaviour::Silent),
        Just(Behaviour::Equivocates),
        Just(Behaviour::Fails),
    ]
}

proptest! {
    /// Safety and liveness at the bound of DESIGN: 2f + 1 workers on distinct operators, at most f of them faulty.
    #[test]
    fn with_at_most_f_faulty_of_2f_plus_1_every_task_is_decided_and_never_wrongly(
        faults in (1usize..=3).prop_flat_map(|f| (Just(f), prop::collection::vec(faulty(), 0..=f))),
        tasks in 1u64..6,
        distinct_operators in any::<bool>(),
        watched in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (tolerate, behaviours) = faults;
        let mut cluster = Cluster::with_rhythm(false, seed, watched.then(Rhythm::default));
        for number in 0..=2 * tolerate {
            let behaviour = behaviours.get(number).copied().unwrap_or(Behaviour::Honest);
            cluster.add(&format!("operator {number}"), behaviour);
        }
        let mut policy = Policy::tolerating(u32::try_from(tolerate).expect("small"));
        if distinct_operators {
            policy.distinct = vec![Axis::Operator];
        }
        cluster.submit(policy, tasks);
        cluster.run();
        prop_assert_eq!(cluster.over, Some(JobState::Reconciled));
        for index in 0..tasks {
            prop_assert_eq!(&cluster.verdicts[&index], &Verdict::Accepted(truth(index)));
            let certificate = cluster.certificates.get(&index).expect("accepted").clone();
            prop_assert_eq!(certificate.verify(certificate.quorum), Ok(()));
        }
    }

    /// Beyond the bound a wrong value may win, but never with fewer than quorum signatures or without a majority.
    #[test]
    fn whatever_is_accepted_has_the_quorum_and_more_than_half_of_its_ballots(
        behaviours in prop::collection::vec(prop_oneof![faulty(), Just(Behaviour::Honest)], 1..8),
        quorum in 1u32..4,
        extra in 0u32..3,
        seed in any::<u64>(),
        closed in any::<bool>(),
    ) {
        let mut cluster = Cluster::new(closed, seed);
        for (number, behaviour) in behaviours.iter().enumerate() {
            cluster.add(&format!("operator {number}"), *behaviour);
        }
        cluster.submit(Policy { quorum, replicas: quorum + extra, max_replicas: 9, ..Policy::default() }, 3);
        cluster.run();
        for (index, verdict) in cluster.verdicts.clone() {
            if let Verdict::Accepted(digest) = verdict {
                let certificate = cluster.certificates.get(&index).expect("accepted").clone();
                prop_assert_eq!(certificate.accepted, digest);
                prop_assert_eq!(certificate.verify(quorum), Ok(()));
            }
        }
        if closed {
            prop_assert!(cluster.over.is_some(), "a closed electorate always comes to an end");
        }
    }

    /// A coordinator that crashes anywhere, any number of times, goes on from its records: nothing is decided twice or
    /// otherwise, and what was decided and is held is not run again.
    #[test]
    fn a_machine_made_again_from_its_records_goes_on_where_the_old_one_was(
        behaviours in prop::collection::vec(faulty(), 0..=2),
        tasks in 1u64..8,
        crashes in prop::collection::vec(0usize..40, 1..4),
        holds in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut cluster = Cluster::new(false, seed);
        for number in 0..5 {
            let behaviour = behaviours.get(number).copied().unwrap_or(Behaviour::Honest);
            cluster.add(&format!("operator {number}"), behaviour);
        }
        cluster.submit(Policy::tolerating(2), tasks);
        for steps in crashes {
            for _ in 0..steps {
                cluster.deliver_one();
            }
            let decided: Vec<u64> = cluster.verdicts.keys().copied().collect();
            let leased = cluster.leases.len();
            cluster.crash(holds);
            if holds {
                let again = &cluster.leases[leased..];
                prop_assert!(again.iter().all(|(_, replica, _)| !decided.contains(&replica.index)));
            }
        }
        cluster.run();
        prop_assert_eq!(cluster.over, Some(JobState::Reconciled));
        for index in 0..tasks {
            prop_assert_eq!(&cluster.verdicts[&index], &Verdict::Accepted(truth(index)));
            let certificate = cluster.certificates.get(&index).expect("accepted").clone();
            prop_assert_eq!(certificate.verify(certificate.quorum), Ok(()));
        }
    }

    /// The same inputs give the same outputs.
    #[test]
    fn a_machine_is_a_function_of_its_inputs(
        behaviours in prop::collection::vec(prop_oneof![faulty(), Just(Behaviour::Honest)], 3..6),
        seed in any::<u64>(),
    ) {
        let run = || {
            let mut cluster = Cluster::new(true, seed);
            for (number, behaviour) in behaviours.iter().enumerate() {
                cluster.add(&format!("operator {number}"), *behaviour);
            }
            cluster.submit(Policy::default(), 4);
            cluster.run();
            (cluster.verdicts, cluster.leases, cluster.cancelled, cluster.over, cluster.now_ms)
        };
        prop_assert_eq!(run(), run());
    }
}

#[test]
fn an_empty_machine_wants_nothing() {
    let mut machine = Machine::new(verdict::Config::default(), [0; 32]);
    assert_eq!(machine.poll_output(), None::<Output>);
    assert_eq!(machine.next_timeout_ms(), None);
    assert!(machine.handle(Input::JobAbandoned { job: JOB }, 0).is_err());
}
