//! The signatures of ballots, many at once on all processors, and one for each bundle.

use std::{collections::HashSet, num::NonZero, thread};

use protocol::{
    ballot::SignedBallot,
    identity::{NodeId, Signature},
    ledger::{Entry, Record},
    limits::BUNDLE_BALLOTS_MAX,
    merkle::TreeRoot,
};

/// Most bundles that are remembered; the next begin a new list.
const BUNDLES_MAX: usize = 1 << 16;

/// What was checked so far.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// Bundles whose signature was looked at: who signed, what, and how.
    bundles: HashSet<(NodeId, u64, [u8; 32], [u8; 64])>,
    pub(super) ballots: u64,
    pub(super) verified: u64,
}

impl Signatures {
    /// Checks the ballots in these entries; returns the positions of entries with a forged one.
    pub(super) fn check(&mut self, entries: &[(u64, Entry)]) -> Vec<u64> {
        let mut work: Vec<(u64, &SignedBallot, bool)> = Vec::new();
        for (position, entry) in entries {
            for ballot in ballots_in(&entry.record) {
                let known = self.knows_bundle_of(ballot);
                self.verified += u64::from(!known);
                work.push((*position, ballot, known));
            }
        }
        self.ballots += work.len() as u64;
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let share = work.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let of = |share: &[(u64, &SignedBallot, bool)]| -> Vec<u64> {
                share.iter().filter(|(_, ballot, known)| !holds(ballot, *known)).map(|(at, ..)| *at).collect()
            };
            let shares: Vec<_> = work.chunks(share).map(|share| scope.spawn(move || of(share))).collect();
            // A thread that panicked has checked nothing: every entry counts as forged then.
            let all = || entries.iter().map(|(position, _)| *position).collect();
            shares.into_iter().flat_map(|share| share.join().unwrap_or_else(|_| all())).collect()
        })
    }

    fn knows_bundle_of(&mut self, ballot: &SignedBallot) -> bool {
        let Some(bundled) = &ballot.bundle else { return false };
        let TreeRoot { size, root } = bundled.root;
        let Signature(signature) = ballot.signature;
        if self.bundles.len() >= BUNDLES_MAX {
            self.bundles.clear();
        }
        !self.bundles.insert((ballot.ballot.worker, size, root.0, signature))
    }
}

/// Whether a ballot is authentic. Where the signature of its bundle was looked at with another ballot, its path is enough.
fn holds(ballot: &SignedBallot, is_bundle_known: bool) -> bool {
    match &ballot.bundle {
        Some(bundled) if is_bundle_known => {
            let digest = ballot.ballot.signing_digest();
            bundled.root.size <= BUNDLE_BALLOTS_MAX
                && bundled.root.check_inclusion(&digest.0, &bundled.path).is_ok()
        }
        _ => ballot.is_authentic(),
    }
}

/// The ballots in a record.
fn ballots_in(record: &Record) -> Vec<&SignedBallot> {
    match record {
        Record::Decided(decided) => {
            let counted = decided.ballots.iter().map(|counted| &counted.ballot);
            counted.chain(decided.equivocations.iter().flatten()).collect()
        }
        Record::Late(counted) => vec![&counted.ballot],
        _ => Vec::new(),
    }
}
