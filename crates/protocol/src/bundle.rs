//! Many ballots as they travel: one signature for all of them, and each failure domain once.
//!
//! The signature is over the root of the tree whose leaves are the ballots' digests, so whoever opens the bundle checks it
//! once and can hand on each ballot with its own path. A single ballot is signed for itself. Neither a root nor a path
//! travels: both follow from the ballots.

use serde::{Deserialize, Serialize};

use crate::{
    audit::Audited,
    ballot::{AuthenticBallot, Ballot, Forged, ReplicaId, authenticate_together, sign_together},
    commitment::Salt,
    digest::Digest,
    domain::FailureDomain,
    identity::{NodeId, SecretKey, Signature},
    limits::NAME_BYTES_MAX,
};

/// A ballot with what comes along: `B` is a [`Ballot`] where it is said, and an [`AuthenticBallot`] where it is heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said<B> {
    /// The ballot.
    pub ballot: B,
    /// What opens the commitment to it, on a sealed task.
    pub salt: Option<Salt>,
    /// The outcome's canonical bytes if at most [`crate::limits::INLINE_OUTCOME_BYTES_MAX`].
    pub outcome: Option<Vec<u8>>,
    /// How long the computation took, in microseconds.
    pub compute_us: u64,
}

/// Ballots of one worker under one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BallotBundle {
    domains: Vec<FailureDomain>,
    ballots: Vec<Packed>,
    signature: Signature,
}

/// A ballot without what all of a bundle have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Packed {
    replica: ReplicaId,
    digest: Digest,
    /// Which of the bundle's domains.
    domain: u32,
    salt: Option<Salt>,
    #[serde(with = "serde_bytes")]
    outcome: Option<Vec<u8>>,
    compute_us: u64,
    audit: Option<Audited>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Box<Digest>>,
}

/// Why a bundle says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// There is no ballot in it.
    #[error("the bundle has no ballot")]
    Empty,
    /// There are more failure domains than ballots.
    #[error("the bundle has {domains} failure domains for {ballots} ballots")]
    Domains {
        /// How many domains.
        domains: usize,
        /// How many ballots.
        ballots: usize,
    },
    /// A name in a failure domain is too long: each ballot would get a copy of it.
    #[error(
        "a name in its ballot is too long: it has {length_bytes} bytes, and the limit is {NAME_BYTES_MAX}"
    )]
    LongName {
        /// In bytes.
        length_bytes: usize,
    },
    /// A ballot names a domain that is not there.
    #[error("a ballot in the bundle names failure domain {domain} of {domains}")]
    NoDomain {
        /// Which.
        domain: u32,
        /// How many there are.
        domains: usize,
    },
    /// The signature is not the worker's.
    #[error(transparent)]
    Forged(#[from] Forged),
}

impl BallotBundle {
    /// Signs ballots of the key's own worker.
    #[must_use]
    pub fn sign(said: Vec<Said<Ballot>>, key: &SecretKey) -> Self {
        let signature = sign_together(said.iter().map(|said| &said.ballot), key);
        let mut domains: Vec<FailureDomain> = Vec::new();
        let pack = |said: Said<Ballot>| {
            let Said { ballot, salt, outcome, compute_us } = said;
            let Ballot { replica, digest, domain, audit, trace, .. } = ballot;
            // Almost always the last one.
            let place = domains.iter().rposition(|known| *known == domain).unwrap_or_else(|| {
                domains.push(domain);
                domains.len() - 1
            });
            let domain = u32::try_from(place).unwrap_or(u32::MAX);
            Packed { replica, digest, domain, salt, outcome, compute_us, audit, trace }
        };
        let ballots = said.into_iter().map(pack).collect();
        Self { domains, ballots, signature }
    }

    /// How many ballots it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ballots.len()
    }

    /// Whether it has none; such a bundle cannot be opened.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ballots.is_empty()
    }

    /// The ballots, as `worker` has signed them, in their order.
    ///
    /// # Errors
    /// [`BundleError`] when they do not fit together, or the worker has not signed them.
    pub fn open(self, worker: NodeId) -> Result<Vec<Said<AuthenticBallot>>, BundleError> {
        let Self { domains, ballots, signature } = self;
        if ballots.is_empty() {
            return Err(BundleError::Empty);
        }
        if domains.len() > ballots.len() {
            return Err(BundleError::Domains { domains: domains.len(), ballots: ballots.len() });
        }
        let names = domains.iter().flat_map(|domain| [&domain.operator, &domain.device, &domain.build]);
        if let Some(long) = names.map(String::len).find(|length_bytes| *length_bytes > NAME_BYTES_MAX) {
            return Err(BundleError::LongName { length_bytes: long });
        }
        let mut unpacked = Vec::with_capacity(ballots.len());
        let mut rest = Vec::with_capacity(ballots.len());
        for Packed { replica, digest, domain, salt, outcome, compute_us, audit, trace } in ballots {
            let known = domains.get(domain as usize);
            let domain = known.ok_or(BundleError::NoDomain { domain, domains: domains.len() })?.clone();
            unpacked.push(Ballot { replica, worker, digest, domain, audit, trace });
            rest.push((salt, outcome, compute_us));
        }
        let authentic = authenticate_together(unpacked, worker, signature)?;
        let said = authentic.into_iter().zip(rest);
        let said =
            said.map(|(ballot, (salt, outcome, compute_us))| Said { ballot, salt, outcome, compute_us });
        Ok(said.collect())
    }

    /// The failure domains that its ballots name.
    #[must_use]
    pub fn domains(&self) -> &[FailureDomain] {
        &self.domains
    }
}
