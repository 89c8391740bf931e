//! `coordinator ledger`: what a coordinator wrote down, verified, shown, exported, and proven to continue what it was.
//!
//! All of it works on the files in the state directory, or on a copy of them, and changes nothing there.

use std::{
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    process::ExitCode,
    time::{Duration, UNIX_EPOCH},
};

use indicatif::ProgressBar;
use protocol::{
    job::JobId,
    ledger::{Entry, SignedHead},
    limits::TEXT_BYTES_MAX,
    merkle::TreeRoot,
};
use serde_json::json;

use crate::{
    arguments::{LedgerConsistency, LedgerExport, LedgerHead, LedgerShow, LedgerVerify, LedgerWhat},
    exit::{CommandError, DONE, FALSE},
    ledger::{LedgerError, Reader, Verified, acknowledged_head, describe, restore_head, verify},
    state,
};

pub(super) fn run(what: LedgerWhat) -> Result<ExitCode, CommandError> {
    match what {
        LedgerWhat::Verify(arguments) => verified(&arguments),
        LedgerWhat::Show(arguments) => show(&arguments),
        LedgerWhat::Export(arguments) => export(&arguments),
        LedgerWhat::Head(arguments) => head(&arguments),
        LedgerWhat::Consistency(arguments) => consistency(&arguments),
    }
}

