//! Good inputs, made by our own encoders: what the mutations begin with.

pub mod decided;
pub mod messages;
pub mod texts;

use protocol::identity::SecretKey;

/// The key of the coordinator in every seed; a liar that holds it signs what it likes.
#[must_use]
pub fn coordinator() -> SecretKey {
    SecretKey::from_seed(&[100; 32])
}

/// The key of a worker.
#[must_use]
pub fn worker(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}
