//! Join tokens: one line that tells a worker or a client where the coordinator is, which key it must show, and proves
//! that the coordinator let it in.
//!
//! The secret is a keyed BLAKE3 of the token's other fields under the coordinator's own secret, so the coordinator
//! keeps no list: it recognises what it issued. The text is `quorate1.` and base32 without padding, lowercase.

use std::net::SocketAddr;

use data_encoding::{Encoding, Specification};
use serde::{Deserialize, Serialize};

use crate::{
    codec,
    digest::{Digest, Domain, Hasher},
    identity::{NodeId, SecretKey},
    limits::{NAME_BYTES_MAX, TOKEN_CHARS_MAX},
};

const PREFIX: &str = "quorate1.";

/// What a token lets its bearer be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Compute tasks and cast ballots.
    Worker,
    /// Submit jobs and read results.
    Client,
}

/// What the coordinator promises to the bearer of a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// What the bearer may be.
    pub role: Role,
    /// Who runs the bearer.
    pub operator: String,
    /// Until when it may be used to join, in seconds since the Unix epoch.
    pub expires_unix_s: u64,
}

/// A join token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Where the coordinator listens: `host:port`, a name or an address.
    pub address: String,
    /// The key that it must show.
    pub coordinator: NodeId,
    /// What it granted.
    pub grant: Grant,
    /// The proof that it did.
    pub secret: Digest,
}

/// Why a text is no usable token.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TokenError {
    /// Not a token of this version at all.
    #[error("this is not a join token: it must start with `{PREFIX}`; print one with `coordinator token`")]
    Prefix,
    /// Too long.
    #[error(
        "a join token has at most {TOKEN_CHARS_MAX} characters and this one has {0}; was it pasted twice?"
    )]
    TooLong(usize),
    /// Characters are missing or wrong.
    #[error("the join token is damaged ({0}); copy the whole line that `coordinator token` printed")]
    Damaged(String),
    /// The coordinator did not issue it.
    #[error("the join token was not issued by this coordinator; ask its operator for a new one")]
    Foreign,
    /// It is for the other role.
    #[error("the join token is for a {0}; ask for one for this role")]
    Role(&'static str),
    /// Too late.
    #[error("the join token expired {0} seconds ago; ask for a new one (`coordinator token --expires 24h`)")]
    Expired(u64),
}

fn alphabet() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    specification.encoding().expect("a lowercase base32 alphabet is a valid specification")
}

impl Grant {
    fn secret(&self, key: &SecretKey) -> Digest {
        let mut hasher = Hasher::new(Domain::Token);
        hasher.update(&key.seed());
        hasher.update(&codec::encode(self));
        hasher.finish()
    }
}

impl Token {
    /// A token for a coordinator at `address` with key `key`.
    #[must_use]
    pub fn issue(address: String, key: &SecretKey, grant: Grant) -> Self {
        let secret = grant.secret(key);
        Self { address, coordinator: key.node_id(), grant, secret }
    }

    /// The line to paste. The last four bytes before encoding are a checksum against typing errors.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut bytes = codec::encode(self);
        bytes.extend_from_slice(&Digest::of(Domain::Token, &bytes).0[..4]);
        format!("{PREFIX}{}", alphabet().encode(&bytes))
    }

    /// Reads a pasted line; space around it does not matter.
    ///
    /// # Errors
    /// [`TokenError::Prefix`], [`TokenError::TooLong`] or [`TokenError::Damaged`].
    pub fn from_text(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        if text.len() > TOKEN_CHARS_MAX {
            return Err(TokenError::TooLong(text.len()));
        }
        let body = text.strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let damaged = |reason: &str| TokenError::Damaged(reason.to_owned());
        let bytes =
            alphabet().decode(body.as_bytes()).map_err(|error| TokenError::Damaged(error.to_string()))?;
        let (content, checksum) = bytes.split_last_chunk::<4>().ok_or_else(|| damaged("too short"))?;
        if Digest::of(Domain::Token, content).0[..4] != checksum[..] {
            return Err(damaged("its checksum does not match"));
        }
        let token: Self = codec::decode("join token", content, TOKEN_CHARS_MAX)
            .map_err(|error| TokenError::Damaged(error.to_string()))?;
        if token.grant.operator.len() > NAME_BYTES_MAX || token.address.len() > 255 {
            return Err(damaged("a field is too long"));
        }
        Ok(token)
    }

    /// Whether the address is one that needs no name look-up.
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        self.address.parse().ok()
    }
}

/// What a bearer shows when it joins: the grant and its proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What was granted.
    pub grant: Grant,
    /// The proof.
    pub secret: Digest,
}

impl From<&Token> for Credential {
    fn from(token: &Token) -> Self {
        Self { grant: token.grant.clone(), secret: token.secret }
    }
}

impl Credential {
    /// Checks, for the coordinator with `key`, that it issued this for `role` and that it is not too late.
    ///
    /// # Errors
    /// [`TokenError::Foreign`], [`TokenError::Role`] or [`TokenError::Expired`].
    pub fn check(&self, key: &SecretKey, role: Role, now_unix_s: u64) -> Result<(), TokenError> {
        // Digests are compared as digests of themselves, so the time of the comparison tells nothing of the secret.
        let shown = Digest::of(Domain::Token, &self.secret.0);
        let expected = Digest::of(Domain::Token, &self.grant.secret(key).0);
        if shown != expected {
            return Err(TokenError::Foreign);
        }
        if self.grant.role != role {
            return Err(TokenError::Role(match self.grant.role {
                Role::Worker => "worker",
                Role::Client => "client",
            }));
        }
        if now_unix_s > self.grant.expires_unix_s {
            return Err(TokenError::Expired(now_unix_s - self.grant.expires_unix_s));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("address", &self.address)
            .field("coordinator", &self.coordinator)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
