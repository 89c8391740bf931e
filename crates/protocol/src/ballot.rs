//! A worker's signed word on one replica of one task.
//!
//! A ballot names the job, the task and the replica, so it cannot be replayed elsewhere, and the failure domain, so it
//! says what else might be wrong together with it. The signature is over the ballot's digest, in a domain of its own, or
//! over the root of a bundle of ballots: then the ballot brings its path to that root.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

use crate::{
    audit::Audited,
    codec,
    digest::{Digest, Domain},
    domain::FailureDomain,
    identity::{NodeId, SecretKey, Signature},
    job::JobId,
    limits::BUNDLE_BALLOTS_MAX,
    merkle::{AuditPath, MerkleTree, TreeRoot},
    task::TaskId,
};

/// Which execution of which task of which job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReplicaId {
    /// The job.
    pub job: JobId,
    /// The number of the task in the job's plan, from 0.
    pub index: u64,
    /// The task.
    pub task: TaskId,
    /// Counts the leases of this task in this job, from 0.
    pub number: u32,
}

impl Ord for ReplicaId {
    /// By job, task number and replica number. They are looked up all the time, mostly among those of one job, so what
    /// differs is looked at first; the task's id, which follows from job and number, is looked at last.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        if self.job != other.job {
            return self.job.cmp(&other.job);
        }
        let numbers = (self.index, self.number).cmp(&(other.index, other.number));
        numbers.then_with(|| self.task.cmp(&other.task))
    }
}

impl PartialOrd for ReplicaId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a worker says that a task yields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Ballot {
    /// The execution that it speaks of.
    pub replica: ReplicaId,
    /// Who speaks.
    pub worker: NodeId,
    /// The digest of the outcome.
    pub digest: Digest,
    /// What the answer depends on.
    pub domain: FailureDomain,
    /// What was tested, where nothing was computed. (Left out of the canonical bytes where there is neither this nor a
    /// trace.)
    #[serde(default)]
    pub audit: Option<Audited>,
    /// The commitment to the way on which the outcome was computed, where that can be asked for ([`crate::trace`]). (Left
    /// out of the canonical bytes where there is none. Boxed: few have one.)
    #[serde(default)]
    pub trace: Option<Box<Digest>>,
}

/// In canonical bytes fields are known by their places, so that one may be left out only if none follows.
impl Serialize for Ballot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { replica, worker, digest, domain, audit, trace } = self;
        let with_audit = audit.is_some() || trace.is_some();
        let fields = 4 + usize::from(with_audit) + usize::from(trace.is_some());
        let mut ballot = serializer.serialize_struct("Ballot", fields)?;
        ballot.serialize_field("replica", replica)?;
        ballot.serialize_field("worker", worker)?;
        ballot.serialize_field("digest", digest)?;
        ballot.serialize_field("domain", domain)?;
        if with_audit {
            ballot.serialize_field("audit", audit)?;
        }
        if trace.is_some() {
            ballot.serialize_field("trace", trace)?;
        }
        ballot.end()
    }
}

impl Ballot {
    /// Whether it is no audit, or an audit that found the outcome right.
    #[must_use]
    pub fn is_for_its_outcome(&self) -> bool {
        self.audit.is_none_or(|audited| audited.outcome == self.digest)
    }

    /// The digest that is signed.
    #[must_use]
    pub fn signing_digest(&self) -> Digest {
        Digest::of(Domain::Ballot, &codec::encode(self))
    }

    /// Signs with the worker's own key.
    #[must_use]
    pub fn sign(self, key: &SecretKey) -> SignedBallot {
        let signature = key.sign(&self.signing_digest());
        SignedBallot { ballot: self, bundle: None, signature }
    }

    /// Signs many ballots at once: one signature, over the root of the tree whose leaves are their digests. Each of them
    /// can be checked alone. A single ballot is signed as by [`Ballot::sign`].
    #[must_use]
    pub fn sign_bundle(ballots: Vec<Self>, key: &SecretKey) -> Vec<SignedBallot> {
        let signature = sign_together(&ballots, key);
        with_paths(ballots, signature).0
    }
}

/// One signature for many ballots, of the key's own worker: over the digest of a single one, else over the root.
pub(crate) fn sign_together<'a>(ballots: impl IntoIterator<Item = &'a Ballot>, key: &SecretKey) -> Signature {
    let mut digests = ballots.into_iter().map(Ballot::signing_digest);
    match (digests.next(), digests.next()) {
        (Some(only), None) => key.sign(&only),
        (first, second) => {
            let all = first.into_iter().chain(second).chain(digests);
            let tree = MerkleTree::new(all.map(|digest| digest.0.to_vec()));
            key.sign(&bundle_digest(&tree.root()))
        }
    }
}

