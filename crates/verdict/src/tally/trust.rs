//! Adaptive replication of one task: one worker answers, and a lot that is drawn afterwards says whether others check it.
//!
//! An answer that is not checked is *provisional*: nothing is decided, nobody is told, and no seat is vacant. It is confirmed
//! once a check of its worker has passed that was drawn after it, or checked itself when its worker was caught at something
//! else. Two different answers are a dispute, which one side wins by its lead, counted against all that may still come.

use std::collections::BTreeSet;

use protocol::{adaptive::Adaptive, domain::Engine, identity::NodeId};

use super::{Count, Tally};

/// How far the vote on a task is that one worker may answer alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was drawn yet.
    Fresh,
    /// Its answer stands alone, and is not confirmed.
    Provisional,
    /// Its answer stands alone, and is confirmed.
    Confirmed,
    /// So many others are to say the same.
    Checked(u32),
}

/// Whose answer it is, and what was drawn.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    rule: Adaptive,
    pub(crate) stage: Stage,
    pub(crate) author: Option<NodeId>,
    /// Counts the answers for which a lot was drawn, of all tasks: the number of this one.
    pub(crate) number: u64,
    /// A check that passes confirms what its author answered up to this number.
    pub(crate) covers: u64,
    /// The first replica that was leased after the first answer was in.
    checks_from: u32,
    /// Who was drawn to take a seat since then.
    invited: BTreeSet<NodeId>,
    /// Nobody is left to be drawn: whoever comes may take a seat.
    is_for_all: bool,
    /// When those who were drawn have had time to come, while they are waited for, in milliseconds.
    invited_until_ms: Option<u64>,
}

impl Trust {
    pub(super) fn new(rule: Adaptive) -> Self {
        Self {
            rule,
            stage: Stage::Fresh,
            author: None,
            number: 0,
            covers: 0,
            checks_from: 0,
            invited: BTreeSet::new(),
            is_for_all: false,
            invited_until_ms: None,
        }
    }

    pub(crate) fn rule(&self) -> Adaptive {
        self.rule
    }
}

impl Tally {
    pub(crate) fn trust(&self) -> Option<&Trust> {
        self.trust.as_deref()
    }

    pub(crate) fn trust_mut(&mut self) -> Option<&mut Trust> {
        self.trust.as_deref_mut()
    }

    /// Whose answer the task's credit goes to: of those who were counted before the verdict, who was leased it first.
    pub(crate) fn author(&self) -> Option<(NodeId, Engine)> {
        let timely = self.ballots.values().filter(|cast| !cast.late).map(|cast| cast.ballot.ballot());
        let first = timely.min_by_key(|said| said.replica.number)?;
        Some((first.worker, first.domain.engine))
    }

    /// So many agree: that is what the verdict took.
    pub(crate) fn settle_quorum(&mut self, digest: &protocol::digest::Digest) {
        if self.trust.is_some() {
            let agreeing = self.digests().into_iter().find(|(known, _)| known == digest);
            self.rules.quorum = agreeing.map_or(1, |(_, agreeing)| agreeing);
        }
    }

    /// The first answer is in: from here on those are asked who may check it.
    pub(crate) fn begin_checks(&mut self) {
        let next = self.rules.first_number.saturating_add(self.issued_count());
        if let Some(trust) = self.trust_mut() {
            trust.checks_from = next;
        }
    }

    /// Replicas below this number were leased before the first answer of the task was in. Whoever holds one could wait for
    /// the lie of a friend and second it: nobody has drawn it as a check.
    pub(super) fn checks_from(&self) -> u32 {
        self.trust().map_or(0, |trust| trust.checks_from)
    }

    /// Whether an answer to a replica from before the checks comes from somebody who has not answered: it is not counted.
    pub(crate) fn is_no_check(&self, worker: &NodeId, number: u32) -> bool {
        let has_answered = self.ballots.contains_key(worker) || self.equivocations.contains_key(worker);
        self.is_open() && !has_answered && number < self.checks_from()
    }

    /// Whether somebody has answered, and others are to be drawn.
    pub(crate) fn is_by_invitation(&self) -> bool {
        let is_asked_for = |trust: &Trust| trust.author.is_some() && !trust.is_for_all;
        self.is_open() && self.trust().is_some_and(is_asked_for)
    }

    /// Whether this worker may take a seat, as far as that is drawn by lot.
    pub(crate) fn is_invited(&self, worker: &NodeId) -> bool {
        !self.is_by_invitation() || self.trust().is_some_and(|trust| trust.invited.contains(worker))
    }

    /// Who was drawn.
    pub(crate) fn invited(&self) -> impl Iterator<Item = &NodeId> {
        self.trust().into_iter().flat_map(|trust| &trust.invited)
    }

    /// These were drawn; `is_for_all` says that there are no more.
    pub(crate) fn invite(&mut self, drawn: Vec<NodeId>, is_for_all: bool) {
        if let Some(trust) = self.trust_mut() {
            trust.invited.extend(drawn);
            trust.is_for_all |= is_for_all;
        }
    }

    /// Those who were drawn are waited for until then; false where they are already.
    pub(crate) fn await_invited(&mut self, until_ms: u64) -> bool {
        let trust = self.trust_mut().filter(|trust| trust.invited_until_ms.is_none());
        trust.is_some_and(|trust| trust.invited_until_ms.replace(until_ms).is_none())
    }

    /// They are waited for no longer; until when they would have been.
    pub(crate) fn invited_until(&mut self) -> Option<u64> {
        self.trust_mut()?.invited_until_ms.take()
    }

    /// Others are to check the answer, so many in all.
    pub(crate) fn check_by(&mut self, checkers: u32, covers: u64) {
        let Some(trust) = self.trust_mut() else { return };
        (trust.stage, trust.covers) = (Stage::Checked(checkers), covers);
        self.seats = self.seats.max(checkers.saturating_add(1));
    }

    pub(super) fn count_with_trust(&self, trust: &Trust) -> Count {
        let (cast, out) = (self.cast_count(), self.awaited_count());
        let seats = self.seats.max(cast + out);
        let remaining = seats - cast;
        let digests = self.digests();
        let Some((winner, top)) = digests.iter().copied().max_by_key(|(_, agreeing)| *agreeing) else {
            return Count::Open;
        };
        let others = cast - top;
        let is_there = trust.author.is_some_and(|author| self.ballots.contains_key(&author));
        let (has_won, missing) = match trust.stage {
            _ if others > 0 => {
                let lead = trust.rule.lead();
                let prospect = (top + remaining).saturating_sub(others);
                (top >= others + out + lead, lead.saturating_sub(prospect))
            }
            Stage::Confirmed if is_there => (true, 0),
            Stage::Provisional if is_there => return Count::Open,
            Stage::Checked(checkers) if is_there => {
                let needed = checkers.saturating_add(1);
                (top >= needed, needed.saturating_sub(top + remaining))
            }
            // Nothing was drawn for whoever has answered.
            _ => return Count::Draw,
        };
        match (has_won, missing) {
            (true, _) => Count::Won(winner),
            (false, 0) => Count::Open,
            (false, more) if seats + more <= self.rules.seats_max => Count::NeedsSeats(more),
            (false, _) => Count::Hopeless,
        }
    }
}
