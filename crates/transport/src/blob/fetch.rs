//! Asking for a blob, and going on where a broken connection stopped.

use std::{mem, time::Duration};

use bytes::Bytes;
use protocol::{
    digest::{Digest, Domain, Hasher},
    message::{BlobName, BlobReply, BlobRequest},
};

use super::{Neighbours, STALL_TIMEOUT, describe};
use crate::{
    connection::Connection,
    frame::{FrameError, FrameReader, append_within},
    stream::{Opening, Stream},
};

/// Why a blob did not come.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The peer does not have it.
    #[error("the peer does not have the {}; ask another one", describe(name))]
    Absent {
        /// What was asked for.
        name: BlobName,
    },
    /// It is longer than allowed; none of it was read.
    #[error(
        "the {} would be {claimed_bytes} bytes long, over the limit of {limit_bytes} bytes for it; nothing was read",
        describe(name)
    )]
    OverLimit {
        /// What was asked for.
        name: BlobName,
        /// What the peer claimed.
        claimed_bytes: u64,
        /// What the caller allows.
        limit_bytes: u64,
    },
    /// The peer sent fewer bytes than it claimed, and called that the end.
    #[error("the peer claimed {claimed_bytes} bytes for the {} and sent {received_bytes}", describe(name))]
    Short {
        /// What was asked for.
        name: BlobName,
        /// What the peer claimed.
        claimed_bytes: u64,
        /// What it sent, with what was held before.
        received_bytes: u64,
    },
    /// The peer sent more bytes than it claimed.
    #[error("the peer claimed {claimed_bytes} bytes for the {} and sent more", describe(name))]
    Long {
        /// What was asked for.
        name: BlobName,
        /// What the peer claimed.
        claimed_bytes: u64,
    },
    /// The peer's claim contradicts what an earlier one said or sent.
    #[error(
        "the peer claims {claimed_bytes} bytes for the {}, of which {held_bytes} of {known_bytes} bytes are already here; \
         all of it was dropped, ask again",
        describe(name)
    )]
    Contradiction {
        /// What was asked for.
        name: BlobName,
        /// What the peer claims now.
        claimed_bytes: u64,
        /// What was held.
        held_bytes: u64,
        /// Of how many.
        known_bytes: u64,
    },
    /// The bytes do not have the digest that names them.
    #[error("the bytes sent as the {} have the digest {}; they were dropped", describe(name), found.short())]
    WrongBytes {
        /// What was asked for.
        name: BlobName,
        /// The digest of what was sent.
        found: Digest,
    },
    /// The answer was no answer.
    #[error("the answer to a request for the {} was not understood: {reason}", describe(name))]
    BadReply {
        /// What was asked for.
        name: BlobName,
        /// What was wrong.
        reason: FrameError,
    },
    /// The stream or the connection broke, or the peer stalled. What arrived is kept: resume on another connection.
    #[error("the {} was interrupted after {held_bytes} bytes: {reason}", describe(name))]
    Interrupted {
        /// What was asked for.
        name: BlobName,
        /// How much is held.
        held_bytes: u64,
        /// What happened.
        reason: FrameError,
    },
}

impl BlobError {
    /// Whether [`PartialBlob::resume`] on a new connection can go on from what is held.
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// Whether the peer did what no correct peer does.
    #[must_use]
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Absent { .. } | Self::Interrupted { .. } | Self::Contradiction { .. } => false,
            Self::OverLimit { .. }
            | Self::Short { .. }
            | Self::Long { .. }
            | Self::WrongBytes { .. }
            | Self::BadReply { .. } => true,
        }
    }
}

/// Fetches a blob of at most `length_max_bytes` over one connection, or from the memory of a peer in this process
/// ([`Neighbours`](super::Neighbours)). A task or an outcome is verified against its digest; a certificate is for the caller to
/// verify. To survive a broken connection, use [`PartialBlob`].
///
/// # Errors
/// [`BlobError`].
pub async fn fetch(
    connection: &Connection,
    name: BlobName,
    length_max_bytes: u64,
) -> Result<Bytes, BlobError> {
    let mut pieces = fetch_pieces(connection, name, length_max_bytes).await?;
    Ok(match &mut pieces[..] {
        [only] => mem::take(only),
        several => several.concat().into(),
    })
}

