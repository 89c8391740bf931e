//! Digests: BLAKE3, separated by domain so that the bytes of one kind of thing never pass for another kind.

use std::{cmp::Ordering, fmt, sync::LazyLock};

use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// What a digest is taken of. Each domain is a BLAKE3 key-derivation context of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Domain {
    /// The canonical encoding of a task.
    Task,
    /// The canonical bytes of an outcome.
    Outcome,
    /// The canonical encoding of a ballot, which is what a worker signs.
    Ballot,
    /// The root over a bundle of ballots, which is what a worker signs in their place.
    Bundle,
    /// The head of a ledger, which is what a coordinator signs.
    LedgerHead,
    /// A job's certificate, which is what a coordinator signs.
    JobCertificate,
    /// A job as it was submitted.
    Job,
    /// The encoding of a certificate.
    Certificate,
    /// A file with expressions, as it was submitted.
    ExpressionFile,
    /// The values behind an answer.
    Values,
    /// The secret in a join token.
    Token,
    /// What primes are drawn from.
    Primes,
    /// A salt and the canonical encoding of a ballot.
    Commitment,
    /// The outcome that an audit rejects, and whose it is.
    Rejection,
    /// What a long computation has finished so far, kept for the case that it is interrupted.
    Checkpoint,
    /// A part of the way on which a series was summed.
    Trace,
}

/// The key that BLAKE3 makes of each context: half the work of the digest of a few bytes, done once.
static CONTEXT_KEYS: LazyLock<[ContextKey; Domain::ALL.len()]> =
    LazyLock::new(|| Domain::ALL.map(|domain| hash_derive_key_context(domain.context())));

impl Domain {
    /// Every domain, in the order of their declaration.
    const ALL: [Self; 16] = [
        Self::Task,
        Self::Outcome,
        Self::Ballot,
        Self::Bundle,
        Self::LedgerHead,
        Self::JobCertificate,
        Self::Job,
        Self::Certificate,
        Self::ExpressionFile,
        Self::Values,
        Self::Token,
        Self::Primes,
        Self::Commitment,
        Self::Rejection,
        Self::Checkpoint,
        Self::Trace,
    ];

    const fn context(self) -> &'static str {
        match self {
            Self::Task => "quorate 2026 task",
            Self::Outcome => "quorate 2026 outcome",
            Self::Ballot => "quorate 2026 ballot",
            Self::Bundle => "quorate 2026 bundle",
            Self::LedgerHead => "quorate 2026 ledger head",
            Self::JobCertificate => "quorate 2026 job certificate",
            Self::Job => "quorate 2026 job",
            Self::Certificate => "quorate 2026 certificate",
            Self::ExpressionFile => "quorate 2026 expression file",
            Self::Values => "quorate 2026 values",
            Self::Token => "quorate 2026 token",
            Self::Primes => "quorate 2026 primes",
            Self::Commitment => "quorate 2026 commitment",
            Self::Rejection => "quorate 2026 rejection",
            Self::Checkpoint => "quorate 2026 checkpoint",
            Self::Trace => "quorate 2026 trace",
        }
    }
}

/// A 32-byte BLAKE3 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(#[serde(with = "crate::hexadecimal")] pub [u8; 32]);

impl Digest {
    /// The digest of `bytes` in `domain`.
    #[must_use]
    pub fn of(domain: Domain, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(domain);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The first eight hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.0[..4])
    }

    /// Reads 64 lowercase hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl Ord for Digest {
    /// As the bytes are ordered.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        compare_bytes(&self.0, &other.0)
    }
}

impl PartialOrd for Digest {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of the bytes of two names. Names are looked up all the time, and mostly differ in their first eight bytes.
#[inline]
pub(crate) fn compare_bytes<const N: usize>(left: &[u8; N], right: &[u8; N]) -> Ordering {
    match (left.split_first_chunk(), right.split_first_chunk()) {
        (Some((left_first, left_rest)), Some((right_first, right_rest))) => {
            let (left, right) = (u64::from_be_bytes(*left_first), u64::from_be_bytes(*right_first));
            if left == right { left_rest.cmp(right_rest) } else { left.cmp(&right) }
        }
        _ => left.cmp(right),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", self.short())
    }
}

/// A digest taken of bytes as they arrive.
#[derive(Debug, Clone)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// A hasher for `domain`.
    #[must_use]
    pub fn new(domain: Domain) -> Self {
        Self(blake3::Hasher::new_from_context_key(&CONTEXT_KEYS[domain as usize]))
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything taken in.
    #[must_use]
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_have_different_digests_in_different_domains() {
        assert_ne!(Digest::of(Domain::Task, b"x"), Digest::of(Domain::Outcome, b"x"));
    }

    #[test]
    fn each_domain_is_a_key_derivation_of_its_own_context() {
        for domain in Domain::ALL {
            let expected = blake3::derive_key(domain.context(), b"x");
            assert_eq!(Digest::of(domain, b"x"), Digest(expected), "{domain:?}");
        }
    }

    #[test]
    fn digests_are_ordered_as_their_bytes_are_wherever_they_differ() {
        for place in 0..32 {
            for (low, high) in [(0, 1), (1, 255), (127, 128)] {
                let with = |byte: u8| {
                    let mut bytes = [7; 32];
                    bytes[place] = byte;
                    // What comes after the first difference does not matter.
                    bytes[place + 1..].fill(255 - byte);
                    Digest(bytes)
                };
                assert!(with(low) < with(high) && with(high) > with(low), "{place}");
                assert_eq!(with(low).cmp(&with(low)), Ordering::Equal);
                assert_eq!(with(low).cmp(&with(high)), with(low).0.cmp(&with(high).0));
            }
        }
    }

    #[test]
    fn a_digest_survives_its_own_hexadecimal_text() {
        let digest = Digest::of(Domain::Task, b"x");
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex("zz"), None);
    }
}
