//! Bugs that are planted in front of the machine, each of which the invariants must find, and by the right one. Without a bug
//! nothing is changed, which is tested as well.

mod machine;

use std::collections::BTreeSet;

use simulator::{
    Campaign, Options, Scenario, Violation, World, behaviour::Behaviour, options::Faults, scenario::Traces,
};

use machine::{Bug, Planted};

/// What a campaign of 200 worlds finds first, if anything.
fn first_violation(bug: Bug, options: Options) -> Option<Violation> {
    let mut campaign = Campaign::new(options, 5, 64 * 200);
    while campaign.totals().failures.is_empty()
        && campaign.run_next_with(move |config, seed| Planted::new(bug, config, seed))
    {}
    campaign.totals().failures.first().map(|failure| failure.violation.clone())
}

fn assert_found(bug: Bug, options: Options, invariant: &str, words: &str) {
    let violation = first_violation(bug, options).unwrap_or_else(|| panic!("{bug:?} is not found"));
    assert_eq!(violation.invariant, invariant, "{violation}");
    assert!(violation.what.contains(words), "{violation}");
}

#[test]
fn without_a_bug_nothing_is_found() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        assert_eq!(first_violation(Bug::None, Options { faults, ..Options::default() }), None);
    }
}

#[test]
fn a_quorum_that_is_off_by_one_is_found() {
    let options = Options { tolerate: Some(1), ..Options::default() };
    assert_found(Bug::QuorumOffByOne, options, "quorum and majority", "with 1 ballots, and the quorum is 2");
}

#[test]
fn a_quorum_that_is_off_by_one_lets_a_lie_pass_within_the_fault_bound() {
    // The lie of a single worker is announced before anything else looks at the count.
    let options = Options { nodes: Some(3), faulty: Some(1), faults: Faults::None, ..Options::default() };
    let mut found = BTreeSet::new();
    for seed in 0..200 {
        let mut campaign = Campaign::new(options, seed, 64);
        campaign.run_next_with(|config, seed| Planted::new(Bug::QuorumOffByOne, config, seed));
        found.extend(campaign.totals().failures.iter().map(|failure| failure.violation.invariant));
    }
    assert!(found.contains("no wrong value within the fault bound"), "{found:?}");
}

#[test]
fn a_ballot_that_is_counted_twice_is_found() {
    let options = Options { faults: Faults::Network, ..Options::default() };
    assert_found(Bug::CountsTwice, options, "quorum and majority", "is accepted with");
}

#[test]
fn a_bar_that_does_not_grow_with_the_ballots_is_found() {
    let options = Options {
        nodes: Some(9),
        faulty: Some(4),
        tolerate: Some(1),
        faults: Faults::None,
        ..Options::default()
    };
    assert_found(Bug::BarDoesNotGrow, options, "quorum and majority", "may still come");
}

#[test]
fn a_second_announcement_is_found() {
    assert_found(Bug::AnnouncesAgain, Options::default(), "one verdict per task", "announced again");
}

#[test]
fn a_dissenter_that_nobody_corrects_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::CorrectsNobody, options, "every dissenter is corrected", "holds something else");
}

#[test]
fn leases_that_go_astray_are_found_once_they_leave_tasks_open() {
    let options = Options { nodes: Some(3), faulty: Some(1), faults: Faults::None, ..Options::default() };
    assert_found(Bug::LosesLeases, options, "every task is decided", "tasks open");
}

#[test]
fn an_announcement_before_the_sync_is_found() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::AnnouncesBeforeTheSync,
            options,
            "accepted means durable",
            "what is synced of it is None",
        );
    }
}

#[test]
fn a_verdict_that_is_not_written_down_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::WritesNothing, options, "accepted means durable", "is not synced");
}

#[test]
fn a_coordinator_that_comes_back_without_a_verdict_is_found() {
    assert_found(
        Bug::ForgetsVerdicts,
        Options::default(),
        "accepted means durable",
        "came back without that",
    );
}

#[test]
fn a_decided_task_that_is_leased_again_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(
        Bug::LeasesDecidedTasks,
        options,
        "what is decided is not computed again",
        "its outcome is held",
    );
}

#[test]
fn a_lease_for_a_worker_on_standby_is_found() {
    assert_found(
        Bug::LeasesToTheSilent,
        Options::default(),
        "who is on standby gets no lease",
        "is on standby",
    );
}

#[test]
fn the_rest_of_a_bundle_that_is_refused_with_one_of_its_ballots_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::DropsTheRestOfABundle,
            options,
            "a ballot is refused for what it says itself",
            "it was leased that replica",
        );
    }
}

#[test]
fn the_rest_of_a_bundle_that_is_lost_with_one_of_its_ballots_is_found() {
    assert_found(Bug::LosesTheRestOfABundle, Options::default(), "quorum and majority", "were counted");
}

