//! Data-channel parameters of a session, and its events.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};
use zeroize::Zeroizing;

use super::error::SessionError;
use super::key_method::Hello;
use crate::Suite;
use crate::data_channel::{DataFormat, InstallKey, Slot};

/// Negotiated parameters of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataParameters {
    /// The cipher.
    pub suite: Suite,
    /// Key derivation.
    pub derivation: Derivation,
    /// Packet format.
    pub format: DataFormat,
}

/// Key derivation of the data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// The TLS exporter.
    Exporter,
    /// OpenVPN's PRF over both sides' key messages.
    Prf,
}

/// Events for the owner of a session.
#[derive(Debug)]
pub enum SessionEvent {
    /// A key is established.
    Established(Established),
    /// A control message of the peer, such as `PUSH_REPLY,...`.
    Message(Zeroizing<String>),
    /// A control message of the peer was dropped: it contains control characters.
    InvalidMessage,
    /// Install a key. It is boxed, as a queue keeps the bytes of what it has given away.
    InstallKey(Box<InstallKey>),
    /// Exchange the key slots.
    SwapKeys,
    /// Delete the key in a slot.
    DeleteKey(Slot),
    /// The session failed. Pending datagrams contain the TLS alert for the peer.
    Failed(SessionError),
}

/// An established key.
#[derive(Debug)]
pub struct Established {
    /// Key id; 0 is the first of the session.
    pub key_id: u8,
    /// The strings of the peer's key message.
    pub hello: Hello,
    /// The peer's certificate.
    pub certificate: Option<CertificateDer<'static>>,
    /// TLS version.
    pub version: Option<ProtocolVersion>,
    /// TLS cipher suite.
    pub cipher_suite: Option<CipherSuite>,
}
