//! Certificates: as bytes that anybody may have damaged, and as lies that a coordinator signed.

use std::io::Cursor;

use protocol::{
    certificate::{self, Builder, CertificateFault},
    ledger::Entry,
    merkle::MerkleTree,
    verdict::Certificate,
};

use super::{MemoryBound, Reading, TWICE, Target, reading, seeds};

pub(super) const TASK_CERTIFICATES: Target = Target {
    name: "task_certificates",
    read: |bytes| reading(&Certificate::check(bytes, 2)),
    seeds: || vec![seeds::decided::task_certificate().to_bytes()],
    memory: TWICE,
};
pub(super) const JOB_CERTIFICATES: Target = Target {
    name: "job_certificates",
    read: |bytes| reading(&verify(bytes)),
    seeds: job_certificate_seeds,
    memory: CHECKED,
};
pub(super) const SIGNED_LIES: Target =
    Target { name: "signed_lies", read: signed_lie, seeds: lie_seeds, memory: BUILT };

/// Memory of a check: each part is decoded, its text is a job, its file a plan.
const CHECKED: MemoryBound = TWICE.and(MemoryBound::TOML).and(MemoryBound::EXPRESSION).and(MemoryBound::TEXT);
/// The same, and the certificate and its tree, which the target builds first.
const BUILT: MemoryBound = CHECKED.and(MemoryBound::TREE);

fn verify(bytes: &[u8]) -> Result<certificate::Findings, CertificateFault> {
    certificate::verify(Cursor::new(bytes), &[seeds::coordinator().node_id()])
}

fn job_certificate_seeds() -> Vec<Vec<u8>> {
    lie_seeds().iter().filter_map(|parts| assembled(parts)).collect()
}

/// The parts of a certificate, each behind its length in three bytes: the file of expressions, how many entries, the
/// entries, the outcomes.
fn parts(bytes: &[u8]) -> Vec<&[u8]> {
    let mut rest = bytes;
    let mut parts = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<3>() {
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)).min(behind.len());
        let (part, behind) = behind.split_at(length);
        parts.push(part);
        rest = behind;
    }
    parts
}

fn lie_seeds() -> Vec<Vec<u8>> {
    vec![framed(seeds::decided::story())]
}

/// The input of the target of signed lies that tells this story.
#[must_use]
pub fn framed(story: seeds::decided::Story) -> Vec<u8> {
    let mut parts = vec![story.file.as_bytes().to_vec(), vec![0; story.records.len()]];
    parts.extend(seeds::decided::entries_of(story.records).iter().map(Entry::to_bytes));
    parts.extend(story.outcomes.into_iter().map(Option::unwrap_or_default));
    let framed = |part: &Vec<u8>| {
        let length = u32::try_from(part.len()).unwrap_or(0).to_be_bytes();
        length[1..].iter().chain(part).copied().collect::<Vec<u8>>()
    };
    parts.iter().flat_map(framed).collect()
}

/// Puts the parts into a ledger, signs its head and the certificate, and has that checked: now every check is reached.
fn signed_lie(bytes: &[u8]) -> Reading {
    assembled(bytes).map_or(Reading::Refused, |certificate| reading(&verify(&certificate)))
}

fn assembled(bytes: &[u8]) -> Option<Vec<u8>> {
    let parts = parts(bytes);
    let [file, count, rest @ ..] = parts.as_slice() else { return None };
    let (entries, outcomes) = rest.split_at(count.len().min(rest.len()));
    let tree = MerkleTree::new(entries.iter().map(|entry| entry.to_vec()));
    let file = if file.is_empty() { None } else { Some(*file) };
    build(&tree, file, entries, outcomes).ok()
}

fn build(
    tree: &MerkleTree,
    file: Option<&[u8]>,
    entries: &[&[u8]],
    outcomes: &[&[u8]],
) -> Result<Vec<u8>, certificate::BuildError> {
    let head = seeds::decided::head(tree);
    let mut builder = Builder::begin(Vec::new(), head, entries.len() as u64, file)?;
    for (position, entry) in (0..).zip(entries) {
        if let Some(path) = tree.path(position) {
            builder.entry(entry.to_vec(), &path)?;
        }
    }
    for outcome in outcomes {
        builder.outcome(if outcome.is_empty() { None } else { Some(outcome) })?;
    }
    builder.finish(&seeds::coordinator())
}
