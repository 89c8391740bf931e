//! `coordinator submit` and `result`: run a job to its end, write what came out, and say what it is worth.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use program::interrupted;
use protocol::{
    job::{ExpressionSource, JobFileErrors, JobId, JobSpec, Work},
    limits::{EXPRESSION_FILE_BYTES_MAX, JOB_FILE_BYTES_MAX},
    plan::Plan,
    report::{JobProgress, JobState},
};
use transport::Backoff;

use super::{
    session::{self, read_text},
    summary,
};
use crate::{
    arguments::{ResultOf, Submit},
    client::{Client, Target},
    display::Display,
    embedded::{Composition, EmbeddedCluster},
    exit::{CommandError, DONE, INCOMPLETE},
    results::{self, Written},
    shared_text::bytes_of,
};

/// How often a broken connection to a coordinator is made anew before a command gives up.
const RECONNECTS_MAX: u32 = 12;

/// A job file that is known to be good, with the file that it names.
struct CheckedJob {
    text: String,
    spec: JobSpec,
    file: Option<Arc<str>>,
    plan: Plan,
}

pub(super) async fn run(arguments: Submit) -> Result<ExitCode, CommandError> {
    let job = check(&arguments.job)?;
    let folder = arguments.out.clone().unwrap_or_else(|| default_folder(&job.spec.name));
    if !arguments.detach {
        results::check_folder(&folder)?;
    }
    let target = session::target(&arguments.reach)?;
    match target {
        Some(target) => {
            if arguments.embedded_liar || arguments.no_gpu || arguments.workers.is_some() {
                let reason = "--embedded-liar, --no-gpu and --workers are for the embedded cluster; leave them out, \
                              or leave out --coordinator";
                return Err(CommandError::Input(reason.to_owned()));
            }
            run_on(&target, &job, &arguments, &folder).await
        }
        None if arguments.detach => {
            let reason = "--detach needs a coordinator that goes on running; name one with --coordinator, or leave \
                          out --detach";
            Err(CommandError::Input(reason.to_owned()))
        }
        None => run_embedded(&job, &arguments, &folder).await,
    }
}

/// Parses and plans a job file, so that everything wrong in it is said before anything starts.
fn check(path: &Path) -> Result<CheckedJob, CommandError> {
    check_size(path, JOB_FILE_BYTES_MAX as u64)?;
    let text = read_text(path)?;
    let shown = path.display().to_string();
    let spec = JobSpec::parse(&text)
        .map_err(|errors| CommandError::Input(errors.render(&shown).trim_end().to_owned()))?;
    let file = match &spec.work {
        Work::Expressions { source: ExpressionSource::File(name), .. } => {
            let beside = path.parent().unwrap_or(Path::new("")).join(name);
            check_size(&beside, EXPRESSION_FILE_BYTES_MAX)?;
            Some(Arc::from(read_text(&beside)?))
        }
        Work::Expressions { .. } | Work::Digits { .. } | Work::HexDigits { .. } | Work::Series { .. } => None,
    };
    let plan = Plan::new(&spec, file.clone())
        .map_err(|errors| CommandError::Input(errors.render(&shown).trim_end().to_owned()))?;
    Ok(CheckedJob { text, spec, file, plan })
}

fn check_size(path: &Path, limit_bytes: u64) -> Result<(), CommandError> {
    let failed = |source| CommandError::File { action: "read", path: path.to_owned(), source };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > limit_bytes {
        return Err(CommandError::Input(format!(
            "{} has {length} bytes, the limit is {limit_bytes}; split it into several jobs",
            path.display()
        )));
    }
    Ok(())
}

fn default_folder(name: &str) -> PathBuf {
    Path::new("results").join(name)
}

async fn run_embedded(job: &CheckedJob, arguments: &Submit, folder: &Path) -> Result<ExitCode, CommandError> {
    let needed = job.spec.policy.workers_needed();
    let workers = arguments.workers.map_or(needed.max(3), Into::into);
    // A driver is looked for only where a kernel waits for it: that takes a second.
    let gpu = !arguments.no_gpu && job.plan.has_kernel();
    let composition = Composition { liar: arguments.embedded_liar, gpu, ..Composition::of(workers) };
    if !arguments.json {
        let liar = if arguments.embedded_liar { " and one that is always wrong" } else { "" };
        eprintln!("no coordinator is configured: starting an embedded cluster of {workers} workers{liar}");
    }
    let cluster = tokio::select! {
        cluster = EmbeddedCluster::start(composition) => cluster?,
        () = interrupted() => return Err(CommandError::Interrupted),
    };
    if !arguments.json && !cluster.gpus().is_empty() {
        eprintln!("one of the workers computes on a GPU: {}", cluster.gpus().join("; "));
    }
    let result = run_on(&cluster.target(), job, arguments, folder).await;
    cluster.stop().await;
    result
}

