//! The results folder: value, report, ballots and certificate of one job, written whole or not at all.
//!
//! Everything goes to a folder beside the final one, which is renamed when it is complete. An earlier result is moved
//! aside and said so; a folder that is no result is never touched.

mod certificate;

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use protocol::{
    certificate::CERTIFICATE_FILE,
    job::JobId,
    outcome::Outcome,
    plan::{AnswerCounts, Plan, ResultAssembler},
    report::JobReport,
};

use certificate::CertificateFile;

use crate::{
    client::{Client, ResultStream},
    exit::CommandError,
};

/// The report in a results folder; a folder without one is not ours.
const REPORT_FILE: &str = "report.json";

/// How many bytes of a long file are written at once.
const FILE_BUFFER_BYTES: usize = 256 * 1024;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// The folder.
    pub folder: PathBuf,
    /// Where an earlier result went.
    pub moved_aside: Option<PathBuf>,
    /// The report, with as many of its verdicts as are told.
    pub report: JobReport,
    /// The answers, counted; all zero for digits.
    pub counts: AnswerCounts,
}

/// Checks, before anything is computed, that results can be written to `folder`.
///
/// # Errors
/// [`CommandError`] when the folder holds something else.
pub fn check_folder(folder: &Path) -> Result<(), CommandError> {
    let occupied = folder.exists()
        && !folder.join(REPORT_FILE).exists()
        && fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || folder.is_file() {
        return Err(CommandError::Input(format!(
            "{} exists and holds something other than results; name another folder with --out",
            folder.display()
        )));
    }
    Ok(())
}

/// Collects the results of a job whose plan and expression file these are, and its certificate where there is one, into
/// `folder`.
///
/// # Errors
/// [`CommandError`] when the connection breaks or the disk refuses; then `folder` is as it was.
pub async fn collect(
    (client, job): (&Client, JobId),
    mut stream: ResultStream,
    (plan, file): (&Plan, Option<&str>),
    folder: &Path,
) -> Result<Written, CommandError> {
    check_folder(folder)?;
    let damaged = |what: &str| CommandError::Broken(format!("the {what} is damaged"));
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| CommandError::File { action: "write", path: folder.to_owned(), source };
    fs::create_dir_all(parent).map_err(failed)?;
    let partial = make_partial(parent).map_err(failed)?;
    let create = |name: &str| {
        let file = File::create(partial.path().join(name)).map_err(failed)?;
        Ok::<_, CommandError>(BufWriter::with_capacity(FILE_BUFFER_BYTES, file))
    };
    let mut out = create(REPORT_FILE)?;
    while let Some(piece) = stream.next_report_piece().await? {
        out.write_all(&piece).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    let report = File::open(partial.path().join(REPORT_FILE)).map_err(failed)?;
    let report: JobReport = serde_json::from_reader(BufReader::new(report)).map_err(|_| damaged("report"))?;
    let mut out = create("ballots.json")?;
    while let Some(piece) = stream.next_ballots_piece().await? {
        out.write_all(&piece).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    let path = partial.path().join(CERTIFICATE_FILE);
    let file = file.map(str::as_bytes);
    let mut certificate = CertificateFile::begin((client, job), file, !plan.value_is_outcome(), path).await?;
    let mut value = create("value.txt")?;
    let mut assembler = ResultAssembler::new(plan);
    while assembler.next_task() < stream.tasks {
        let index = assembler.next_task();
        let limit_bytes = plan.outcome_bytes_max(index);
        let bytes = stream.next_outcome(limit_bytes).await?;
        let absent = stream.pass_absent();
        if let Some(certificate) = &mut certificate {
            certificate.outcome(bytes.as_deref())?;
            certificate.absent(absent);
        }
        let pushed = match bytes.as_deref().map(|bytes| (bytes, Outcome::digits_in(bytes))) {
            None => assembler.push(None, &mut value),
            // As long as all the rest together, and written from where they lie.
            Some((_, Some(digits))) => assembler.push_text(digits, &mut value),
            Some((bytes, None)) => {
                let outcome = Outcome::to_show(bytes, bytes.len());
                let outcome = outcome.map_err(|error| damaged(&error.to_string()))?;
                assembler.push(Some(&outcome), &mut value)
            }
        };
        pushed.map_err(failed)?;
        assembler.skip(absent, &mut value).map_err(failed)?;
    }
    let counts = assembler.finish(&mut value).map_err(failed)?;
    let counts = plan.expressions().map_or_else(AnswerCounts::default, |_| counts);
    value.flush().map_err(failed)?;
    fs::write(partial.path().join("job.toml"), stream.text.as_bytes()).map_err(failed)?;
    if let Some(certificate) = certificate {
        certificate.finish().await?;
    }
    let moved_aside = move_aside(folder).map_err(failed)?;
    fs::rename(partial.keep(), folder).map_err(failed)?;
    Ok(Written { folder: folder.to_owned(), moved_aside, report, counts })
}

/// A folder beside the final one that others may read, as they may read the final one.
fn make_partial(parent: &Path) -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".partial-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o755));
    }
    builder.tempdir_in(parent)
}

