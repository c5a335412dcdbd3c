//! Errors of control packet protection and of key files.

use std::fmt;

/// Why a datagram is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrapError {
    /// The datagram is too short.
    Truncated,
    /// The authentication tag is wrong: another key, or a modified packet.
    Forged,
    /// The replay id was received before.
    Replayed,
    /// The wrapped client key was not made for this server.
    ForeignClientKey,
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated control packet",
            Self::Forged => {
                "control packet not authentic (do both sides have the same tls-auth or tls-crypt k\
                 ey?)"
            }
            Self::Replayed => "replayed control packet",
            Self::ForeignClientKey => "tls-crypt-v2 client key was not made for this server",
        })
    }
}

impl std::error::Error for WrapError {}

/// A text is not a key file of the expected kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFileError;

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a complete key file of the expected kind")
    }
}

impl std::error::Error for KeyFileError {}
