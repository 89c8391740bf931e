//! The value of a job of digits is the outcome itself; its digest is taken as the digits come, however many they are.

use crate::digest::{Digest, Domain, Hasher};

/// Takes the digest of the outcome that holds digits, without holding them.
#[derive(Debug, Clone)]
pub struct DigitsHasher(Hasher);

impl DigitsHasher {
    /// For a value of so many bytes in all.
    #[must_use]
    pub fn new(value_bytes: u32) -> Self {
        let mut hasher = Hasher::new(Domain::Outcome);
        // An outcome of digits is a MessagePack map of one entry: the name of the kind, and the text.
        hasher.update(&[0x81, 0xa6]);
        hasher.update(b"Digits");
        match value_bytes.to_be_bytes() {
            [0, 0, 0, length @ 0..32] => hasher.update(&[0xa0 | length]),
            [0, 0, 0, length] => hasher.update(&[0xd9, length]),
            [0, 0, high, low] => hasher.update(&[0xda, high, low]),
            [highest, higher, high, low] => hasher.update(&[0xdb, highest, higher, high, low]),
        }
        Self(hasher)
    }

    /// Takes in more of the value.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of the outcome.
    #[must_use]
    pub fn finish(&self) -> Digest {
        self.0.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn digits_that_come_piece_by_piece_have_the_digest_of_their_outcome() {
        for length in [0_u32, 1, 31, 32, 255, 256, 65_535, 65_536, 100_000] {
            let text = "7".repeat(length as usize);
            let mut hasher = DigitsHasher::new(length);
            for piece in text.as_bytes().chunks(1000) {
                hasher.update(piece);
            }
            assert_eq!(
                hasher.finish(),
                Outcome::digest_of_bytes(&Outcome::Digits(text).to_bytes()),
                "{length}"
            );
        }
    }
}