/// Moves an earlier result to the first free name beside it.
fn move_aside(folder: &Path) -> std::io::Result<Option<PathBuf>> {
    if !folder.exists() {
        return Ok(None);
    }
    if fs::read_dir(folder)?.next().is_none() {
        fs::remove_dir(folder)?;
        return Ok(None);
    }
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut number = 1_u64;
    let aside = loop {
        let candidate = folder.with_file_name(format!("{name}.{number}"));
        if !candidate.exists() {
            break candidate;
        }
        number += 1;
    };
    fs::rename(folder, &aside)?;
    Ok(Some(aside))
}

#[cfg(test)]
mod tests {
    use protocol::{
        policy::Policy,
        report::{JobState, TaskReport, VERDICTS_HELD_MAX},
    };

    use super::*;

    fn verdict(index: u64, verdict: &str) -> TaskReport {
        TaskReport {
            index,
            task: String::new(),
            summary: String::new(),
            verdict: verdict.to_owned(),
            digest: None,
            disputed: false,
            reason: None,
            elapsed_s: 0.0,
            ballots: Vec::new(),
        }
    }

    #[test]
    fn of_a_long_report_the_first_verdicts_are_held_and_the_first_that_were_not_accepted() {
        let tasks = 10_000;
        let report = JobReport {
            job: "long".to_owned(),
            job_id: String::new(),
            status: JobState::Incomplete,
            worth: String::new(),
            policy: Policy::default(),
            tasks,
            accepted: 0,
            disputes: 0,
            dissenters: Vec::new(),
            corrections: 0,
            elapsed_s: 0.0,
            compute_s: 0.0,
            audits: None,
            adaptive: None,
            verdicts: (0..tasks).map(|i| verdict(i, if i < 5_000 { "accepted" } else { "failed" })).collect(),
        };
        let text = serde_json::to_vec(&report).expect("JSON");
        let read: JobReport = serde_json::from_slice(&text).expect("a report");
        let held: Vec<u64> = read.verdicts.iter().map(|verdict| verdict.index).collect();
        let count = VERDICTS_HELD_MAX as u64;
        let expected: Vec<u64> = (0..count).chain(5_000..5_000 + count).collect();
        assert_eq!(held, expected);
        assert_eq!(read.tasks, tasks);
    }

    #[test]
    fn an_earlier_result_is_moved_aside_and_something_else_is_refused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("pi");
        assert!(check_folder(&folder).is_ok());
        fs::create_dir(&folder).expect("a fresh name");
        fs::write(folder.join("notes.txt"), "mine").expect("writable");
        assert!(check_folder(&folder).is_err_and(|error| error.to_string().contains("--out")));
        fs::write(folder.join(REPORT_FILE), "{}").expect("writable");
        assert!(check_folder(&folder).is_ok());
        assert_eq!(move_aside(&folder).expect("renamed"), Some(root.path().join("pi.1")));
        fs::create_dir(&folder).expect("free again");
        fs::write(folder.join(REPORT_FILE), "{}").expect("writable");
        assert_eq!(move_aside(&folder).expect("renamed"), Some(root.path().join("pi.2")));
        assert!(root.path().join("pi.1").join("notes.txt").exists());
    }
}
