//! Works out again everything that the ledger claims: each digest, the tree, the heads, every signature, and the rules
//! between entries.
//!
//! Nothing that is stored is believed: digests are taken of the bytes, the tree is built from them, and only then compared.
//! The walk goes on after a fault, so that one reading tells all of them.

mod alone;
mod ballots;
mod enrolled;
mod rules;
mod standing;

use std::collections::VecDeque;

use protocol::{
    identity::NodeId,
    ledger::{Entry, Record, SignedHead},
    merkle::{Frontier, NodeStore, leaf_digest},
    outcome::Outcome,
};

use self::{ballots::Signatures, rules::Rules};
use super::{
    LedgerError, Reader,
    error::guarded,
    snapshot::Snapshot,
    tables::{JobRow, split_row},
};

/// How many entries' ballots are checked together.
const ENTRIES_AT_ONCE: usize = 1024;
/// Most faults that are told; the rest are counted.
pub const FAULTS_SHOWN_MAX: usize = 100;

/// What a verification has found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verified {
    /// Whose ledger it is; none where that cannot be read.
    pub coordinator: Option<NodeId>,
    /// The last signed head; none where it cannot be read.
    pub head: Option<SignedHead>,
    /// Entries that were read.
    pub entries: u64,
    /// The times of the first and the last of them, in milliseconds since 1970.
    pub from_to_ms: (u64, u64),
    /// Nodes of the tree that were compared, the leaves included.
    pub nodes: u64,
    /// Signed heads that were compared.
    pub heads: u64,
    /// Ballots whose signatures were checked.
    pub ballots: u64,
    /// Signatures that this took: one for each bundle.
    pub signatures: u64,
    /// Jobs that were submitted.
    pub jobs: u64,
    /// Verdicts: accepted, undecided, failed.
    pub verdicts: [u64; 3],
    /// Corrections.
    pub corrections: u64,
    /// Short outcomes beside the log.
    pub outcomes: u64,
    /// Expression files beside the log.
    pub files: u64,
    /// What is wrong, at most [`FAULTS_SHOWN_MAX`].
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub faults_count: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Fault {
    /// With which entry; none where it is not one of them.
    pub position: Option<u64>,
    /// What.
    pub what: String,
}

impl Verified {
    /// Whether everything is as it was written.
    pub fn is_sound(&self) -> bool {
        self.faults_count == 0
    }

    fn fault(&mut self, position: impl Into<Option<u64>>, what: impl Into<String>) {
        self.faults_count += 1;
        if self.faults.len() < FAULTS_SHOWN_MAX {
            self.faults.push(Fault { position: position.into(), what: what.into() });
        }
    }
}

/// Verifies all of a ledger; `acknowledged` is what the file beside it says, and `told` hears how many entries of how many
/// are done.
///
/// # Errors
/// Only when nothing can be read at all; what is wrong otherwise is in [`Verified::faults`].
pub fn verify(
    reader: &Reader,
    acknowledged: Option<&SignedHead>,
    told: impl FnMut(u64, u64),
) -> Result<Verified, LedgerError> {
    let snapshot = reader.snapshot()?;
    let found = Verified {
        coordinator: None,
        head: None,
        entries: 0,
        from_to_ms: (0, 0),
        nodes: 0,
        heads: 0,
        ballots: 0,
        signatures: 0,
        jobs: 0,
        verdicts: [0; 3],
        corrections: 0,
        outcomes: 0,
        files: 0,
        faults: Vec::new(),
        faults_count: 0,
    };
    let walk = Walk {
        reader,
        snapshot: &snapshot,
        found,
        frontier: Frontier::default(),
        heads: VecDeque::new(),
        rules: Rules::default(),
        signatures: Signatures::default(),
        unchecked: Vec::new(),
    };
    guarded(reader.path(), || walk.run(acknowledged, told))
}

