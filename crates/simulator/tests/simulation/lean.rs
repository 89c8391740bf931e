//! What policies cost and let through, in the lean model: the bound of adaptive replication holds against every way to lie, and
//! what is seldom wrong costs little.

use protocol::adaptive::Adaptive;
use simulator::lean::{Lean, LeanReport, Lying, Replication};

fn run(replication: Replication, faulty: u32, lying: Lying, tasks: u64) -> LeanReport {
    Lean { workers: 100, faulty, tasks, replication, lying, seed: 7 }.run()
}

fn adaptive(faulty_ppm: u32, error_ppt: u64) -> Replication {
    Replication::Adaptive(Adaptive { faulty_ppm, error_ppt })
}

#[test]
fn colluders_win_replicated_tasks_as_often_as_the_binomial_tail_says_unless_they_are_found_out() {
    // Two or three of three, where a tenth lie: 2.8 %.
    let hidden = run(Replication::Replicated(1), 10, Lying::WithMajority, 200_000);
    assert!((hidden.error() - 0.027).abs() < 0.003, "{hidden:?}");
    let always = run(Replication::Replicated(1), 10, Lying::Always, 200_000);
    assert!(always.quarantines > 0 && always.error() < 0.01, "{always:?}");
}

#[test]
fn the_error_bound_is_kept_with_35_percent_of_colluders_whatever_they_do() {
    for lying in Lying::ALL {
        let report = run(adaptive(350_000, 1_000_000_000), 35, lying, 300_000);
        assert!(report.error() <= 1e-3, "{lying:?} {} {report:?}", report.error());
        assert_eq!(report.accepted + report.undecided, 300_000);
        assert!(report.undecided < 300, "{lying:?} {report:?}");
    }
}

#[test]
fn with_99_percent_of_honest_workers_an_error_below_a_millionth_costs_less_than_a_tenth() {
    for lying in [Lying::Always, Lying::OnceTrusted] {
        let lean = Lean {
            workers: 10,
            faulty: 0,
            tasks: 10_000_000,
            replication: adaptive(10_000, 1_000_000),
            lying,
            seed: 1,
        };
        let report = lean.run();
        assert_eq!((report.wrong, report.undecided), (0, 0));
        assert!(report.overhead() < 0.1, "{} {report:?}", report.overhead());
    }
}
