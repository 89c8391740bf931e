//! What is computed here: nothing. The truth of a task and every lie about it are digests made of its number, at once.
//!
//! Nobody hashes: a simulated task costs a few multiplications, so that the time goes to the vote.

use protocol::{digest::Digest, identity::NodeId, job::JobId, task::TaskId};

/// The job with this number.
#[must_use]
pub fn job_id(number: u32) -> JobId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    JobId(bytes)
}

/// The number of a job that was named by [`job_id`].
#[must_use]
pub fn job_number(job: JobId) -> u32 {
    let [a, b, c, d, ..] = job.0;
    u32::from_be_bytes([a, b, c, d])
}

/// The task with this number in the job.
#[must_use]
pub fn task_id(job: JobId, index: u64) -> TaskId {
    let [a, b, c, d, ..] = job.0;
    TaskId(Digest(spread((u64::from(u32::from_be_bytes([a, b, c, d])) << 32) | index, 0)))
}

/// What the task yields.
#[must_use]
pub fn truth(task: TaskId) -> Digest {
    Digest(spread(first_lane(task), 1))
}

/// A wrong digest: the same for the same `liar`, another for every other one.
#[must_use]
pub fn lie(task: TaskId, liar: u32) -> Digest {
    Digest(spread(first_lane(task), 2 + u64::from(liar)))
}

/// The worker with this number, from 0. Its name for people is one more: see [`worker_name`].
#[must_use]
pub fn node_id(worker: u32) -> NodeId {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&worker.to_be_bytes());
    NodeId(bytes)
}

/// The number of a worker that was named by [`node_id`].
#[must_use]
pub fn worker_number(id: &NodeId) -> u32 {
    let [a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d])
}

/// How people call a worker: they count from 1.
#[must_use]
pub fn worker_name(worker: u32) -> String {
    format!("node {}", u64::from(worker) + 1)
}

fn first_lane(task: TaskId) -> u64 {
    let mut lane = [0; 8];
    lane.copy_from_slice(&task.0.0[..8]);
    u64::from_le_bytes(lane)
}

/// Four lanes of the output function of `SplitMix64` (Steele, Lea and Flood, 2014): a bijection of the number in each lane.
pub(crate) fn spread(number: u64, kind: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = number ^ kind.wrapping_mul(0xd1b5_4a32_d192_ed03);
    for lane in bytes.chunks_exact_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        lane.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes());
    }
    bytes
}
