//! Campaigns: many worlds, no violation, and wrong verdicts only as often as chance has it.

use simulator::{Campaign, Options, Scenario, World, options::Faults, scenario::Traces, world::Counts};

/// Runs a campaign to its end.
fn run(options: Options, seed: u64, referendums: u64) -> Campaign {
    options.check().expect("such worlds can be");
    let mut campaign = Campaign::new(options, seed, referendums);
    while campaign.run_next() {}
    campaign
}

#[test]
fn nothing_is_violated_whatever_goes_wrong() {
    for (seed, faults) in [(1, Faults::None), (1_000_000, Faults::Network), (2_000_000, Faults::All)] {
        let campaign = run(Options { faults, ..Options::default() }, seed, 20_000);
        let totals = campaign.totals();
        assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
        assert_eq!((totals.referendums, totals.counts.accepted), (20_000, 20_000));
        assert_eq!((totals.wrong_within_bound, totals.beyond_bound), (0, 0));
        assert!(
            totals.adaptive > 0 && 10 * totals.adaptive_wrong <= totals.adaptive,
            "within the error bound of a tenth"
        );
        let counts = totals.counts;
        assert!(counts.disputes > 0 && counts.corrections > 0 && counts.forgeries > 0, "{counts:?}");
        assert!(
            0 < counts.bundles && 2 * counts.bundles < counts.ballots,
            "ballots travel together: {counts:?}"
        );
        assert_eq!(counts.lost > 0 && counts.doubled > 0, faults != Faults::None, "{counts:?}");
        assert_eq!(counts.crashes > 0, faults == Faults::All, "{counts:?}");
        assert_eq!(counts.standbys > 0, faults != Faults::None, "{counts:?}");
        assert!(0 < counts.rejections && counts.rejections < counts.audits, "{counts:?}");
        assert!(counts.broken_seals > 0 && counts.records > 20_000 && counts.syncs > 0, "{counts:?}");
    }
}

/// The coordinator crashes between any two things that it does, ten thousand times, over a disk that keeps what was synced
/// and any prefix of the rest.
#[test]
fn ten_thousand_crashes_of_the_coordinator_lose_nothing_that_was_told() {
    let campaign = run(Options::default(), 3_000_000, 220_000);
    let totals = campaign.totals();
    assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
    let counts = totals.counts;
    assert!(counts.coordinator_crashes >= 10_000, "{counts:?}");
    assert!(counts.records_lost > 0 && counts.replayed > counts.records_lost, "{counts:?}");
    assert_eq!((counts.accepted, totals.wrong_within_bound), (220_000, 0));
}

/// A million votes with everything going wrong.
#[test]
fn a_million_referendums_with_every_fault_violate_nothing() {
    let campaign = run(Options::default(), 4_000_000, 1_000_000);
    let totals = campaign.totals();
    assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
    assert_eq!((totals.counts.accepted, totals.wrong_within_bound), (1_000_000, 0));
}

/// Of all worlds, those with audits: both modes, each with whatever else goes wrong.
#[test]
fn five_hundred_worlds_with_audits_violate_nothing() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let audited = (5_000_000..)
            .map(|seed| Scenario::draw(&options, seed, 32))
            .filter(|scenario| scenario.policy.audit_rule().is_some());
        for scenario in audited.take(500) {
            let mode = scenario.policy.auditing.mode;
            let (report, _) = World::new(scenario).run();
            let seed = report.seed;
            assert_eq!(report.violation, None, "seed {seed} with {faults:?}, {mode:?}");
            assert!(report.counts.accepted == 32 && report.counts.audits > 0, "seed {seed}: {report:?}");
        }
    }
}

/// Of all worlds, those in which faults are located: devices that are broken wherever they are, and liars that claim the
/// device of honest workers.
#[test]
fn five_hundred_worlds_with_located_faults_violate_nothing() {
    for faults in [Faults::None, Faults::Network, Faults::All] {
        let options = Options { faults, ..Options::default() };
        let traced = (6_000_000..)
            .map(|seed| Scenario::draw(&options, seed, 64))
            .filter(|scenario| scenario.traces == Traces::Kept && scenario.faulty() > 1);
        let mut counts = Counts::default();
        for scenario in traced.take(500) {
            let (report, _) = World::new(scenario).run();
            assert_eq!(report.violation, None, "seed {} with {faults:?}", report.seed);
            assert_eq!(report.counts.accepted, 64, "seed {}", report.seed);
            counts.add(&report.counts);
        }
        assert!(counts.faults_located > 500 && counts.quarantines > 200, "{counts:?}");
        assert_eq!(counts.honest_quarantines, 0, "{counts:?}");
    }
}

#[test]
fn beyond_the_fault_bound_a_wrong_value_may_win_and_never_without_the_votes() {
    let options = Options { nodes: Some(5), faulty: Some(3), tolerate: Some(2), ..Options::default() };
    let campaign = run(options, 3, 10_000);
    let totals = campaign.totals();
    assert!(totals.counts.wrong > 0, "three colluders of five win some votes: {:?}", totals.counts);
    assert_eq!(totals.beyond_bound, 10_000);
    assert!(totals.failures.is_empty(), "{:#?}", totals.failures);
}

/// The honest limit of counting heads. The colluders join one after the other, so an assignment that they could foresee
/// would put them together far more often than this.
#[test]
fn colluders_win_as_often_as_the_binomial_tail_says() {
    for (collude, replicas, percent) in [(0.1, 3, 2.8), (0.1, 5, 0.856), (0.2, 3, 10.4), (0.2, 5, 5.792)] {
        let options = Options {
            collude: Some(collude),
            replicas: Some(replicas),
            faults: Faults::None,
            ..Options::default()
        };
        let campaign = run(options, 10, 100_000);
        let expected = campaign.expectation().expect("the options say who colludes");
        assert!((100.0 * expected.rate - percent).abs() < 1e-9, "{expected:?}");
        let rate = campaign.totals().wrong_rate;
        let deviation = rate.deviation_from(expected.rate).expect("the worlds differ");
        assert!(deviation.abs() < 3.0, "{} is {deviation} standard errors from {expected:?}", rate.rate());
        assert!(campaign.totals().failures.is_empty(), "{:#?}", campaign.totals().failures);
    }
}
