//! `coordinator verify`: checks a job's certificate, and says in sentences what it proves and what it does not.

mod value;
mod words;

use std::{
    fs::File,
    io::BufReader,
    path::{Path, PathBuf},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};
use protocol::{
    certificate::{CertificateFault, Examination, Findings},
    digest::Digest,
    plan::Plan,
};
use serde_json::json;

use self::value::Compared;
use crate::{
    arguments::Verify,
    embedded::recheck::recompute,
    exit::{CommandError, DONE},
};

/// What was found out.
pub(super) struct Verified {
    findings: Findings,
    /// The value that was compared, where one was.
    value: Option<(PathBuf, Compared)>,
    /// How many tasks were computed again, where they were.
    rechecked: Option<u64>,
    /// A value that stands beside the certificate and was not compared.
    value_beside: Option<PathBuf>,
}

pub(super) fn run(arguments: &Verify) -> Result<ExitCode, CommandError> {
    match verify(arguments) {
        Ok(verified) => {
            if arguments.json {
                println!("{}", words::to_json(&verified));
            } else {
                print!("{}", words::to_text(&verified, &arguments.file));
            }
            Ok(ExitCode::from(DONE))
        }
        Err(CommandError::Unproven(reason)) if arguments.json => {
            println!("{}", json!({ "holds": false, "reason": reason }));
            Err(CommandError::Unproven(reason))
        }
        Err(error) => Err(error),
    }
}

fn verify(arguments: &Verify) -> Result<Verified, CommandError> {
    let input = BufReader::with_capacity(1 << 16, open(&arguments.file)?);
    let told = |fault: CertificateFault| match fault {
        CertificateFault::Read(source) => {
            CommandError::File { action: "read", path: arguments.file.clone(), source }
        }
        fault => CommandError::Unproven(format!("{}: {fault}", arguments.file.display())),
    };
    let mut examination = Examination::open(input, &arguments.trust).map_err(told)?;
    let plan = examination.plan().clone();
    let compared = match &arguments.value {
        Some(path) => {
            let compared = value::compare(&mut examination, path, &plan).map_err(|error| match error {
                value::CompareError::Certificate(fault) => told(fault),
                value::CompareError::File(source) => {
                    CommandError::File { action: "read", path: path.clone(), source }
                }
            })?;
            Some((path.clone(), compared))
        }
        None => None,
    };
    let accepted = |index: u64| examination.accepted(index);
    let tasks: Vec<(u64, Digest)> = if arguments.recheck {
        (0..plan.tasks()).filter_map(|index| Some((index, accepted(index)?))).collect()
    } else {
        Vec::new()
    };
    // Only now it is certain that the coordinator signed all that was read.
    let findings = examination.finish().map_err(told)?;
    if let Some((path, Compared::Differs(difference))) = &compared {
        let shown = path.display();
        return Err(CommandError::Unproven(format!("{shown} is not the accepted value: {difference}")));
    }
    let rechecked = if arguments.recheck { Some(recheck(&plan, &tasks, arguments.json)?) } else { None };
    let value_beside = if compared.is_none() { beside(&arguments.file) } else { None };
    Ok(Verified { findings, value: compared, rechecked, value_beside })
}

fn open(path: &Path) -> Result<File, CommandError> {
    value::open_file(path).map_err(|source| CommandError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// The value in the certificate's folder, where results lie.
fn beside(certificate: &Path) -> Option<PathBuf> {
    let value = certificate.with_file_name("value.txt");
    value.is_file().then_some(value)
}

/// Computes every accepted task here, and compares.
fn recheck(plan: &Plan, tasks: &[(u64, Digest)], quiet: bool) -> Result<u64, CommandError> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(tasks.len() as u64) };
    if let Ok(style) =
        ProgressStyle::with_template("{bar:30} {pos} of {len} tasks computed again, {eta} left")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    for (index, accepted) in tasks {
        let Some(task) = plan.task(*index) else { continue };
        let found = recompute(&task).map_err(|reason| {
            CommandError::Unproven(format!("task {index} cannot be computed here: {reason}"))
        })?;
        if found != *accepted {
            bar.abandon();
            return Err(CommandError::Unproven(format!(
                "task {index} ({}), computed here, has the digest {found}, and {accepted} was accepted: the workers \
                 that agreed are wrong, or this machine is",
                plan.summary(*index)
            )));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(tasks.len() as u64)
}