async fn run_on(
    target: &Target,
    job: &CheckedJob,
    arguments: &Submit,
    folder: &Path,
) -> Result<ExitCode, CommandError> {
    let client = Client::connect(target).await?;
    let started = Instant::now();
    // From here on there may be a job to abandon.
    let interrupted = interrupted();
    let id = client.submit(&job.text, job.file.clone().map(bytes_of)).await?;
    if arguments.detach {
        client.close().await;
        summary::print_detached(&job.spec.name, id, arguments.json);
        return Ok(ExitCode::from(DONE));
    }
    let mut display = Display::new(arguments.json);
    display.say(&format!("job {} ({id}): {}", job.spec.name, describe_plan(&job.plan)));
    let watched = tokio::select! {
        watched = watch(client, target, id, &mut display) => watched,
        () = interrupted => {
            display.finish();
            let client = Client::connect(target).await?;
            client.ask(protocol::message::Request::Abandon(id)).await?;
            client.close().await;
            return Err(CommandError::Interrupted);
        }
    };
    display.finish();
    let (client, progress) = watched?;
    let stream = client.result(id, false).await?;
    let planned = (&job.plan, job.file.as_deref());
    let written = results::collect((&client, id), stream, planned, folder).await?;
    client.close().await;
    summary::print(&written, started.elapsed(), arguments.json);
    Ok(exit_code(progress.state))
}

fn exit_code(state: JobState) -> ExitCode {
    ExitCode::from(if state == JobState::Reconciled { DONE } else { INCOMPLETE })
}

fn describe_plan(plan: &Plan) -> String {
    match plan.tasks() {
        1 => plan.summary(0),
        count => format!("{count} tasks"),
    }
}

/// Follows a job to its end; a connection that breaks is made anew.
async fn watch(
    client: Client,
    target: &Target,
    id: JobId,
    display: &mut Display,
) -> Result<(Client, JobProgress), CommandError> {
    let mut client = client;
    let mut backoff = Backoff::new();
    loop {
        let broken = match client.watch(id, |progress| display.show(progress)).await {
            Ok(progress) => return Ok((client, progress)),
            Err(error @ CommandError::Broken(_)) => error,
            Err(error) => return Err(error),
        };
        display.say("the connection to the coordinator broke; reconnecting");
        client = loop {
            backoff.wait().await;
            match Client::connect(target).await {
                Ok(client) => break client,
                Err(CommandError::Connect(error))
                    if error.is_temporary() && backoff.failures() < RECONNECTS_MAX => {}
                Err(_) if backoff.failures() >= RECONNECTS_MAX => return Err(broken),
                Err(error) => return Err(error),
            }
        };
        backoff.reset();
    }
}

/// `coordinator result`.
pub(super) async fn result(arguments: ResultOf) -> Result<ExitCode, CommandError> {
    let client = session::client(&arguments.reach).await?;
    let id = session::find_job(&client, &arguments.job).await?;
    let mut stream = client.result(id, true).await?;
    let broken = |errors: JobFileErrors| CommandError::Broken(errors.to_string());
    let spec = JobSpec::parse(&stream.text).map_err(broken)?;
    let file: Option<Arc<str>> = stream.file.take().map(Into::into);
    let plan = Plan::new(&spec, file.clone()).map_err(broken)?;
    let folder = arguments.out.unwrap_or_else(|| default_folder(&spec.name));
    let planned = (&plan, file.as_deref());
    let written: Written = results::collect((&client, id), stream, planned, &folder).await?;
    client.close().await;
    let state = written.report.status;
    let elapsed = std::time::Duration::from_secs_f64(written.report.elapsed_s.max(0.0));
    summary::print(&written, elapsed, arguments.json);
    Ok(exit_code(state))
}
