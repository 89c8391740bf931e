//! `coordinator simulate`: rounds of a simulated cluster told one by one, or a campaign of many worlds in a table.
//!
//! The simulator knows no clock; how many votes it decides in a second is measured here.

use std::{
    io::IsTerminal,
    num::NonZeroU32,
    process::ExitCode,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use simulator::{
    Campaign, Options, Scenario, World, WorldReport,
    options::{Faults, tolerated_with_coordinator, tolerated_without_coordinator},
    story::Story,
};

use super::telling;
use crate::{
    arguments::{Simulate, SimulatedFaults},
    exit::{CommandError, DONE, FALSE},
};

/// Most referendums of a campaign that are shown one by one.
const SHOWN_MAX: u64 = 1000;
/// How often the bar moves.
const BAR_PAUSE: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &Simulate) -> Result<ExitCode, CommandError> {
    let options = options(arguments);
    options.check().map_err(|fault| CommandError::Input(fault.to_string()))?;
    let holds = match arguments.referendums {
        None => rounds(arguments, &options),
        Some(referendums) if arguments.show && referendums.get() > SHOWN_MAX => {
            return Err(CommandError::Input(format!(
                "{referendums} referendums cannot be shown one by one; name at most {SHOWN_MAX}, or leave out --show"
            )));
        }
        Some(referendums) => campaign(arguments, options, referendums.get()),
    };
    Ok(ExitCode::from(if holds { DONE } else { FALSE }))
}

/// Rounds are for looking: a small cluster that is told of, everybody votes, and nothing goes wrong but the workers.
fn options(arguments: &Simulate) -> Options {
    let rounds = arguments.referendums.is_none();
    let faults = match (arguments.faults, rounds) {
        (Some(SimulatedFaults::None), _) | (None, true) => Faults::None,
        (Some(SimulatedFaults::Network), _) => Faults::Network,
        (Some(SimulatedFaults::All), _) | (None, false) => Faults::All,
    };
    Options {
        nodes: arguments.nodes.or_else(|| rounds.then(|| arguments.faulty.unwrap_or(0).max(7))),
        faulty: arguments.faulty.or_else(|| (rounds && arguments.collude.is_none()).then_some(2)),
        tolerate: arguments.tolerate,
        collude: arguments.collude,
        replicas: arguments.replicas,
        everybody: arguments.everybody || (rounds && arguments.replicas.is_none()),
        quarantine: arguments.quarantine,
        faults,
    }
}

/// Whether all invariants hold.
fn rounds(arguments: &Simulate, options: &Options) -> bool {
    let scenario = Scenario::draw(options, arguments.seed, NonZeroU32::get(arguments.rounds)).in_rounds();
    let (report, story) = World::new(scenario.clone()).with_story().run();
    let Some(story) = story else { return report.violation.is_none() };
    if arguments.json {
        let told = telling::to_json(&scenario, &story);
        let violation = report.violation.as_ref().map(ToString::to_string);
        println!(
            "{}",
            json!({
                "seed": arguments.seed,
                "bounds": bounds_json(&scenario),
                "quorum": telling::quorum(&scenario),
                "nodes": told.nodes,
                "rounds": told.rounds,
                "violation": violation,
            })
        );
    } else {
        println!("{}", telling::cast_of_characters(&scenario));
        println!("{}", bounds(&scenario));
        print!("{}", telling::rounds(&story));
        println!("\n{}", conclusion(&report, &story));
    }
    report.violation.is_none()
}

fn bounds(scenario: &Scenario) -> String {
    let (nodes, faulty) = (scenario.nodes(), scenario.faulty());
    let (with, without) = (tolerated_with_coordinator(nodes), tolerated_without_coordinator(nodes));
    let kept = |most: u32| if faulty <= most { "kept" } else { "broken" };
    format!(
        "bounds: {nodes} nodes survive {with} faulty ones where a coordinator counts signed ballots (2f + 1 nodes): \
         {}\n        and {without} where they agree with no one to order their ballots (3f + 1 nodes): {}",
        kept(with),
        kept(without)
    )
}

fn bounds_json(scenario: &Scenario) -> serde_json::Value {
    let (nodes, faulty) = (scenario.nodes(), scenario.faulty());
    let (with, without) = (tolerated_with_coordinator(nodes), tolerated_without_coordinator(nodes));
    json!({
        "nodes": nodes,
        "faulty": faulty,
        "with_coordinator": { "rule": "2f + 1", "tolerated": with, "kept": faulty <= with },
        "without_coordinator": { "rule": "3f + 1", "tolerated": without, "kept": faulty <= without },
    })
}

fn conclusion(report: &WorldReport, story: &Story) -> String {
    let counts = &report.counts;
    let rounds = story.rounds().count();
    let violated = report.violation.as_ref().map(|violation| format!("\nviolated: {violation}"));
    format!(
        "{rounds} rounds: {} accepted, {} of them wrong; {} undecided; faulty nodes found: {}{}",
        counts.accepted,
        counts.wrong,
        counts.undecided + counts.unfinished,
        telling::found_in_all(story),
        violated.unwrap_or_default()
    )
}

/// Whether all invariants hold.
fn campaign(arguments: &Simulate, options: Options, referendums: u64) -> bool {
    let mut campaign = Campaign::new(options, arguments.seed, referendums);
    let bar = bar(referendums, arguments);
    let started = Instant::now();
    if arguments.show {
        while let Some((scenario, story)) = campaign.run_next_with_story() {
            if !arguments.json {
                println!("world of seed {}: {}", scenario.seed, telling::cast_of_characters(&scenario));
                println!("{}\n", telling::rounds(&story));
            }
        }
    } else {
        while campaign.run_next() {
            if let Some(bar) = &bar {
                bar.set_position(campaign.totals().referendums);
            }
        }
    }
    let elapsed = started.elapsed();
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if arguments.json {
        println!("{}", telling::campaign_json(&campaign, elapsed));
    } else {
        print!("{}", telling::campaign(&campaign, elapsed));
    }
    campaign.totals().violated == 0
}

fn bar(referendums: u64, arguments: &Simulate) -> Option<ProgressBar> {
    if arguments.json || arguments.show || !std::io::stderr().is_terminal() {
        return None;
    }
    let bar = ProgressBar::new(referendums);
    let style = "{bar:30} {percent:>3}%  {pos} referendums, {per_sec}  [{elapsed_precise}, {eta} left]";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(BAR_PAUSE);
    Some(bar)
}