/// Checks the signature that stands under many ballots of one worker, once, and gives each its own way to it.
///
/// # Errors
/// [`Forged`] when the worker has not signed these ballots together, in this order.
pub(crate) fn authenticate_together(
    ballots: Vec<Ballot>,
    worker: NodeId,
    signature: Signature,
) -> Result<Vec<AuthenticBallot>, Forged> {
    let (signed, digest) = with_paths(ballots, signature);
    let is_authentic = digest.is_some_and(|digest| worker.has_signed(&digest, &signature));
    let all_its_own = signed.iter().all(|signed| signed.ballot.worker == worker);
    if is_authentic && all_its_own {
        Ok(signed.into_iter().map(AuthenticBallot).collect())
    } else {
        Err(Forged { worker })
    }
}

/// The ballots of one signature, each with its path, and the digest that is signed; none for no ballots or too many.
fn with_paths(mut ballots: Vec<Ballot>, signature: Signature) -> (Vec<SignedBallot>, Option<Digest>) {
    if ballots.len() < 2 {
        let Some(ballot) = ballots.pop() else { return (Vec::new(), None) };
        let digest = ballot.signing_digest();
        return (vec![SignedBallot { ballot, bundle: None, signature }], Some(digest));
    }
    let tree = MerkleTree::new(ballots.iter().map(|ballot| ballot.signing_digest().0.to_vec()));
    let root = tree.root();
    let in_bundle = |(position, ballot): (u64, Ballot)| {
        let path = tree.path(position)?;
        Some(SignedBallot { ballot, bundle: Some(Box::new(Bundled { root, path })), signature })
    };
    let signed = (0..).zip(ballots).filter_map(in_bundle).collect();
    (signed, (root.size <= BUNDLE_BALLOTS_MAX).then(|| bundle_digest(&root)))
}

/// What is signed for a whole bundle: the root over the ballots' digests, and how many they are.
fn bundle_digest(root: &TreeRoot) -> Digest {
    Digest::of(Domain::Bundle, &codec::encode(root))
}

/// The place of a ballot in the bundle with which it was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundled {
    /// The root over the digests of the bundle's ballots.
    pub root: TreeRoot,
    /// The way from this ballot's digest to the root.
    pub path: AuditPath,
}

/// A ballot and its signature, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBallot {
    /// What is said.
    pub ballot: Ballot,
    /// Where it stands among the ballots that were signed with it; none where it was signed alone.
    pub bundle: Option<Box<Bundled>>,
    /// By the worker that the ballot names: over the ballot's digest, or over the bundle's root.
    pub signature: Signature,
}

impl SignedBallot {
    /// The digest under which the signature stands: the ballot's own, or that of its bundle; none where the ballot is not
    /// in the bundle.
    #[must_use]
    pub fn signed_digest(&self) -> Option<Digest> {
        let digest = self.ballot.signing_digest();
        let Some(bundled) = &self.bundle else { return Some(digest) };
        let Bundled { root, path } = bundled.as_ref();
        let is_inside = root.size <= BUNDLE_BALLOTS_MAX && root.check_inclusion(&digest.0, path).is_ok();
        is_inside.then(|| bundle_digest(root))
    }

    /// Whether the worker that the ballot names has signed it.
    #[must_use]
    pub fn is_authentic(&self) -> bool {
        self.signed_digest().is_some_and(|digest| self.ballot.worker.has_signed(&digest, &self.signature))
    }

    /// Checks the signature once and for all.
    ///
    /// # Errors
    /// [`Forged`] when the worker that the ballot names has not signed it.
    pub fn authenticate(self) -> Result<AuthenticBallot, Forged> {
        if self.is_authentic() {
            Ok(AuthenticBallot(self))
        } else {
            Err(Forged { worker: self.ballot.worker })
        }
    }
}

/// A ballot whose signature was checked: the only kind that a tally takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticBallot(SignedBallot);

impl AuthenticBallot {
    /// Takes the caller's word for it that the worker which the ballot names has said it: for the replay of a ledger, whose
    /// hashes vouch for what was checked before it was written, and for the simulator, which knows who speaks in its
    /// network and could not afford a million signatures. A test of the house sees to it that nobody else calls this.
    #[must_use]
    pub fn assume_authentic(signed: SignedBallot) -> Self {
        Self(signed)
    }

    /// What is said.
    #[must_use]
    pub fn ballot(&self) -> &Ballot {
        &self.0.ballot
    }

    /// The ballot with its signature, for certificates and reports.
    #[must_use]
    pub fn signed(&self) -> &SignedBallot {
        &self.0
    }
}

/// A ballot does not carry the signature of the worker that it names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ballot of worker {} does not carry its signature", worker.short())]
pub struct Forged {
    /// Whom the ballot names.
    pub worker: NodeId,
}
