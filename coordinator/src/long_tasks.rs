//! The tasks that are too long for a lease: workers fetch them as blobs, by the digest that is the task's id.
//!
//! A task is made from its job's text when its first replica is leased, and stays for the others until it is decided. Jobs
//! that have a task in common share its bytes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock},
};

use bytes::Bytes;
use protocol::{job::JobId, task::TaskId};

/// The long tasks that are leased.
#[derive(Debug, Default)]
pub struct LongTasks(RwLock<Held>);

#[derive(Debug, Default)]
struct Held {
    by_number: BTreeMap<(JobId, u64), TaskId>,
    /// With how many jobs need it.
    by_id: HashMap<TaskId, (Bytes, u32)>,
}

impl LongTasks {
    /// Whether this task of a job is here.
    pub fn holds(&self, job: JobId, index: u64) -> bool {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.by_number.contains_key(&(job, index))
    }

    /// Keeps a task of a job, unless it is here.
    pub fn hold(&self, job: JobId, index: u64, id: TaskId, bytes: Vec<u8>) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.by_number.insert((job, index), id).is_none() {
            held.by_id.entry(id).or_insert_with(|| (bytes.into(), 0)).1 += 1;
        }
    }

    /// The task with this id.
    pub fn get(&self, id: &TaskId) -> Option<Bytes> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        held.by_id.get(id).map(|(bytes, _)| bytes.clone())
    }

    /// A task of a job is decided.
    pub fn release(&self, job: JobId, index: u64) {
        // Most jobs have none, and one that is there was put by whoever asks now.
        if self.holds(job, index) {
            self.0.write().unwrap_or_else(PoisonError::into_inner).release(job, index);
        }
    }

    /// A job is over.
    pub fn release_all(&self, job: JobId) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let indices: Vec<u64> =
            held.by_number.range((job, 0)..=(job, u64::MAX)).map(|((_, index), _)| *index).collect();
        for index in indices {
            held.release(job, index);
        }
    }
}

impl Held {
    fn release(&mut self, job: JobId, index: u64) {
        let Some(id) = self.by_number.remove(&(job, index)) else { return };
        if let Some((_, holders)) = self.by_id.get_mut(&id) {
            *holders -= 1;
            if *holders == 0 {
                self.by_id.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_jobs_share_stays_until_the_last_of_them_has_it_decided_or_is_over() {
        let tasks = LongTasks::default();
        let [first, second] = [JobId([1; 16]), JobId([2; 16])];
        let id = TaskId::of_bytes(&[7]);
        tasks.hold(first, 3, id, vec![7]);
        tasks.hold(first, 3, id, vec![7]);
        tasks.hold(second, 5, id, vec![7]);
        tasks.release(first, 3);
        assert!(!tasks.holds(first, 3) && tasks.holds(second, 5));
        assert_eq!(tasks.get(&id), Some(vec![7].into()));
        tasks.release(first, 3);
        tasks.release_all(first);
        assert_eq!(tasks.get(&id), Some(vec![7].into()));
        tasks.release_all(second);
        assert_eq!(tasks.get(&id), None);
    }
}
