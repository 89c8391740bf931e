//! What is checked at every start: enough to know that the log is ours, whole, and the newest, in a few reads.
//!
//! Entries are not read here, but for the first; each is checked when somebody reads it, and all of them by
//! [`super::verify()`].

use std::{fs::OpenOptions, path::Path};

use protocol::{
    identity::NodeId,
    ledger::{LEDGER_VERSION, Record, SignedHead},
    merkle::Frontier,
};
use redb::backends::FileBackend;

use super::{
    HEAD_FILE, LedgerError, Reader,
    database::OpenDatabase,
    files::sync_folder,
    mark::Mark,
    snapshot::Snapshot,
    tables::{LAYOUT, LAYOUT_KEY, META},
};

/// Checks what can be checked at once: versions, the founder, that the last head is authentic, is that of the stored
/// tree and of all entries, and that nothing is missing that the mark says was acknowledged.
pub(super) fn check(
    reader: &Reader,
    ours: Option<NodeId>,
    marked: Option<&SignedHead>,
) -> Result<(Frontier, SignedHead), LedgerError> {
    check_layout(&reader.database, &reader.path, marked)?;
    // That entries are lost says more than that the last head does not fit.
    check_size(&reader.snapshot()?, marked)?;
    let checked = check_base(reader, ours, marked)?;
    check_acknowledged(reader, checked.1.head.coordinator, marked)?;
    Ok(checked)
}

/// As [`check`], whatever was acknowledged.
pub(super) fn check_base(
    reader: &Reader,
    ours: Option<NodeId>,
    marked: Option<&SignedHead>,
) -> Result<(Frontier, SignedHead), LedgerError> {
    let path = &*reader.path;
    check_layout(&reader.database, path, marked)?;
    let snapshot = reader.snapshot()?;
    let size = snapshot.size()?;
    let founder = founder(&snapshot)?;
    if let Some(ours) = ours.filter(|ours| *ours != founder) {
        return Err(LedgerError::Foreign { path: path.to_owned(), founder, ours });
    }
    let head = reader.head()?;
    let frontier = Frontier::load(size, &snapshot)?;
    if head.head.coordinator != founder || head.head.tree != frontier.root() {
        return Err(LedgerError::damaged(path, "its last head is not that of its entries"));
    }
    Ok((frontier, head))
}

/// Checks that the ledger of `founder` has all that the mark says was acknowledged.
pub(super) fn check_acknowledged(
    reader: &Reader,
    founder: NodeId,
    marked: Option<&SignedHead>,
) -> Result<(), LedgerError> {
    let snapshot = reader.snapshot()?;
    check_size(&snapshot, marked)?;
    check_mark(&snapshot, founder, marked)
}

fn check_size(snapshot: &Snapshot, marked: Option<&SignedHead>) -> Result<(), LedgerError> {
    let (held, acknowledged) = (snapshot.size()?, marked.map_or(0, |marked| marked.head.tree.size));
    if acknowledged > held {
        return Err(LedgerError::Lost { path: snapshot.path().to_owned(), held, acknowledged });
    }
    Ok(())
}

/// Writes the file with the last acknowledged head anew, from the ledger's own last head: for whoever has lost that file,
/// and knows that the ledger is the newest. A file that can be read stays as it is.
///
/// # Errors
/// When the ledger cannot be used without that file either, or the disk refuses.
pub fn restore_head(state_dir: &Path) -> Result<SignedHead, LedgerError> {
    let (reader, acknowledged) = Reader::open(state_dir)?;
    let (_, head) = check_base(&reader, None, acknowledged.as_ref())?;
    check_size(&reader.snapshot()?, acknowledged.as_ref())?;
    if let Some(acknowledged) = acknowledged {
        return Ok(acknowledged);
    }
    let path = state_dir.join(HEAD_FILE);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let file = FileBackend::new(file.map_err(LedgerError::io("write", &path))?);
    let file = file.map_err(LedgerError::database("write", &path))?;
    Mark::open(Box::new(file), &path)?.0.set(&head)?;
    sync_folder(state_dir).map_err(LedgerError::io("write", state_dir))?;
    Ok(head)
}

fn check_layout(
    database: &OpenDatabase,
    path: &Path,
    marked: Option<&SignedHead>,
) -> Result<(), LedgerError> {
    let failed = LedgerError::database("read", path);
    let transaction = database.begin_read()?;
    let layout = match transaction.open_table(META) {
        Ok(meta) => meta.get(LAYOUT_KEY).map_err(failed)?.map(|layout| layout.value()),
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(LedgerError::database("read", path)(error)),
    };
    match (layout, marked) {
        (Some(LAYOUT), _) => Ok(()),
        (Some(found), _) => Err(LedgerError::Version { path: path.to_owned(), found, known: LAYOUT }),
        (None, Some(marked)) => {
            let acknowledged = marked.head.tree.size;
            Err(LedgerError::Lost { path: path.to_owned(), held: 0, acknowledged })
        }
        (None, None) => Err(LedgerError::damaged(path, "it is not a ledger, or its founding was cut short")),
    }
}

fn founder(snapshot: &Snapshot) -> Result<NodeId, LedgerError> {
    match snapshot.entry(0)?.record {
        Record::Founded { coordinator, version: LEDGER_VERSION } => Ok(coordinator),
        Record::Founded { version: found, .. } => {
            Err(LedgerError::Version { path: snapshot.path().to_owned(), found, known: LEDGER_VERSION })
        }
        _ => Err(LedgerError::damaged(snapshot.path(), "its first entry is not its founding")),
    }
}

fn check_mark(snapshot: &Snapshot, founder: NodeId, marked: Option<&SignedHead>) -> Result<(), LedgerError> {
    let mark_path = snapshot.path().with_file_name(HEAD_FILE);
    let Some(marked) = marked else {
        // A crash right after the founding leaves the mark unwritten, and nothing was acknowledged yet.
        return if snapshot.size()? == 1 { Ok(()) } else { Err(LedgerError::MarkLost { path: mark_path }) };
    };
    let tree = marked.head.tree;
    if marked.head.coordinator != founder || !marked.is_authentic() || snapshot.root(tree.size)? != tree {
        return Err(LedgerError::damaged(&mark_path, "its head is not one of the ledger beside it"));
    }
    Ok(())
}
