//! Who speaks: a node is its Ed25519 key, and a statement counts when that key signed it.
//!
//! Keys are made from 32 random bytes that the caller brings (this crate has no randomness of its own).

use std::{cmp::Ordering, fmt};

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, compare_bytes};

/// The points whose order divides 8, the curve's cofactor, in their canonical encodings. A signature with one of them
/// says little of who signed what.
const SMALL_ORDER_POINTS: [[u8; 32]; 8] = [
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,
    ],
    [
        0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x85,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0xfa,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
];

/// A node's public key, which is its name in every record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NodeId(#[serde(with = "crate::hexadecimal")] pub [u8; 32]);

impl NodeId {
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

    /// Whether the bytes are a public key that only its owner can sign for: a point of the curve, of large order.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| !key.is_weak())
    }

    /// Whether `signature` is this node's over `digest` (strict RFC 8032: no points of small order, canonical encodings).
    #[must_use]
    pub fn has_signed(&self, digest: &Digest, signature: &Signature) -> bool {
        // As `verify_strict`, in four fifths of its time: the signature's point need not be decompressed to tell its order,
        // because it is compared with the canonical encoding of the one that it must be.
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            !key.is_weak()
                && !SMALL_ORDER_POINTS.contains(signature.r_bytes())
                && key.verify(&digest.0, &signature).is_ok()
        })
    }
}

impl Ord for NodeId {
    /// As the bytes are ordered.
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        compare_bytes(&self.0, &other.0)
    }
}

impl PartialOrd for NodeId {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

/// An Ed25519 signature over a [`Digest`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature(#[serde(with = "crate::hexadecimal")] pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({}…)", HEXLOWER.encode(&self.0[..4]))
    }
}

/// A node's secret key. It never travels and is wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// The key made from 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32 bytes that the key was made from, for its file and for TLS.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// Signs a digest.
    #[must_use]
    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.0.sign(&digest.0).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.node_id())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A key with a part of small order, whose owner signs with points of small order: digests of 32 equal bytes, and the
    /// signatures, one with each such point. RFC 8032's equation holds for them.
    const MIXED_KEY: &str = "1f4f580e73ac208f06760190e9edc6f5916775dabd9c1cdca393175c2d6d1083";
    const SMALL_ORDER_SIGNATURES: [(u8, &str); 8] = [
        (
            0,
            "00000000000000000000000000000000000000000000000000000000000000008c2a50415aaa6d50a3df74de0a304818c1b9653b256aaf6b33e423e3d131ad06",
        ),
        (
            0,
            "0000000000000000000000000000000000000000000000000000000000000080dbe124babfa9d8332e5cb73d9b30f640549d28f57485637609cbcc48b792ed01",
        ),
        (
            2,
            "0100000000000000000000000000000000000000000000000000000000000000661d5309a90f4a277ee136093628d338f66163105a14b451f56de7bbb8690d0c",
        ),
        (
            12,
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05ccddc214c531cd8f48995b5f3ad2e86177e5d121d84cef1b52a71c47695cae0d",
        ),
        (
            18,
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc859488d802af7f208dbeabdc4bde0691035cdeb5365c011836249f6e601e5a3809",
        ),
        (
            9,
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a9f8163b135c082c6fe98b57d64dc75e230f1f1d3f26a828b0e3cb4235e87ef07",
        ),
        (
            2,
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fab707a62df16cbcf3e945d9490b97c9774265d9dab4ff73887c27f711964f3706",
        ),
        (
            0,
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fec3a5c86d859bb98c6803ecabc8efc59f5cf212cfddfe080886bcd5a25468906",
        ),
    ];

    fn strict(node: &NodeId, digest: &Digest, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&node.0).is_ok_and(|key| key.verify_strict(&digest.0, &signature).is_ok())
    }

    #[test]
    fn the_points_of_small_order_are_all_that_the_library_knows() {
        for point in SMALL_ORDER_POINTS {
            assert!(VerifyingKey::from_bytes(&point).expect("a point of the curve").is_weak());
            assert!(!NodeId(point).is_sound());
        }
        let distinct: std::collections::BTreeSet<_> = SMALL_ORDER_POINTS.into_iter().collect();
        assert_eq!(distinct.len(), 8, "as many as there are");
    }

    #[test]
    fn a_signature_with_a_point_of_small_order_counts_for_nothing_though_its_equation_holds() {
        let node = NodeId::from_hex(MIXED_KEY).expect("a key");
        for (byte, text) in SMALL_ORDER_SIGNATURES {
            let bytes = HEXLOWER.decode(text.as_bytes()).expect("hexadecimal");
            let signature = Signature(bytes.try_into().expect("64 bytes"));
            let digest = Digest([byte; 32]);
            let key = VerifyingKey::from_bytes(&node.0).expect("a point");
            let plain = ed25519_dalek::Signature::from_bytes(&signature.0);
            assert!(key.verify(&digest.0, &plain).is_ok(), "the equation holds: {text}");
            assert!(!node.has_signed(&digest, &signature), "{text}");
        }
    }

    #[test]
    fn a_weak_key_has_signed_nothing() {
        // With the key (0, 1) the zero signature holds for every digest.
        let mut point = [0; 32];
        point[0] = 1;
        let mut zero = [0; 64];
        zero[0] = 1;
        for byte in 0..4 {
            assert!(!NodeId(point).has_signed(&Digest([byte; 32]), &Signature(zero)));
        }
    }

    proptest! {
        #[test]
        fn what_counts_as_signed_is_what_the_library_calls_strictly_so(
            seed: [u8; 32],
            digest: [u8; 32],
            flips in proptest::collection::vec(0_usize..64 * 8, 0..3),
            small in proptest::option::of(0_usize..8),
        ) {
            let key = SecretKey::from_seed(&seed);
            let digest = Digest(digest);
            let mut signature = key.sign(&digest);
            prop_assert!(key.node_id().has_signed(&digest, &signature));
            for flip in flips {
                signature.0[flip / 8] ^= 1 << (flip % 8);
            }
            if let Some(small) = small {
                signature.0[..32].copy_from_slice(&SMALL_ORDER_POINTS[small]);
            }
            let node = key.node_id();
            prop_assert_eq!(node.has_signed(&digest, &signature), strict(&node, &digest, &signature));
        }
    }
}