struct Walk<'a> {
    reader: &'a Reader,
    snapshot: &'a Snapshot,
    found: Verified,
    frontier: Frontier,
    /// The heads that are still to come, the smallest first.
    heads: VecDeque<SignedHead>,
    rules: Rules,
    signatures: Signatures,
    /// Entries whose ballots are still to be checked.
    unchecked: Vec<(u64, Entry)>,
}

impl Walk<'_> {
    fn run(
        mut self,
        acknowledged: Option<&SignedHead>,
        mut told: impl FnMut(u64, u64),
    ) -> Result<Verified, LedgerError> {
        if let Err(error) = super::check::check(self.reader, None, acknowledged) {
            self.found.fault(None, error.to_string());
        }
        match self.reader.heads() {
            Ok(heads) => self.heads = heads.into(),
            Err(error) => self.found.fault(None, error.to_string()),
        }
        self.found.head = self.heads.back().copied();
        if let Some(acknowledged) = acknowledged.filter(|mark| !self.heads.contains(mark)) {
            let size = acknowledged.head.tree.size;
            let place = self.heads.partition_point(|signed| signed.head.tree.size <= size);
            self.heads.insert(place, *acknowledged);
        }
        let size = self.snapshot.last_position()?.map_or(0, |last| last + 1);
        for position in 0..size {
            if !self.entry(position) {
                self.found.fault(position, "it is missing, and nothing after it was checked");
                break;
            }
            if self.unchecked.len() >= ENTRIES_AT_ONCE {
                self.check_ballots();
                told(position + 1, size);
            }
        }
        self.check_ballots();
        told(size, size);
        self.check_ends();
        Ok(self.summary())
    }

    /// Takes one entry; false where there is none.
    fn entry(&mut self, position: u64) -> bool {
        let row = match self.snapshot.entry_row(position) {
            Ok(Some(row)) => row,
            Ok(None) => return false,
            Err(error) => {
                self.found.fault(position, error.to_string());
                return false;
            }
        };
        let Some((stored, bytes)) = split_row(position, &row) else { return false };
        let digest = leaf_digest(bytes);
        if stored != digest {
            self.found.fault(position, "it does not have its digest");
        }
        // The stored digest keeps the tree whole, so that one damaged entry is one fault.
        self.grow(stored);
        self.found.entries += 1;
        match Entry::from_bytes(bytes) {
            Ok(entry) => self.read(position, entry),
            Err(error) => self.found.fault(position, error.to_string()),
        }
        self.compare_heads();
        true
    }

    fn grow(&mut self, leaf: protocol::digest::Digest) {
        let mut complete = Vec::new();
        if let Err(error) = self.frontier.push(leaf, |number, digest| complete.push((number, digest))) {
            self.found.fault(None, error.to_string());
        }
        for (number, digest) in complete {
            self.found.nodes += 1;
            match self.snapshot.node(number) {
                Ok(stored) if stored == digest => {}
                Ok(_) => self
                    .found
                    .fault(None, format!("node {number} of the tree is not what its entries make it")),
                Err(error) => self.found.fault(None, error.to_string()),
            }
        }
    }

    fn read(&mut self, position: u64, entry: Entry) {
        if let Record::Founded { coordinator, .. } = entry.record {
            self.found.coordinator.get_or_insert(coordinator);
        }
        let (from, to) = self.found.from_to_ms;
        self.found.from_to_ms = (if position == 0 { entry.at_ms } else { from }, to.max(entry.at_ms));
        for what in self.rules.take(&entry) {
            self.found.fault(position, what);
        }
        if let Some(job) = entry.record.job()
            && let Some(number) = self.rules.number_in_job(job)
        {
            match self.snapshot.job_position(job, number) {
                Ok(indexed) if indexed == position => {}
                Ok(_) => self.found.fault(position, format!("the index of job {job} does not find it")),
                Err(error) => self.found.fault(position, error.to_string()),
            }
        }
        if let Record::Submitted(submitted) = &entry.record
            && let Some(file) = submitted.file
        {
            self.found.files += 1;
            match self.reader.files().get(&file) {
                Ok(Some(_)) => {}
                Ok(None) => self.found.fault(position, format!("its expression file {file} is missing")),
                Err(error) => self.found.fault(position, error.to_string()),
            }
        }
        self.unchecked.push((position, entry));
    }

    fn check_ballots(&mut self) {
        let mut forged = self.signatures.check(&self.unchecked);
        forged.dedup();
        for position in forged {
            self.found.fault(position, "a ballot in it does not carry its worker's signature");
        }
        self.unchecked.clear();
    }

    /// Compares the heads of the size that the tree has now.
    fn compare_heads(&mut self) {
        while let Some(signed) =
            self.heads.pop_front_if(|signed| signed.head.tree.size <= self.frontier.size())
        {
            self.found.heads += 1;
            let (head, size) = (signed.head, signed.head.tree.size);
            if !signed.is_authentic() || Some(head.coordinator) != self.found.coordinator {
                self.found.fault(None, format!("the head of {size} entries is not signed by the founder"));
            }
            if head.tree != self.frontier.root() || head.at_ms != self.found.from_to_ms.1 {
                self.found.fault(None, format!("the head of {size} entries is not that of the entries"));
            }
        }
    }

    /// Checks what can be checked only when all entries were read.
    fn check_ends(&mut self) {
        while let Some(signed) = self.heads.pop_front() {
            let size = signed.head.tree.size;
            self.found.fault(None, format!("a head vouches for {size} entries, which are not there"));
        }
        if self.found.head.is_some_and(|last| last.head.tree.size != self.frontier.size()) {
            self.found.fault(None, "the last head is not that of the last entry");
        }
        self.check_index();
        self.check_outcomes();
    }

    fn check_index(&mut self) {
        let expected: Vec<_> =
            self.rules.rows().map(|(job, entries, over)| (job, JobRow { entries, over })).collect();
        match self.snapshot.job_rows() {
            Ok(rows) if rows == expected => {}
            Ok(_) => self.found.fault(None, "the index of jobs is not that of the entries"),
            Err(error) => self.found.fault(None, error.to_string()),
        }
        // Leaves are compared above; a tree of n leaves has as many nodes above them as subtrees that are full.
        let above = self.found.nodes.saturating_sub(self.found.entries);
        for (what, held, expected) in [
            ("nodes", self.snapshot.nodes_count(), above),
            ("rows of the index", self.snapshot.job_entries_count(), self.rules.job_entries()),
        ] {
            match held {
                Ok(held) if held == expected => {}
                Ok(held) => {
                    self.found.fault(None, format!("there are {held} {what}, and {expected} belong there"));
                }
                Err(error) => self.found.fault(None, error.to_string()),
            }
        }
    }

    fn check_outcomes(&mut self) {
        let rows = match self.snapshot.all_outcome_rows() {
            Ok(rows) => rows,
            Err(error) => return self.found.fault(None, error.to_string()),
        };
        for row in rows {
            match row {
                Ok((key, value)) => {
                    self.found.outcomes += 1;
                    let digest = protocol::digest::Digest(*key.value().1);
                    if Outcome::digest_of_bytes(value.value()) != digest {
                        self.found
                            .fault(None, format!("the outcome {digest} beside the log has another digest"));
                    }
                }
                Err(error) => return self.found.fault(None, error.to_string()),
            }
        }
    }

    fn summary(mut self) -> Verified {
        self.found.ballots = self.signatures.ballots;
        self.found.signatures = self.signatures.verified;
        self.found.jobs = self.rules.jobs() as u64;
        self.found.verdicts = [self.rules.accepted, self.rules.undecided, self.rules.failed];
        self.found.corrections = self.rules.corrections;
        self.found
    }
}