#[test]
fn a_bundle_that_is_counted_again_is_found_where_only_liars_send_it_again() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::CountsBundlesTwice, options, "quorum and majority", "is accepted with");
}

#[test]
fn an_outcome_that_is_accepted_without_its_audits_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        assert_found(
            Bug::AcceptsWithoutAudits,
            options,
            "what is accepted passed its audits",
            "with 0 audits for it",
        );
    }
}

#[test]
fn a_prover_that_vouches_for_itself_is_found() {
    let options = Options { tolerate: Some(2), faults: Faults::None, ..Options::default() };
    assert_found(
        Bug::VouchesForItself,
        options,
        "what is accepted passed its audits",
        "with 1 audits for it and 0 against; 2 are asked for",
    );
}

#[test]
fn a_rejection_by_one_auditor_that_strikes_a_prover_out_is_found_once_it_leaves_tasks_open() {
    let options = Options { faults: Faults::None, ..Options::default() };
    assert_found(Bug::OneRejectionStrikesOut, options, "every task is decided", "");
}

#[test]
fn a_lease_for_whoever_is_in_quarantine_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let invariant = "who is in quarantine gets no lease that counts";
        assert_found(Bug::LeasesToTheQuarantined, options, invariant, "is in quarantine with its");
    }
}

#[test]
fn a_quarantine_that_a_restart_forgets_is_found() {
    let invariant = "standing follows from the ledger";
    assert_found(Bug::ForgetsQuarantines, Options::default(), invariant, "");
}

#[test]
fn tests_that_a_restart_forgets_are_found() {
    let invariant = "standing follows from the ledger";
    let options = Options { nodes: Some(5), faulty: Some(2), ..Options::default() };
    assert_found(Bug::ForgetsTests, options, invariant, "the machine knows");
}

#[test]
fn a_machine_that_puts_nobody_in_quarantine_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    let violation = first_violation(Bug::QuarantinesNobody, options).expect("it is found");
    // Whichever a world shows first: one that is wrong stays free, or one whose kind is in question.
    let invariants = [
        "standing follows from the ledger",
        "an engine is held back for a fault of its kind, until its own answer",
    ];
    assert!(invariants.contains(&violation.invariant), "{violation}");
}

#[test]
fn a_way_back_without_right_answers_is_found() {
    let options = Options { faults: Faults::None, ..Options::default() };
    let invariant = "standing follows from the ledger";
    assert_found(Bug::LetsBackAtOnce, options, invariant, "is let back after 0 right answers in a row");
}

#[test]
fn a_quarantine_on_the_word_of_another_worker_is_found() {
    for faults in [Faults::None, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let invariant = "standing follows from the ledger";
        assert_found(
            Bug::BelievesOneWorker,
            options,
            invariant,
            "because its kind of device gave a wrong value",
        );
    }
}

/// Asserts that a bug is found in one of the worlds that are like this.
fn assert_found_where(
    bug: Bug,
    options: Options,
    is_like: impl Fn(&Scenario) -> bool,
    (invariant, words): (&str, &str),
) {
    let drawn = (5..).map(|seed| Scenario::draw(&options, seed, 64)).filter(|scenario| is_like(scenario));
    let run = |scenario| {
        let world = World::with_decider(scenario, move |config, seed| Planted::new(bug, config, seed));
        world.run().0.violation
    };
    let violation = drawn.take(300).find_map(run).unwrap_or_else(|| panic!("{bug:?} is not found"));
    assert_eq!(violation.invariant, invariant, "{violation}");
    assert!(violation.what.contains(words), "{violation}");
}

#[test]
fn faults_that_a_restart_forgets_are_found() {
    let invariant = "an engine is held back for a fault of its kind, until its own answer";
    let crashes =
        |scenario: &Scenario| scenario.traces == Traces::Kept && scenario.coordinator_crashes.len() > 2;
    let found = (invariant, "is free, and the log has");
    assert_found_where(Bug::ForgetsFaults, Options::default(), crashes, found);
}

#[test]
fn known_tasks_that_never_reach_those_who_are_held_back_are_found_once_they_leave_tasks_open() {
    // Of jobs that come one after the other, the later ones find their workers held back.
    let options = Options { faults: Faults::Network, ..Options::default() };
    let is_like = |scenario: &Scenario| scenario.traces == Traces::Kept && scenario.jobs.len() > 1;
    assert_found_where(Bug::LosesTests, options, is_like, ("every task is decided", "tasks open"));
}

#[test]
fn broken_seals_that_a_restart_forgets_are_found() {
    let copies = |scenario: &Scenario| {
        let mut members = scenario.members.iter();
        scenario.policy.sealed && members.any(|member| member.behaviour == Behaviour::Copies)
    };
    let found = ("standing follows from the ledger", "the machine knows");
    assert_found_where(Bug::ForgetsBrokenSeals, Options::default(), copies, found);
}
