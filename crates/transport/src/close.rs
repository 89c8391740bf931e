//! Why a connection ended: what one side says when it closes, and what the other side can show to its user.
//!
//! A code tells a program what to do next (come back, come back later, never), the text tells a person why. Text
//! from a peer is cut and stripped of control characters, because it ends up on terminals.

use protocol::limits::TEXT_BYTES_MAX;
use quinn::VarInt;

/// Why a connection was closed, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseCode {
    /// The peer's program dropped the connection without a word.
    Dropped,
    /// Everything is done.
    Finished,
    /// The peer is not let in, or no longer.
    Refused,
    /// The peer sent what it must not send.
    BadInput,
    /// There is no room now; coming back later helps.
    Full,
    /// The program stops; coming back helps.
    ShuttingDown,
    /// A code that this version does not know.
    Unknown(u32),
}

impl CloseCode {
    pub(crate) fn to_quinn(self) -> VarInt {
        VarInt::from_u32(match self {
            Self::Dropped => 0,
            Self::Finished => 1,
            Self::Refused => 2,
            Self::BadInput => 3,
            Self::Full => 4,
            Self::ShuttingDown => 5,
            Self::Unknown(code) => code,
        })
    }

    fn from_quinn(code: VarInt) -> Self {
        match code.into_inner() {
            0 => Self::Dropped,
            1 => Self::Finished,
            2 => Self::Refused,
            3 => Self::BadInput,
            4 => Self::Full,
            5 => Self::ShuttingDown,
            other => Self::Unknown(u32::try_from(other).unwrap_or(u32::MAX)),
        }
    }
}

/// Why there is no connection any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionLost {
    /// The other side closed it.
    #[error("the peer closed the connection: {}", if reason.is_empty() { "it gave no reason" } else { reason })]
    ClosedByPeer {
        /// What to do about it.
        code: CloseCode,
        /// In words; may be empty.
        reason: String,
    },
    /// This side closed it.
    #[error("the connection was closed on this side")]
    ClosedHere,
    /// Nothing was heard for the idle timeout.
    #[error("nothing was heard from the peer for too long")]
    TimedOut,
    /// The other side does not know the connection: it was restarted.
    #[error("the peer no longer knows this connection; it was probably restarted")]
    Restarted,
    /// QUIC or TLS ended it.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<quinn::ConnectionError> for ConnectionLost {
    fn from(error: quinn::ConnectionError) -> Self {
        match error {
            quinn::ConnectionError::ApplicationClosed(close) => Self::ClosedByPeer {
                code: CloseCode::from_quinn(close.error_code),
                reason: printable(&close.reason),
            },
            quinn::ConnectionError::LocallyClosed => Self::ClosedHere,
            quinn::ConnectionError::TimedOut => Self::TimedOut,
            quinn::ConnectionError::Reset => Self::Restarted,
            other => Self::Broken(printable(other.to_string().as_bytes())),
        }
    }
}

/// At most [`TEXT_BYTES_MAX`] bytes of `text`, ending at a character's end.
pub(crate) fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// Bytes of a peer as text for a terminal or a log.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(TEXT_BYTES_MAX)];
    String::from_utf8_lossy(bytes).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
