//! What goes wrong in a session.

use std::{fmt, io};

use rustls::CertificateError;

use super::key_method::KeyMethodError;
use crate::packet::PacketError;
use crate::wrap::WrapError;

/// Why a session is over.
#[derive(Debug)]
#[non_exhaustive]
pub enum SessionError {
    /// The handshake window is over.
    Timeout(Stage),
    /// TLS failed, by the peer's fault or ours.
    Tls(rustls::Error),
    /// TLS took nothing more.
    TlsBuffer(io::Error),
    /// The peer closed TLS.
    Closed,
    /// The peer's key message makes no sense.
    KeyMethod(KeyMethodError),
    /// A message of the peer never ends.
    MessageTooLong,
    /// There is no key that is established.
    NotEstablished,
    /// The system gave no random bytes.
    Random(getrandom::Error),
}

/// How far a handshake came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No answer at all.
    Reset,
    /// In the midst of TLS.
    Tls,
    /// TLS was done, and no key message came.
    KeyMethod,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(Stage::Reset) => f.write_str(
                "no answer (is the address right, the server up, the tls-auth or tls-crypt key its own?)",
            ),
            Self::Timeout(Stage::Tls) => f.write_str("the TLS handshake came to no end in time"),
            Self::Timeout(Stage::KeyMethod) => f.write_str("no key message came in time"),
            // Our own verdict, which rustls would show as it shows Debug.
            Self::Tls(rustls::Error::InvalidCertificate(CertificateError::Other(verdict))) => {
                write!(f, "TLS: {}", verdict.0)
            }
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::TlsBuffer(error) => write!(f, "TLS takes no more: {error}"),
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

/// Why a datagram was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatagramError {
    /// What is around the packet is wrong.
    Wrap(WrapError),
    /// It is no control packet.
    Packet(PacketError),
    /// It is of another session.
    Session,
    /// It is of a key that there is not.
    Key,
}

impl fmt::Display for DatagramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrap(error) => write!(f, "{error}"),
            Self::Packet(error) => write!(f, "{error}"),
            Self::Session => f.write_str("a control packet of another session"),
            Self::Key => f.write_str("a control packet of an unknown key"),
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