fn verified(arguments: &LedgerVerify) -> Result<ExitCode, CommandError> {
    let state_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
    let (reader, acknowledged) = Reader::open(&state_dir)?;
    let bar = if io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let found = verify(&reader, acknowledged.as_ref(), |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    let mut out = String::new();
    if arguments.json {
        out = json!({ "sound": found.is_sound(), "found": found }).to_string() + "\n";
    } else {
        say(&found, reader.path(), &mut out);
    }
    print(&out)?;
    Ok(ExitCode::from(if found.is_sound() { DONE } else { FALSE }))
}

fn say(found: &Verified, path: &Path, out: &mut String) {
    let Verified { entries, nodes, heads, ballots, signatures, jobs, corrections, outcomes, files, .. } =
        found;
    let [accepted, undecided, failed] = found.verdicts;
    let (from, to) = found.from_to_ms;
    let founder = found.coordinator.map_or_else(|| "nobody".to_owned(), |node| node.to_string());
    let root = found.head.map_or_else(|| "unknown".to_owned(), |head| head.head.tree.root.to_string());
    for line in [
        format!("{}: the ledger of coordinator {founder}", path.display()),
        format!("read: {entries} entries, from {} to {}", time(from), time(to)),
        format!("hashes: taken of every entry, and of all {nodes} nodes of the tree over them; root {root}"),
        format!("heads: {heads} signed heads compared with the entries that they vouch for"),
        format!("ballots: {ballots} checked by {signatures} signatures"),
        format!(
            "verdicts: {accepted} accepted, {undecided} undecided and {failed} failed, compared with their ballots and the \
             policies of {jobs} jobs; {corrections} corrections"
        ),
        format!("beside the log: the index, {outcomes} short outcomes and {files} expression files"),
    ] {
        out.push_str(&line);
        out.push('\n');
    }
    if found.is_sound() {
        out.push_str("sound: everything is as it was written and signed\n");
        return;
    }
    for fault in &found.faults {
        match fault.position {
            Some(position) => out.push_str(&format!("fault: entry {position}: {}\n", fault.what)),
            None => out.push_str(&format!("fault: {}\n", fault.what)),
        }
    }
    let hidden = found.faults_count - found.faults.len() as u64;
    if hidden > 0 {
        out.push_str(&format!("and {hidden} more faults\n"));
    }
    out.push_str(&format!(
        "not sound: {} faults; restore the ledger from a copy that verifies\n",
        found.faults_count
    ));
}

fn show(arguments: &LedgerShow) -> Result<ExitCode, CommandError> {
    let reader = Reader::open_checked(&state::coordinator_dir(arguments.state.state_dir.as_deref()))?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = |position: u64, entry: &Entry| {
        if arguments.json {
            writeln!(out, "{}", json!({ "position": position, "entry": entry }))
        } else {
            writeln!(out, "{position:>9}  {}  {}", time(entry.at_ms), describe(&entry.record))
        }
    };
    if let Some(text) = &arguments.job {
        let entries = reader.job_entries(find_job(&reader, text)?)?;
        let skipped = skipped(arguments.last, reader.positions_of(find_job(&reader, text)?)?.len() as u64);
        for found in entries.skip(usize::try_from(skipped).unwrap_or(usize::MAX)) {
            let (position, entry) = found?;
            if position >= arguments.from && ended(line(position, &entry))? {
                return Ok(ExitCode::from(DONE));
            }
        }
    } else {
        let from = arguments.from.max(skipped(arguments.last, reader.head()?.head.tree.size));
        for found in reader.entries(from..)? {
            let (position, entry) = found?;
            if ended(line(position, &entry))? {
                return Ok(ExitCode::from(DONE));
            }
        }
    }
    ended(out.flush())?;
    Ok(ExitCode::from(DONE))
}

/// How many of `count` come before the last `last`.
fn skipped(last: Option<u64>, count: u64) -> u64 {
    last.map_or(0, |last| count.saturating_sub(last))
}

/// Whether whoever reads what is printed has gone (as `head` does), which is no error.
fn ended(printed: io::Result<()>) -> Result<bool, CommandError> {
    match printed {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
        Err(source) => Err(CommandError::File { action: "write", path: "standard output".into(), source }),
    }
}

fn print(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    ended(out.write_all(text.as_bytes()).and_then(|()| out.flush())).map(|_| ())
}

fn find_job(reader: &Reader, text: &str) -> Result<JobId, CommandError> {
    let fitting: Vec<JobId> =
        reader.jobs()?.into_iter().filter(|job| job.to_string().starts_with(text)).collect();
    match fitting[..] {
        [job] => Ok(job),
        [] => Err(CommandError::Input(format!(
            "no job's id in the ledger starts with `{text}`; `coordinator ledger show` lists them"
        ))),
        _ => {
            let count = fitting.len();
            Err(CommandError::Input(format!("{count} jobs' ids start with `{text}`; give more digits")))
        }
    }
}

fn export(arguments: &LedgerExport) -> Result<ExitCode, CommandError> {
    let reader = Reader::open_checked(&state::coordinator_dir(arguments.state.state_dir.as_deref()))?;
    let failed = |source| CommandError::File { action: "write", path: arguments.file.clone(), source };
    let folder = match arguments.file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut out = BufWriter::new(file.as_file_mut());
    let mut count = 0;
    for found in reader.entries(..)? {
        let (position, entry) = found?;
        writeln!(out, "{}", json!({ "position": position, "entry": entry })).map_err(failed)?;
        count += 1;
    }
    let heads = reader.heads()?;
    for head in &heads {
        writeln!(out, "{}", json!({ "head": head })).map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    drop(out);
    file.persist(&arguments.file).map_err(|error| failed(error.error))?;
    print(&format!(
        "written: {count} entries and {} signed heads to {}\n",
        heads.len(),
        arguments.file.display()
    ))?;
    Ok(ExitCode::from(DONE))
}

fn head(arguments: &LedgerHead) -> Result<ExitCode, CommandError> {
    let state_dir = state::coordinator_dir(arguments.state.state_dir.as_deref());
    let head = match acknowledged_head(&state_dir)? {
        Some(head) => head,
        None if arguments.restore => restore_head(&state_dir)?,
        // Why there is none: no ledger, or a lost file.
        None => Reader::open_checked(&state_dir)?.head()?,
    };
    print(&format!("{}\n", json!(head)))?;
    Ok(ExitCode::from(DONE))
}

fn consistency(arguments: &LedgerConsistency) -> Result<ExitCode, CommandError> {
    let reader = Reader::open_checked(&state::coordinator_dir(arguments.state.state_dir.as_deref()))?;
    let founder = reader.head()?.head.coordinator;
    let mut trees = Vec::new();
    for text in [&arguments.old, &arguments.new] {
        let tree = match text.parse::<u64>() {
            Ok(size) => reader.root(size)?,
            Err(_) => {
                let signed = read_head(Path::new(text))?;
                if signed.head.coordinator != founder || !signed.is_authentic() {
                    return no(&format!(
                        "{text} is not signed by the coordinator {founder}, whose ledger this is"
                    ));
                }
                signed.head.tree
            }
        };
        trees.push(tree);
    }
    let [old, new] = trees[..] else { return no("two heads are needed") };
    if old.size > new.size {
        return no(&format!("the later head has {} entries and the earlier one {}", new.size, old.size));
    }
    for (text, tree) in [(&arguments.old, old), (&arguments.new, new)] {
        match reader.root(tree.size) {
            Ok(root) if root == tree => {}
            Ok(TreeRoot { size, root }) => {
                return no(&format!(
                    "{text} vouches for {size} entries with another root; the ledger here has {root}"
                ));
            }
            Err(LedgerError::Tree(error)) => {
                return no(&format!("the ledger here is shorter than {text}: {error}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let path = reader.consistency(old.size, new.size)?;
    if new.check_consistency(&old, &path).is_err() {
        return no("the later head does not continue the earlier one");
    }
    print(&format!(
        "yes: the first {} of {} entries are the same, as {} nodes of the tree prove; both heads are those of \
         coordinator {founder}\n",
        old.size,
        new.size,
        path.nodes.len()
    ))?;
    Ok(ExitCode::from(DONE))
}

fn no(reason: &str) -> Result<ExitCode, CommandError> {
    print(&format!("no: {reason}\n"))?;
    Ok(ExitCode::from(FALSE))
}

fn read_head(path: &Path) -> Result<SignedHead, CommandError> {
    let failed = |source| CommandError::File { action: "read", path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, TEXT_BYTES_MAX as u64), &mut text).map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| {
        let path = path.display();
        CommandError::Input(format!("{path} is no head as `coordinator ledger head` prints it: {error}"))
    })
}

fn time(at_ms: u64) -> String {
    // The last second that the format can write is in the year 9999.
    let at = UNIX_EPOCH + Duration::from_millis(at_ms.min(253_402_300_799_999));
    humantime::format_rfc3339_seconds(at).to_string()
}
