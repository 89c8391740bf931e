//! Single worlds: the same seed gives the same one, and options that cannot be are refused.

use proptest::prelude::*;
use protocol::verdict::Verdict;
use simulator::{
    Campaign, Options, Scenario, World,
    options::{Faults, NODES_MAX, OptionsFault, tolerated_with_coordinator, tolerated_without_coordinator},
};

fn faults() -> impl Strategy<Value = Faults> {
    prop_oneof![Just(Faults::None), Just(Faults::Network), Just(Faults::All)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_seed_gives_the_same_world_and_the_same_end(seed in any::<u64>(), faults in faults()) {
        let options = Options { faults, ..Options::default() };
        let run = || {
            let scenario = Scenario::draw(&options, seed, 16);
            let (report, story) = World::new(scenario.clone()).with_story().run();
            (scenario, format!("{report:?} {story:?}"))
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn worlds_of_options_that_are_let_pass_come_to_their_end(
        nodes in prop::option::of(1_u32..12),
        faulty in prop::option::of(0_u32..12),
        tolerate in prop::option::of(0_u32..6),
        replicas in prop::option::of(1_u32..9),
        everybody in any::<bool>(),
        faults in faults(),
        seed in any::<u64>(),
    ) {
        let options = Options { nodes, faulty, tolerate, replicas, everybody, faults, collude: None, quarantine: false };
        prop_assume!(options.check().is_ok());
        let (report, _) = World::new(Scenario::draw(&options, seed, 8)).run();
        prop_assert_eq!(report.violation, None);
        let counts = report.counts;
        prop_assert_eq!(counts.accepted + counts.undecided + counts.unfinished, 8);
    }
}

#[test]
fn a_failure_is_reproduced_by_the_seed_of_its_world() {
    let options = Options::default();
    let mut campaign = Campaign::new(options, 70, 64 * 3);
    let mut third = None;
    while let Some((scenario, _)) = campaign.run_next_with_story() {
        third = Some(scenario);
    }
    let mut alone = Campaign::new(options, 72, 64);
    assert_eq!(alone.run_next_with_story().map(|(scenario, _)| scenario), third);
}

#[test]
fn each_round_tells_who_said_what_and_whom_it_convicts() {
    let options = Options {
        nodes: Some(7),
        faulty: Some(2),
        everybody: true,
        faults: Faults::None,
        ..Options::default()
    };
    let scenario = Scenario::draw(&options, 42, 3).in_rounds();
    let (report, story) = World::new(scenario).with_story().run();
    assert_eq!(report.violation, None);
    let story = story.expect("it was asked for");
    assert_eq!(story.rounds().count(), 3);
    for (_, round) in story.rounds() {
        assert!(matches!(round.result, Some(Verdict::Accepted(_))) && round.is_right, "{round:?}");
        assert_eq!(round.asked, 7);
        assert!(round.votes >= 4, "{round:?}");
        assert_eq!(round.proposer(), round.ballots.first());
        let behaves = |worker: &u32| story.behaviours()[*worker as usize].is_faulty();
        assert!(round.found.iter().all(behaves), "{round:?}");
    }
}

#[test]
fn the_two_bounds_are_those_of_the_books() {
    let bounds = |nodes| (tolerated_with_coordinator(nodes), tolerated_without_coordinator(nodes));
    assert_eq!([1, 3, 4, 7, 10].map(bounds), [(0, 0), (1, 0), (1, 1), (3, 2), (4, 3)]);
}

#[test]
fn options_that_cannot_be_are_refused_with_what_to_do() {
    let refused = |options: Options| options.check().expect_err("it cannot be").to_string();
    let options = Options::default;
    assert_eq!(Options { nodes: Some(0), ..options() }.check(), Err(OptionsFault::Nodes(0)),);
    assert!(refused(Options { nodes: Some(NODES_MAX + 1), ..options() }).contains("1 to 1000"));
    assert!(refused(Options { nodes: Some(3), faulty: Some(4), ..options() }).contains("at most 3"));
    assert!(refused(Options { nodes: Some(4), tolerate: Some(2), ..options() }).contains("at least 5 nodes"));
    assert!(refused(Options { nodes: Some(3), replicas: Some(5), ..options() }).contains("1 to 3 replicas"));
    assert!(refused(Options { collude: Some(1.5), ..options() }).contains("0 to 1"));
    assert!(refused(Options { collude: Some(f64::NAN), ..options() }).contains("0 to 1"));
    assert!(refused(Options { collude: Some(0.1), faulty: Some(1), ..options() }).contains("--collude"));
    assert!(refused(Options { replicas: Some(3), everybody: true, ..options() }).contains("every node"));
}
