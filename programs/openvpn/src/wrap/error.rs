//! Errors of the wrapping of control packets, and of its key files.

use std::fmt;

/// Why a datagram is no control packet of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapError {
    /// It is too short.
    Truncated,
    /// Its authentication tag is wrong: another key, or changed on the way.
    Forged,
    /// It was here before.
    Replayed,
    /// The client's key that it carries was not wrapped for us.
    ForeignClientKey,
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "a control packet is cut short",
            Self::Forged => {
                "a control packet is not authentic (is the tls-auth or tls-crypt key the peer's?)"
            }
            Self::Replayed => "a control packet was replayed",
            Self::ForeignClientKey => "a client's tls-crypt-v2 key was not made for this server",
        })
    }
}

impl std::error::Error for WrapError {}

/// A text holds no key of the kind that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFileError;

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a whole key file of the kind that is wanted")
    }
}

impl std::error::Error for KeyFileError {}