/// As [`fetch`], in the pieces in which a peer in this process has it; what comes over the connection is one.
///
/// # Errors
/// [`BlobError`].
pub async fn fetch_pieces(
    connection: &Connection,
    name: BlobName,
    length_max_bytes: u64,
) -> Result<Vec<Bytes>, BlobError> {
    if let Some(pieces) = connection.at_hand(&name) {
        return verified_at_hand(connection.neighbours(), name, pieces, length_max_bytes).await;
    }
    let bytes = PartialBlob::new(name, length_max_bytes).resume(connection).await?;
    Ok(vec![bytes.into()])
}

/// What a neighbour handed over is what was asked for.
async fn verified_at_hand(
    neighbours: &Neighbours,
    name: BlobName,
    pieces: Vec<Bytes>,
    limit_bytes: u64,
) -> Result<Vec<Bytes>, BlobError> {
    let claimed_bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
    if claimed_bytes > limit_bytes {
        return Err(BlobError::OverLimit { name, claimed_bytes, limit_bytes });
    }
    let Some(mut hasher) = hasher_for(&name) else { return Ok(pieces) };
    if let [only] = &pieces[..]
        && neighbours.is_checked(&name, only)
    {
        return Ok(pieces);
    }
    for part in pieces.iter().flat_map(|piece| piece.chunks(HASH_AT_HAND_BYTES)) {
        hasher.update(part);
        tokio::task::yield_now().await;
    }
    match differing(&hasher, &name) {
        None => {
            if let [only] = &pieces[..] {
                neighbours.note_checked(name, only);
            }
            Ok(pieces)
        }
        Some(found) => Err(BlobError::WrongBytes { name, found }),
    }
}

/// Of bytes that are all there, so many are hashed before others have their turn: a fraction of a millisecond.
const HASH_AT_HAND_BYTES: usize = 1024 * 1024;

/// Bytes that are hashed at a time: of fewer, BLAKE3 computes one block after the other, at a fifth of the speed.
const HASH_TOGETHER_BYTES: usize = 64 * 1024;

/// A blob on its way: the bytes that arrived, and the digest of them so far.
#[derive(Debug)]
pub struct PartialBlob {
    name: BlobName,
    length_max_bytes: u64,
    stall_timeout: Duration,
    /// What the peers say, once one has.
    length_bytes: Option<u64>,
    bytes: Vec<u8>,
    /// For names that are digests.
    hasher: Option<Hasher>,
    /// How many of the bytes the hasher has taken in.
    hashed: usize,
}

impl PartialBlob {
    /// Nothing of it yet.
    #[must_use]
    pub fn new(name: BlobName, length_max_bytes: u64) -> Self {
        Self {
            name,
            length_max_bytes,
            stall_timeout: STALL_TIMEOUT,
            length_bytes: None,
            bytes: Vec::new(),
            hasher: hasher_for(&name),
            hashed: 0,
        }
    }

    /// With another bound for the wait for each next piece than [`STALL_TIMEOUT`].
    #[must_use]
    pub fn with_stall_timeout(mut self, stall_timeout: Duration) -> Self {
        self.stall_timeout = stall_timeout;
        self
    }

    /// What it is.
    #[must_use]
    pub fn name(&self) -> BlobName {
        self.name
    }

    /// How much of it is here.
    #[must_use]
    pub fn held_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Fetches what is missing over `connection`, and gives the whole blob. The call may be dropped and made again,
    /// on this connection or another one: what arrived is kept. At most
    /// [`FETCHES_MAX`](crate::connection::FETCHES_MAX) are under way on a connection, further ones wait. A certificate always starts anew, because its name
    /// does not fix its bytes.
    ///
    /// # Errors
    /// [`BlobError`]; after one that [is not resumable](BlobError::is_resumable) nothing is held any more.
    pub async fn resume(&mut self, connection: &Connection) -> Result<Vec<u8>, BlobError> {
        if self.hasher.is_none() {
            self.forget();
        }
        let result = self.receive(connection).await;
        if result.as_ref().is_err_and(|error| !error.is_resumable()) {
            self.forget();
        }
        result
    }

