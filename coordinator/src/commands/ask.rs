//! `coordinator ask`: one expression, its verdict, who voted what, and how long it took.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use program::interrupted;
use protocol::{
    expression,
    job::{JobSpec, ask_job_text},
    outcome::{Outcome, RefusalKind},
    plan::{Plan, ResultAssembler},
    report::JobReport,
};
use serde_json::json;

use super::session;
use crate::{
    arguments::Ask,
    client::{Client, Target},
    embedded::{Composition, EmbeddedCluster},
    exit::{CommandError, DONE, FALSE, NEITHER},
};

/// The longest report on one expression that is taken: a ballot takes about a kilobyte.
const REPORT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Runs `ask`; whatever goes wrong is neither true nor false.
pub(super) async fn run(arguments: Ask) -> ExitCode {
    let asked = tokio::select! {
        asked = ask(&arguments) => asked,
        () = interrupted() => Err(CommandError::Interrupted),
    };
    match asked {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(NEITHER)
        }
    }
}

async fn ask(arguments: &Ask) -> Result<u8, CommandError> {
    let expression = arguments.expression.as_str();
    if let Err(error) = expression::parse(expression)
        && error.kind == RefusalKind::Syntax
    {
        return Err(CommandError::Input(format!(
            "{}\n{}",
            error.message,
            error.render(expression).trim_end()
        )));
    }
    if let Some(target) = session::target(&arguments.reach)? {
        return ask_on(&target, arguments).await;
    }
    if !arguments.json {
        eprintln!("no coordinator is configured: starting an embedded cluster of 3 workers");
    }
    let cluster = EmbeddedCluster::start(Composition::of(3)).await?;
    let result = ask_on(&cluster.target(), arguments).await;
    cluster.stop().await;
    result
}

async fn ask_on(target: &Target, arguments: &Ask) -> Result<u8, CommandError> {
    let text = ask_job_text(&arguments.expression);
    let client = Client::connect(target).await?;
    let started = Instant::now();
    let (_, _, mut stream) = client.run(&text, None, |_| {}).await?;
    let elapsed = started.elapsed();
    let mut report = Vec::new();
    while let Some(piece) = stream.next_report_piece().await? {
        report.extend(piece);
        if report.len() > REPORT_BYTES_MAX {
            let reason = format!("its report on one expression is longer than {REPORT_BYTES_MAX} bytes");
            return Err(CommandError::Broken(reason));
        }
    }
    let report: JobReport = serde_json::from_slice(&report)
        .map_err(|error| CommandError::Broken(format!("the report is damaged: {error}")))?;
    let spec = JobSpec::parse(&text).map_err(|errors| CommandError::Input(errors.to_string()))?;
    let plan = Plan::new(&spec, None).map_err(|errors| CommandError::Input(errors.to_string()))?;
    let mut assembler = ResultAssembler::new(&plan);
    let mut line = Vec::new();
    for index in 0..stream.tasks {
        let limit_bytes = plan.outcome_bytes_max(index);
        let bytes = stream.next_outcome(limit_bytes).await?;
        let outcome = bytes.and_then(|bytes| Outcome::from_bytes(&bytes, bytes.len()).ok());
        let pushed = assembler.push(outcome.as_ref(), &mut line);
        pushed.map_err(|error| CommandError::Broken(error.to_string()))?;
    }
    let finished = assembler.finish(&mut line);
    let counts = finished.map_err(|error| CommandError::Broken(error.to_string()))?;
    client.close().await;
    let line = String::from_utf8_lossy(&line);
    let answer = line.split('\t').next().unwrap_or_default().trim_end().to_owned();
    let code = match (counts.true_count, counts.false_count, counts.total()) {
        (1, 0, 1) => DONE,
        (0, 1, 1) => FALSE,
        _ => NEITHER,
    };
    show(arguments, &report, &answer, elapsed);
    Ok(code)
}

fn show(arguments: &Ask, report: &JobReport, answer: &str, elapsed: Duration) {
    let elapsed_ms = elapsed.as_secs_f64() * 1e3;
    if arguments.json {
        let ballots: Vec<_> = report.verdicts.iter().flat_map(|verdict| &verdict.ballots).collect();
        println!(
            "{}",
            json!({
                "expression": arguments.expression,
                "answer": answer,
                "status": report.status,
                "ballots": ballots,
                "worth": report.worth,
                "elapsed_ms": elapsed_ms,
            })
        );
        return;
    }
    println!("{answer}");
    for ballot in report.verdicts.iter().flat_map(|verdict| &verdict.ballots).take(12) {
        let digest = &ballot.digest[..ballot.digest.len().min(16)];
        println!(
            "  {:<16} {digest}…  {} ({}), operator {}  {}",
            ballot.name, ballot.domain.engine, ballot.domain.device, ballot.domain.operator, ballot.standing
        );
    }
    println!("  {:.1} ms; {}", elapsed_ms, report.worth);
}
