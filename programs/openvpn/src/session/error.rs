//! Errors of a session.

use std::{fmt, io};

use rustls::CertificateError;

use super::key_method::KeyMethodError;
use crate::packet::PacketError;
use crate::wrap::WrapError;

/// Why a session failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The handshake window expired.
    Timeout(Stage),
    /// TLS failed, on the peer's side or ours.
    Tls(rustls::Error),
    /// The TLS buffer is full.
    TlsBuffer(io::Error),
    /// The peer closed TLS.
    Closed,
    /// The peer's key message is malformed.
    KeyMethod(KeyMethodError),
    /// A control message of the peer exceeds the limit.
    MessageTooLong,
    /// No key is established.
    NotEstablished,
    /// The system returned no random bytes.
    Random(getrandom::Error),
}

/// Stage of a handshake at its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No reset of the peer arrived.
    Reset,
    /// The TLS handshake was incomplete.
    Tls,
    /// No key message arrived.
    KeyMethod,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(Stage::Reset) => f.write_str(
                "no reply (check the address, and the tls-auth or tls-crypt key; is the server up?\
                 )",
            ),
            Self::Timeout(Stage::Tls) => f.write_str("the TLS handshake timed out"),
            Self::Timeout(Stage::KeyMethod) => f.write_str("no key message arrived in time"),
            // Our own error, which rustls would format by Debug.
            Self::Tls(rustls::Error::InvalidCertificate(CertificateError::Other(verdict))) => {
                write!(f, "TLS: {}", verdict.0)
            }
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::TlsBuffer(error) => write!(f, "TLS buffer: {error}"),
            Self::Closed => f.write_str("the peer closed TLS"),
            Self::KeyMethod(error) => write!(f, "{error}"),
            Self::MessageTooLong => f.write_str("the peer's message is too long"),
            Self::NotEstablished => f.write_str("the session is not established"),
            Self::Random(error) => write!(f, "no random bytes: {error}"),
        }
    }
}

impl std::error::Error for SessionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Tls(error) => Some(error),
            Self::TlsBuffer(error) => Some(error),
            Self::KeyMethod(error) => Some(error),
            _ => None,
        }
    }
}

impl From<KeyMethodError> for SessionError {
    fn from(error: KeyMethodError) -> Self {
        Self::KeyMethod(error)
    }
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramError {
    /// The packet's protection is invalid.
    Wrap(WrapError),
    /// The packet is malformed.
    Packet(PacketError),
    /// The packet belongs to another session.
    Session,
    /// The packet belongs to an unknown key.
    Key,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrap(error) => write!(f, "{error}"),
            Self::Packet(error) => write!(f, "{error}"),
            Self::Session => f.write_str("control packet of another session"),
            Self::Key => f.write_str("control packet of an unknown key"),
        }
    }
}

impl std::error::Error for DatagramError {}

impl From<WrapError> for DatagramError {
    fn from(error: WrapError) -> Self {
        Self::Wrap(error)
    }
}

impl From<PacketError> for DatagramError {
    fn from(error: PacketError) -> Self {
        Self::Packet(error)
    }
}
