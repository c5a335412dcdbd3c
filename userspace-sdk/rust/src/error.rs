//! Errors of the SDK.

use std::{fmt, io};

use tunic_ioctl::DecodeError;
use tunic_ioctl::status::{self, StatusName};

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No adapter of that name exists or is served.
    NoAdapter(String),
    /// The driver could not be reached.
    Transport(io::Error),
    /// The driver refused the request, with this NTSTATUS; see [`crate::status`].
    Refused(u32),
    /// The driver's answer is malformed.
    Answer(DecodeError),
    /// The driver's answer grew between the query of its size and every attempt to read it.
    Unstable,
    /// More peers, allowed IPs or bytes than a request can carry.
    TooLarge,
    /// A key whose length is not its suite's.
    BadKeyLength,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAdapter(name) => write!(f, "no adapter {name}"),
            Self::Transport(error) => write!(f, "cannot reach the driver: {error}"),
            Self::Refused(status) => {
                let name = StatusName(*status);
                match status::meaning(*status) {
                    Some(meaning) => write!(f, "the driver refused: {meaning} ({name})"),
                    None => write!(f, "the driver refused: {name}"),
                }
            }
            Self::Answer(error) => write!(f, "the driver's answer is malformed: {error}"),
            Self::Unstable => f.write_str("the driver's answer changes faster than it can be read"),
            Self::TooLarge => f.write_str("the request is too large"),
            Self::BadKeyLength => {
                f.write_str("the key does not have the length of its cipher's keys")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // The text has the error already: the chain goes on behind it.
            Self::Transport(error) => error.source(),
            Self::Answer(error) => error.source(),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Transport(error)
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Answer(error)
    }
}
