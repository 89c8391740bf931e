//! The signatures of ballots, many at once on all processors, and one for each bundle.

use std::{collections::HashSet, num::NonZero, thread};

use protocol::{
    ballot::SignedBallot,
    identity::{NodeId, Signature},
    ledger::Entry,
    limits::BUNDLE_BALLOTS_MAX,
    merkle::TreeRoot,
};

use super::enrolled::ballots_in;

/// Most bundles that are remembered; the next begin a new list.
const BUNDLES_MAX: usize = 1 << 16;

/// What was checked so far.
#[derive(Debug, Default)]
pub(super) struct Signatures {
    /// Bundles whose signature holds, as a ballot of each has shown.
    bundles: HashSet<Bundle>,
    pub(super) ballots: u64,
    pub(super) verified: u64,
}

impl Signatures {
    /// Checks the ballots in these entries; returns the positions of entries with a forged one.
    pub(super) fn check(&mut self, entries: &[(u64, Entry)]) -> Vec<u64> {
        let (mut first, mut rest): (Vec<Work<'_>>, Vec<Work<'_>>) = (Vec::new(), Vec::new());
        let mut begun = HashSet::new();
        for (position, entry) in entries {
            for ballot in ballots_in(&entry.record) {
                let is_company =
                    bundle_of(ballot).is_some_and(|b| self.bundles.contains(&b) || !begun.insert(b));
                let list = if is_company { &mut rest } else { &mut first };
                list.push((*position, ballot));
            }
        }
        self.ballots += (first.len() + rest.len()) as u64;
        self.verified += first.len() as u64;
        let forged = failing(&first, SignedBallot::is_authentic);
        for (place, (_, ballot)) in first.iter().enumerate() {
            if let Some(bundle) = bundle_of(ballot).filter(|_| forged.binary_search(&place).is_err()) {
                self.bundles.insert(bundle);
            }
        }
        // A signature that stands under many ballots is looked at once, if it holds; where it did not, it may be the first
        // ballot that is not of the bundle.
        let bundles = &self.bundles;
        let holds = |ballot: &SignedBallot| match bundle_of(ballot) {
            Some(bundle) if bundles.contains(&bundle) => is_inside(ballot),
            _ => ballot.is_authentic(),
        };
        let company = failing(&rest, holds);
        let mut positions: Vec<u64> = forged.iter().map(|place| first[*place].0).collect();
        positions.extend(company.into_iter().map(|place| rest[place].0));
        positions.sort_unstable();
        if self.bundles.len() >= BUNDLES_MAX {
            self.bundles.clear();
        }
        positions
    }
}

/// A ballot, and the position of its entry.
type Work<'a> = (u64, &'a SignedBallot);

/// Who signed a bundle, what, and how.
type Bundle = (NodeId, u64, [u8; 32], [u8; 64]);

fn bundle_of(ballot: &SignedBallot) -> Option<Bundle> {
    let TreeRoot { size, root } = ballot.bundle.as_ref()?.root;
    let Signature(signature) = ballot.signature;
    Some((ballot.ballot.worker, size, root.0, signature))
}

/// The places of those that do not hold, in their order; looked at on all processors.
fn failing(work: &[Work<'_>], holds: impl Fn(&SignedBallot) -> bool + Sync) -> Vec<usize> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = work.len().div_ceil(threads).max(1);
    let holds = &holds;
    thread::scope(|scope| {
        let shares: Vec<_> = work
            .chunks(share)
            .map(|share| {
                scope.spawn(move || share.iter().map(|(_, ballot)| holds(ballot)).collect::<Vec<_>>())
            })
            .collect();
        // A thread that panicked has checked nothing: all of its share counts as forged then.
        let held = shares.into_iter().zip(work.chunks(share));
        let held =
            held.flat_map(|(checked, part)| checked.join().unwrap_or_else(|_| vec![false; part.len()]));
        held.enumerate().filter(|(_, held)| !held).map(|(place, _)| place).collect()
    })
}

/// Whether a ballot stands in its bundle, whose signature holds.
fn is_inside(ballot: &SignedBallot) -> bool {
    ballot.bundle.as_ref().is_some_and(|bundled| {
        let digest = ballot.ballot.signing_digest();
        bundled.root.size <= BUNDLE_BALLOTS_MAX
            && bundled.root.check_inclusion(&digest.0, &bundled.path).is_ok()
    })
}
