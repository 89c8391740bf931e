//! Writing down before telling: records gather for the ledger, and what rests on them is done once they are durable.

use std::sync::Arc;

use protocol::{
    digest::Digest,
    job::JobId,
    ledger::{Entry, Record},
    standing::Quarantined,
    verdict::Verdict,
};
use tracing::warn;

use super::{Core, gate::Act};
use crate::ledger::{LedgerError, Progress, Refused, ShortOutcome};

impl Core {
    /// Writes something down; what is told from now on waits for it.
    pub(super) fn record(&mut self, record: Record) {
        if let Record::Decided(decided) = &record {
            match decided.verdict {
                Verdict::Accepted(accepted) => self.keep_inline(decided.job, decided.index, accepted),
                Verdict::Undecided | Verdict::Failed(_) => {
                    if let Some(job) = self.jobs.get_mut(&decided.job) {
                        job.inline.remove(&decided.index);
                    }
                }
            }
        }
        self.note_in_job(&record);
        let entry = Entry { at_ms: self.now_ms(), record };
        if let Some(past) = entry.record.job().and_then(|job| self.jobs.get_mut(&job)?.past.as_mut())
            && past.last().is_none_or(|last| !matches!(last.record, Record::Over { .. }))
        {
            past.push(entry.clone());
        }
        self.gate.batch.entries.push(entry);
    }

    /// A report says who was put in quarantine in its job, and where dissenters went wrong.
    pub(super) fn note_in_job(&mut self, record: &Record) {
        if let Record::Located(fault) = record {
            self.note_fault(fault);
        }
        if let Record::Quarantined(Quarantined { worker, engine, reason, job: Some(job) }) = record
            && let Some(job) = self.jobs.get_mut(job)
        {
            job.quarantines.entry(*worker).or_insert_with(|| format!("{engine}: {reason}"));
        }
    }

    /// Hands what gathered to the ledger, unless it may wait for more, or too much waits there already: then more gathers.
    /// Where there is nothing else to do it is written here and now, which is sooner than by the ledger's thread.
    pub(super) fn write_down(&mut self) {
        if !self.gate.is_due() {
            return;
        }
        let rows = self.gate.rows();
        let batch = std::mem::take(&mut self.gate.batch);
        let is_idle = self.machine.open_jobs() == 0 && self.events.is_empty();
        let taken = if is_idle { self.writer.try_write(batch) } else { self.writer.try_submit(batch) };
        match taken {
            Ok(number) => {
                self.gate.taken(number, rows);
                // The ledger's thread may have been woken on this processor, where it would wait for this thread.
                if !self.writer.is_untidy() {
                    std::thread::yield_now();
                }
            }
            // That it has stopped is seen where its progress is watched.
            Err(Refused::Full(batch) | Refused::Stopped(batch)) => self.gate.put_back(*batch),
        }
    }

    /// The disk has come further: what waited for it is done.
    ///
    /// # Errors
    /// What stopped the ledger.
    pub(super) fn committed(&mut self, progress: &Progress) -> Result<(), Arc<LedgerError>> {
        if let Some(error) = &progress.failed {
            return Err(Arc::clone(error));
        }
        self.gate.committed(progress.batches);
        self.outcomes_written();
        while let Some(act) = self.gate.next() {
            self.perform(act);
        }
        Ok(())
    }

    /// Does something as soon as everything that it rests on is durable, and sees to it that this is soon.
    pub(super) fn when_durable(&mut self, act: Act) {
        self.gate.hurry();
        self.when_durable_by_itself(act);
    }

    /// As [`Core::when_durable`], where nobody is in a hurry.
    pub(super) fn when_durable_by_itself(&mut self, act: Act) {
        if let Some(act) = self.gate.pass(act) {
            self.perform(act);
        }
    }

    pub(super) fn perform(&mut self, act: Act) {
        match act {
            Act::Output(output) => self.execute(output),
            Act::Reply(reply) => reply(),
            Act::Progress(job, progress) => {
                if let Some(record) = self.jobs.get(&job) {
                    record.progress.send_replace(*progress);
                }
            }
        }
    }

    /// Keeps the accepted outcome of a task, where it came along with a ballot.
    pub(super) fn keep_inline(&mut self, job: JobId, index: u64, accepted: Digest) {
        let Some(record) = self.jobs.get_mut(&job) else { return };
        let Some(held) = record.inline.get_mut(&index) else { return };
        let bytes = held.remove(&accepted);
        if held.is_empty() {
            record.inline.remove(&index);
        }
        let Some(bytes) = bytes.filter(|_| record.kept.insert(accepted)) else { return };
        match self.outcomes.put(accepted, bytes.clone().into()) {
            Ok(()) => self.gate.batch.outcomes.push(ShortOutcome { job, digest: accepted, bytes }),
            Err(error) => {
                warn!(%error, "an accepted outcome cannot be kept");
                record.kept.remove(&accepted);
            }
        }
    }

    /// An errand has kept an outcome for a job, which may have had it already, or be gone.
    pub(super) fn keep_fetched(&mut self, job: JobId, digest: Digest) {
        let kept_first = self.jobs.get_mut(&job).is_some_and(|record| record.kept.insert(digest));
        if !kept_first {
            self.outcomes.remove(&digest, None);
        } else if let Some(bytes) = self.outcomes.for_the_ledger(&digest) {
            self.gate.batch.outcomes.push(ShortOutcome { job, digest, bytes: bytes.to_vec() });
        }
    }

    /// Outcomes that are rows of the ledger now need no memory.
    fn outcomes_written(&mut self) {
        for (job, digest) in self.gate.written_rows() {
            if self.jobs.get(&job).is_some_and(|record| record.kept.contains(&digest)) {
                self.outcomes.written(job, &digest);
            }
        }
    }
}