    async fn receive(&mut self, connection: &Connection) -> Result<Vec<u8>, BlobError> {
        let _turn = connection.fetch_turn().await;
        let mut stream = self.ask(connection).await.map_err(|reason| self.refused(reason))?;
        let reply = stream.reader.require_within(self.stall_timeout).await;
        let length_bytes = match reply.map_err(|reason| self.refused(reason))? {
            BlobReply::Found { length_bytes } => self.checked_length(length_bytes)?,
            BlobReply::Absent => return Err(BlobError::Absent { name: self.name }),
        };
        self.length_bytes = Some(length_bytes);
        while self.held_bytes() < length_bytes {
            if !self.receive_piece(&mut stream.reader, length_bytes).await? {
                let received_bytes = self.held_bytes();
                return Err(BlobError::Short {
                    name: self.name,
                    claimed_bytes: length_bytes,
                    received_bytes,
                });
            }
        }
        let after = tokio::time::timeout(self.stall_timeout, stream.reader.next_bytes(1)).await;
        // All bytes are here; whether the stream also ends in good order matters only if it says more.
        if let Ok(Ok(Some(_))) = after {
            return Err(BlobError::Long { name: self.name, claimed_bytes: length_bytes });
        }
        self.verified()
    }

    async fn ask(&self, connection: &Connection) -> Result<Stream, FrameError> {
        let request = BlobRequest { blob: self.name, offset: self.held_bytes() };
        let mut stream = connection.open_stream(&Opening::Blob(request)).await?;
        stream.writer.finish().await?;
        Ok(stream)
    }

    fn checked_length(&self, claimed_bytes: u64) -> Result<u64, BlobError> {
        let name = self.name;
        if claimed_bytes > self.length_max_bytes {
            return Err(BlobError::OverLimit { name, claimed_bytes, limit_bytes: self.length_max_bytes });
        }
        match self.length_bytes {
            Some(known_bytes) if known_bytes != claimed_bytes => {
                let held_bytes = self.held_bytes();
                Err(BlobError::Contradiction { name, claimed_bytes, held_bytes, known_bytes })
            }
            _ => Ok(claimed_bytes),
        }
    }

    /// Takes in the next piece; `false` when the peer has ended the stream.
    async fn receive_piece(
        &mut self,
        reader: &mut FrameReader,
        length_bytes: u64,
    ) -> Result<bool, BlobError> {
        let missing = length_bytes - self.held_bytes();
        let waited = tokio::time::timeout(self.stall_timeout, reader.next_bytes(missing)).await;
        let waited =
            waited.unwrap_or_else(|_| Err(FrameError::silent("piece of the blob", self.stall_timeout)));
        let Some(piece) = waited.map_err(|reason| self.refused(reason))? else { return Ok(false) };
        append_within(&mut self.bytes, &piece, length_bytes);
        if self.bytes.len() - self.hashed >= HASH_TOGETHER_BYTES {
            self.hash();
        }
        Ok(true)
    }

    fn hash(&mut self) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.bytes[self.hashed..]);
        }
        self.hashed = self.bytes.len();
    }

    fn verified(&mut self) -> Result<Vec<u8>, BlobError> {
        self.hash();
        if let Some(found) = self.hasher.as_ref().and_then(|hasher| differing(hasher, &self.name)) {
            return Err(BlobError::WrongBytes { name: self.name, found });
        }
        let bytes = mem::take(&mut self.bytes);
        self.forget();
        Ok(bytes)
    }

    fn forget(&mut self) {
        self.bytes = Vec::new();
        self.hashed = 0;
        self.length_bytes = None;
        self.hasher = hasher_for(&self.name);
    }

    fn refused(&self, reason: FrameError) -> BlobError {
        let name = self.name;
        if reason.is_bad_input() {
            BlobError::BadReply { name, reason }
        } else {
            BlobError::Interrupted { name, held_bytes: self.held_bytes(), reason }
        }
    }
}

/// The digest of what was hashed, where the name says another one.
fn differing(hasher: &Hasher, name: &BlobName) -> Option<Digest> {
    let (BlobName::Task(digest) | BlobName::Outcome(digest)) = name else { return None };
    Some(hasher.finish()).filter(|found| found != digest)
}

fn hasher_for(name: &BlobName) -> Option<Hasher> {
    match name {
        BlobName::Task(_) => Some(Hasher::new(Domain::Task)),
        BlobName::Outcome(_) => Some(Hasher::new(Domain::Outcome)),
        BlobName::Certificate(..) | BlobName::Witness(..) | BlobName::Trace(..) => None,
    }
}
