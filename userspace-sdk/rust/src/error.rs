//! Why a call failed.

use std::{fmt, io};

use tunic_ioctl::DecodeError;

/// Why a call failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// There is no adapter of that name, or nobody serves it.
    NoAdapter(String),
    /// The driver could not be reached.
    Transport(io::Error),
    /// The driver refused; the NTSTATUS says why.
    Refused(u32),
    /// The driver's answer makes no sense.
    Answer(DecodeError),
    /// The driver's answer keeps growing between asking for its size and reading it.
    Unstable,
    /// More peers, allowed IPs or bytes than a request can carry.
    TooLarge,
    /// A key of another length than its suite's.
    BadKeyLength,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAdapter(name) => write!(f, "no adapter {name}"),
            Self::Transport(error) => write!(f, "the driver cannot be reached: {error}"),
            Self::Refused(status) => {
                write!(f, "the driver refused: {} ({status:#010x})", status_text(*status))
            }
            Self::Answer(error) => write!(f, "the driver's answer is malformed: {error}"),
            Self::Unstable => f.write_str("the driver's answer keeps changing"),
            Self::TooLarge => f.write_str("the request is too large"),
            Self::BadKeyLength => f.write_str("the key has not the length that its cipher wants"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Transport(error) => Some(error),
            Self::Answer(error) => Some(error),
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

/// What a driver's NTSTATUS means, for people (ntstatus.h).
fn status_text(status: u32) -> &'static str {
    match status {
        0xC000_0002 => "not implemented",
        0xC000_000D => "invalid parameter",
        0xC000_0010 => "invalid request",
        0xC000_0022 => "access denied",
        0xC000_0023 => "buffer too small",
        0xC000_0034 => "no such adapter",
        0xC000_0035 | 0xC000_020A => "address in use",
        0xC000_0043 => "sharing violation",
        0xC000_009A => "out of memory",
        0xC000_00A3 => "device not ready",
        0xC000_00BB => "not supported",
        0xC000_0120 => "cancelled",
        0xC000_0184 => "not in this mode or state",
        0xC000_0225 => "not found",
        0xC000_0207 => "address already in use",
        0xC000_0510 => "already done",
        _ => "status",
    }
}
