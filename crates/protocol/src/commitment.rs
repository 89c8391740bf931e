//! Commitments: a ballot in a closed envelope.
//!
//! Where a policy is sealed, a worker first hands in a digest of a secret salt and its ballot, and opens it when the
//! others have handed in theirs: whoever wants to repeat another's answer has nothing to repeat. The ballot names
//! worker, job, task and replica, so a commitment that was copied, or used before, opens to nothing of its holder's.

use serde::{Deserialize, Serialize};

use crate::{
    ballot::Ballot,
    codec,
    digest::{Digest, Domain, Hasher},
};

/// What makes a commitment unguessable: 32 random bytes, new for each ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(#[serde(with = "crate::hexadecimal")] pub [u8; 32]);

/// A digest of a salt and a ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Commitment(pub Digest);

impl Commitment {
    /// The commitment to `ballot` under `salt`.
    #[must_use]
    pub fn to(ballot: &Ballot, salt: &Salt) -> Self {
        let mut hasher = Hasher::new(Domain::Commitment);
        hasher.update(&salt.0);
        hasher.update(&codec::encode(ballot));
        Self(hasher.finish())
    }

    /// Whether it opens to `ballot` under `salt`.
    #[must_use]
    pub fn opens_to(&self, ballot: &Ballot, salt: &Salt) -> bool {
        Self::to(ballot, salt) == *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ballot::ReplicaId,
        constant::Formula,
        domain::{Engine, FailureDomain},
        identity::SecretKey,
        job::JobId,
        task::TaskId,
    };

    fn ballot() -> Ballot {
        let replica = ReplicaId { job: JobId([1; 16]), index: 2, task: TaskId(Digest([3; 32])), number: 4 };
        let domain = FailureDomain {
            operator: "alice".to_owned(),
            engine: Engine::Cpu,
            formula: Formula::Direct,
            device: "a CPU".to_owned(),
            build: "1".to_owned(),
        };
        Ballot {
            replica,
            worker: SecretKey::from_seed(&[5; 32]).node_id(),
            digest: Digest([6; 32]),
            domain,
            audit: None,
            trace: None,
        }
    }

    #[test]
    fn a_commitment_opens_only_to_its_own_ballot_and_salt() {
        let (mine, salt) = (ballot(), Salt([7; 32]));
        let commitment = Commitment::to(&mine, &salt);
        assert!(commitment.opens_to(&mine, &salt));
        assert!(!commitment.opens_to(&mine, &Salt([8; 32])));
        let replica = mine.replica;
        let others = [
            Ballot { worker: SecretKey::from_seed(&[9; 32]).node_id(), ..mine.clone() },
            Ballot { digest: Digest([9; 32]), ..mine.clone() },
            Ballot { replica: ReplicaId { job: JobId([9; 16]), ..replica }, ..mine.clone() },
            Ballot { replica: ReplicaId { index: 9, ..replica }, ..mine.clone() },
            Ballot { replica: ReplicaId { number: 9, ..replica }, ..mine.clone() },
        ];
        assert!(others.iter().all(|other| !commitment.opens_to(other, &salt)));
    }
}
