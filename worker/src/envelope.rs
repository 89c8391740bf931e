//! Ballots in closed envelopes: what a worker keeps between its commitment to a ballot and the moment it may reveal it.

use std::collections::BTreeMap;

use protocol::{
    ballot::{Ballot, ReplicaId},
    bundle::Said,
    commitment::{Commitment, Salt},
};

/// A ballot that was committed to, with what opens it.
#[derive(Debug)]
struct Envelope {
    /// As they will be cast: one, or the two of a worker that equivocates as a drill.
    ballots: Vec<Said<Ballot>>,
    commitment: Commitment,
}

/// The envelopes that nobody has counted yet, by replica. They last as long as the process: a worker that starts anew
/// computes, and commits, anew.
#[derive(Debug, Default)]
pub struct Envelopes {
    closed: BTreeMap<ReplicaId, Envelope>,
    /// What was committed to first, for the drill that repeats it.
    first: Option<Commitment>,
}

impl Envelopes {
    /// Puts ballots into an envelope with a new salt; returns what is said of it. `replays`: a drill, which says of each
    /// what was said of the first.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn close(
        &mut self,
        replica: ReplicaId,
        mut ballots: Vec<Said<Ballot>>,
        replays: bool,
    ) -> Result<Option<Commitment>, getrandom::Error> {
        let Some(first_said) = ballots.first() else { return Ok(None) };
        let mut salt = Salt([0; 32]);
        getrandom::fill(&mut salt.0)?;
        let own = Commitment::to(&first_said.ballot, &salt);
        let first = *self.first.get_or_insert(own);
        let commitment = if replays { first } else { own };
        for said in &mut ballots {
            said.salt = Some(salt);
        }
        self.closed.insert(replica, Envelope { ballots, commitment });
        Ok(Some(commitment))
    }

    /// What is said when an envelope is opened; none where it is not here. It is kept until it is dropped.
    pub fn open(&self, replica: &ReplicaId) -> Option<&[Said<Ballot>]> {
        Some(&self.closed.get(replica)?.ballots)
    }

    /// Throws an envelope away: its ballot is counted, or nobody wants it any more.
    pub fn drop_one(&mut self, replica: &ReplicaId) {
        self.closed.remove(replica);
    }

    /// Keeps the envelopes whose ballots all stand.
    pub fn retain(&mut self, stands: impl Fn(&Said<Ballot>) -> bool) {
        self.closed.retain(|_, envelope| envelope.ballots.iter().all(&stands));
    }

    /// The replicas whose envelopes are here.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaId> {
        self.closed.keys().copied()
    }

    /// The commitments, to be said again on a new connection.
    pub fn commitments(&self) -> Vec<(ReplicaId, Commitment)> {
        self.closed.iter().map(|(replica, envelope)| (*replica, envelope.commitment)).collect()
    }
}

#[cfg(test)]
mod tests {
    use protocol::{
        constant::Formula,
        digest::Digest,
        domain::{Engine, FailureDomain},
        identity::SecretKey,
        job::JobId,
        task::TaskId,
    };

    use super::*;

    fn cast(number: u32) -> (ReplicaId, Vec<Said<Ballot>>) {
        let replica = ReplicaId { job: JobId([1; 16]), index: 0, task: TaskId(Digest([2; 32])), number };
        let key = SecretKey::from_seed(&[3; 32]);
        let domain = FailureDomain {
            operator: "o".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "d".to_owned(),
            build: "b".to_owned(),
        };
        let ballot = Ballot {
            replica,
            worker: key.node_id(),
            digest: Digest([4; 32]),
            domain,
            audit: None,
            trace: None,
        };
        (replica, vec![Said { ballot, salt: None, outcome: None, compute_us: 1 }])
    }

    #[test]
    fn an_envelope_opens_to_what_was_committed_to_until_it_is_dropped() {
        let mut envelopes = Envelopes::default();
        let (replica, ballots) = cast(0);
        let said = envelopes.close(replica, ballots, false).expect("random bytes").expect("a ballot");
        for _ in 0..2 {
            let opened = envelopes.open(&replica).expect("it is kept");
            let [Said { ballot, salt: Some(salt), .. }] = opened else { panic!("{opened:?}") };
            assert!(said.opens_to(ballot, salt));
        }
        assert_eq!(envelopes.commitments(), [(replica, said)]);
        envelopes.drop_one(&replica);
        assert_eq!(envelopes.open(&replica), None);
    }

    #[test]
    fn each_envelope_has_a_salt_of_its_own_and_only_the_drill_repeats_a_commitment() {
        let mut envelopes = Envelopes::default();
        let mut said = Vec::new();
        for (number, replays) in [(0, false), (0, false), (1, true)] {
            let (replica, ballots) = cast(number);
            said.push(envelopes.close(replica, ballots, replays).expect("random bytes").expect("a ballot"));
        }
        assert_ne!(said[0], said[1], "the same ballot twice");
        assert_eq!(said[0], said[2], "the drill");
    }
}
