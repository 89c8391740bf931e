//! The count: does a digest win, can one still, and how many more ballots would it take?

use std::collections::BTreeSet;

use protocol::{digest::Digest, domain::Axis, identity::NodeId, message::AuditOrder};

use super::{Cast, Issued, Tally};

/// What a count says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Ballots that are out, or seats not yet leased, may decide it.
    Open,
    /// This digest has won.
    Won(Digest),
    /// So many more seats are needed before any digest can win.
    NeedsSeats(u32),
    /// No digest can win within the bound.
    Hopeless,
    /// This outcome could win, and is to be audited.
    Try(AuditOrder),
    /// The auditors do not agree: one more is needed.
    NeedsAudit,
    /// The auditors of this prover will not agree.
    GiveUp(NodeId),
    /// One worker has answered, and it is to be drawn whether others check that.
    Draw,
}

impl Tally {
    /// The ballots for one digest.
    fn ballots_for(&self, digest: &Digest) -> impl Iterator<Item = &Cast> {
        self.ballots.values().filter(move |cast| cast.ballot.ballot().digest == *digest)
    }

    /// How many ballots each digest has, in the order of the digests. Mostly there is one, and seldom more than two.
    pub(super) fn digests(&self) -> Vec<(Digest, u32)> {
        let mut digests: Vec<(Digest, u32)> = Vec::new();
        for cast in self.ballots.values() {
            let digest = cast.ballot.ballot().digest;
            match digests.iter_mut().find(|(known, _)| *known == digest) {
                Some((_, agreeing)) => *agreeing += 1,
                None => digests.push((digest, 1)),
            }
        }
        digests.sort_unstable();
        digests
    }

    /// Counts: does a digest win, can one still, and with how many more seats?
    #[must_use]
    pub fn count(&self) -> Count {
        if let Some(trust) = &self.trust {
            return self.count_with_trust(trust);
        }
        match (&self.trials, self.hearing()) {
            (Some(trials), Some(hearing)) => self.count_with_audits(trials, &hearing),
            _ => self.count_computed(),
        }
    }

    /// Counts the ballots of those who computed.
    pub(super) fn count_computed(&self) -> Count {
        let cast = self.cast_count();
        let outstanding = self.outstanding_count();
        let seats = self.seats.max(cast + outstanding);
        let remaining = seats - cast;
        let vacant = seats - cast - outstanding;
        let mut fewest_more = None;
        for (digest, agreeing) in self.digests() {
            if agreeing >= self.rules.quorum
                && 2 * agreeing > seats
                && self.missing_spread(&digest, false) == 0
            {
                return Count::Won(digest);
            }
            let prospect = agreeing + remaining;
            let for_quorum = self.rules.quorum.saturating_sub(prospect);
            let for_majority = (seats + 1).saturating_sub(2 * prospect);
            let for_spread = self.missing_spread(&digest, true).saturating_sub(vacant);
            let more = for_quorum.max(for_majority).max(for_spread);
            fewest_more = Some(fewest_more.map_or(more, |fewest: u32| fewest.min(more)));
        }
        match fewest_more {
            None | Some(0) => Count::Open,
            Some(more) if seats + more <= self.rules.seats_max => Count::NeedsSeats(more),
            Some(_) => Count::Hopeless,
        }
    }

    /// How many values are missing on the axis that misses most, among its ballots (and, as a prospect, the leases
    /// that are out).
    fn missing_spread(&self, digest: &Digest, with_leases: bool) -> u32 {
        let missing = |(axis, needed): &(Axis, u32)| {
            let mut values: BTreeSet<String> =
                self.ballots_for(digest).map(|cast| axis.value_in(&cast.ballot.ballot().domain)).collect();
            if with_leases {
                values.extend(self.outstanding().map(|(_, issued)| issued.value_on(*axis)));
            }
            needed.saturating_sub(u32::try_from(values.len()).unwrap_or(u32::MAX))
        };
        self.rules.spread.iter().map(missing).max().unwrap_or(0)
    }

    /// The ballots of the strongest digest.
    fn strongest(&self) -> Vec<&Cast> {
        let strongest = self.digests().into_iter().max_by_key(|(_, agreeing)| *agreeing);
        strongest.map(|(digest, _)| self.ballots_for(&digest).collect()).unwrap_or_default()
    }

    /// On which axis the strongest digest fails although it has the quorum: the values that its ballots show there, and
    /// how many are asked for.
    pub(crate) fn too_much_alike(&self) -> Option<(Axis, Vec<String>, u32)> {
        let strongest = self.strongest();
        if u32::try_from(strongest.len()).is_ok_and(|agreeing| agreeing < self.rules.quorum) {
            return None;
        }
        self.rules.spread.iter().find_map(|(axis, needed)| {
            let values: BTreeSet<String> =
                strongest.iter().map(|cast| axis.value_in(&cast.ballot.ballot().domain)).collect();
            let too_few = u32::try_from(values.len()).is_ok_and(|shown| shown < *needed);
            too_few.then(|| (*axis, values.into_iter().collect(), *needed))
        })
    }

    /// The values that the strongest digest's ballots and the leases that are out show on an axis: what a further
    /// replica should add to.
    pub(crate) fn values_on(&self, axis: Axis) -> Vec<String> {
        let strongest = self.strongest();
        let cast = strongest.into_iter().map(|cast| axis.value_in(&cast.ballot.ballot().domain));
        cast.chain(self.outstanding().map(|(_, issued)| issued.value_on(axis))).collect()
    }

    /// Whether anyone, voter or lessee, shows this value on this axis.
    pub(crate) fn anyone_on(&self, axis: Axis, value: &str) -> bool {
        self.ballots.values().any(|cast| axis.value_in(&cast.ballot.ballot().domain) == value)
            || self.outstanding().any(|(_, issued)| match axis {
                Axis::Operator => *issued.operator == *value,
                Axis::Device => *issued.device == *value,
                Axis::Engine | Axis::Formula => issued.value_on(axis) == value,
            })
    }
}

impl Issued {
    /// What this replica shows on an axis.
    pub(crate) fn value_on(&self, axis: Axis) -> String {
        match axis {
            Axis::Operator => self.operator.to_string(),
            Axis::Engine => self.engine.to_string(),
            Axis::Formula => self.formula.to_string(),
            Axis::Device => self.device.to_string(),
        }
    }
}
