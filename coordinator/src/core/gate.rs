//! Nothing is told before it is durable: what rests on a record waits here until the ledger has it.
//!
//! The machine runs ahead of the disk. While one commit is on its way, further records gather for the next, and whatever
//! would tell somebody of them stands in line behind them, in order. A crash loses only what nobody heard of. Where nobody
//! is in a hurry to hear, a record waits a little for the next one, so that a question and its answer are one commit.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use protocol::{digest::Digest, job::JobId, limits::INLINE_OUTCOME_BYTES_MAX, report::JobProgress};
use verdict::Output;

use crate::ledger::{Batch, ShortOutcome};

/// Outcomes that are rows of the ledger, and whose.
type Rows = Vec<(JobId, Digest)>;

/// Most acts that wait; beyond it the owner takes no more events until a commit has ended.
const WAITING_MAX: usize = 64 * 1024;

/// How long records wait for others where nobody is in a hurry.
const PATIENCE: Duration = Duration::from_millis(5);
/// So many records wait for no others.
const PATIENT_ENTRIES_MAX: usize = 64;

/// Something that tells somebody something.
pub(super) enum Act {
    /// What the machine ordered.
    Output(Output),
    /// An answer to a client.
    Reply(Box<dyn FnOnce() + Send>),
    /// The state of a job, for those who watch it.
    Progress(JobId, Box<JobProgress>),
}

/// The line of what waits for the disk.
#[derive(Default)]
pub(super) struct Gate {
    /// Each with the number of the batch that must be durable before.
    waiting: VecDeque<(u64, Act)>,
    /// What the next commit takes.
    pub(super) batch: Batch,
    /// How many batches the writer has taken, and how many of them are durable.
    taken: u64,
    durable: u64,
    /// The outcomes in batches that are not durable yet, that are in memory only until then.
    rows: VecDeque<(u64, Rows)>,
    /// Whether somebody waits in a hurry for what has gathered.
    is_urgent: bool,
    /// Since when something has gathered.
    gathered_at: Option<Instant>,
}

impl Gate {
    /// Whether what has gathered goes to the ledger now; else it is to be asked again at [`Gate::patient_until`].
    pub(super) fn is_due(&mut self) -> bool {
        let Batch { entries, outcomes, forget } = &self.batch;
        if entries.is_empty() && outcomes.is_empty() && forget.is_empty() {
            return false;
        }
        let since = *self.gathered_at.get_or_insert_with(Instant::now);
        self.is_urgent || entries.len() >= PATIENT_ENTRIES_MAX || since.elapsed() >= PATIENCE
    }

    /// When what has gathered has waited long enough; none where nothing waits.
    pub(super) fn patient_until(&self) -> Option<Instant> {
        Some(self.gathered_at? + PATIENCE)
    }

    /// Somebody wants to hear soon of what has gathered.
    pub(super) fn hurry(&mut self) {
        self.is_urgent = true;
    }

    /// The outcomes of what has gathered that are in memory only until it is durable.
    pub(super) fn rows(&self) -> Rows {
        let is_row = |outcome: &&ShortOutcome| outcome.bytes.len() > INLINE_OUTCOME_BYTES_MAX;
        self.batch.outcomes.iter().filter(is_row).map(|outcome| (outcome.job, outcome.digest)).collect()
    }

    /// The writer took the batch, with these [`Gate::rows`]; another one begins.
    pub(super) fn taken(&mut self, number: u64, rows: Rows) {
        self.taken = number;
        if !rows.is_empty() {
            self.rows.push_back((number, rows));
        }
        (self.is_urgent, self.gathered_at) = (false, None);
    }

    /// The writer did not take the batch: it is offered again in a while.
    pub(super) fn put_back(&mut self, batch: Batch) {
        self.batch = batch;
        self.gathered_at = Some(Instant::now());
    }

    /// The batch that must be durable before anything is told now.
    fn needs(&self) -> u64 {
        self.taken + u64::from(!self.batch.entries.is_empty())
    }

    /// Whether more events may be taken.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// Gives an act back that may be done now, or lets it wait.
    pub(super) fn pass(&mut self, act: Act) -> Option<Act> {
        let needs = self.needs();
        if self.waiting.is_empty() && needs <= self.durable {
            return Some(act);
        }
        self.waiting.push_back((needs, act));
        None
    }

    /// So many batches are durable now.
    pub(super) fn committed(&mut self, batches: u64) {
        self.durable = self.durable.max(batches);
    }

    /// The outcomes that have become durable since it was asked last.
    pub(super) fn written_rows(&mut self) -> Rows {
        let written = self.rows.partition_point(|(number, _)| *number <= self.durable);
        self.rows.drain(..written).flat_map(|(_, rows)| rows).collect()
    }

    /// The next act that waits no longer.
    pub(super) fn next(&mut self) -> Option<Act> {
        let (needs, _) = self.waiting.front()?;
        if *needs > self.durable {
            return None;
        }
        self.waiting.pop_front().map(|(_, act)| act)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{
        identity::NodeId,
        ledger::{Entry, Record},
    };

    use super::*;

    fn entry() -> Entry {
        Entry { at_ms: 0, record: Record::Revoked { node: NodeId([0; 32]) } }
    }

    fn reply() -> Act {
        Act::Reply(Box::new(|| {}))
    }

    #[test]
    fn a_record_waits_for_company_unless_somebody_is_in_a_hurry_or_many_have_gathered() {
        let mut gate = Gate::default();
        assert!(!gate.is_due() && gate.patient_until().is_none(), "nothing has gathered");
        gate.batch.entries.push(entry());
        assert!(!gate.is_due());
        assert!(gate.patient_until().is_some(), "it is asked again");
        gate.hurry();
        assert!(gate.is_due());
        gate.batch = Batch::default();
        gate.taken(1, Vec::new());
        gate.batch.entries.push(entry());
        assert!(!gate.is_due(), "the next batch is patient again");
        gate.batch.entries.extend((1..PATIENT_ENTRIES_MAX).map(|_| entry()));
        assert!(gate.is_due());
    }

    #[test]
    fn what_follows_a_record_waits_until_the_record_is_durable_and_nothing_overtakes() {
        let mut gate = Gate::default();
        assert!(gate.pass(reply()).is_some());
        gate.batch.entries.push(entry());
        assert!(gate.pass(reply()).is_none());
        gate.batch = Batch::default();
        gate.taken(1, Vec::new());
        gate.batch.entries.push(entry());
        assert!(gate.pass(reply()).is_none());
        gate.committed(1);
        assert!(gate.next().is_some());
        assert!(gate.next().is_none());
        assert!(gate.pass(reply()).is_none());
        gate.batch = Batch::default();
        gate.taken(2, Vec::new());
        gate.committed(2);
        assert!(gate.next().is_some());
        assert!(gate.next().is_some());
        assert!(gate.next().is_none());
        assert!(gate.pass(reply()).is_some());
    }
}
