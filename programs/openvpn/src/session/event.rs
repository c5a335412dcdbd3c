//! What a session is told of data keys, and what it tells.

use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ProtocolVersion};
use zeroize::Zeroizing;

use super::error::SessionError;
use super::key_method::Hello;
use crate::Suite;
use crate::data_channel::{DataFormat, InstallKey, Slot};

/// What data keys are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataParameters {
    /// The cipher.
    pub suite: Suite,
    /// Where keys come from.
    pub derivation: Derivation,
    /// The packets' format.
    pub format: DataFormat,
}

/// Where data keys come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// The TLS exporter.
    Exporter,
    /// OpenVPN's own PRF over both sides' key messages.
    Prf,
}

/// What a session tells.
#[derive(Debug)]
pub enum SessionEvent {
    /// A key is established.
    Established(Established),
    /// The peer says something inside of TLS: `PUSH_REPLY,...`
    Message(Zeroizing<String>),
    /// A key is to be installed.
    InstallKey(InstallKey),
    /// The slots are to be exchanged.
    SwapKeys,
    /// A slot is to be emptied.
    DeleteKey(Slot),
    /// The session is over. What is left to be sent says so to the peer.
    Failed(SessionError),
}

/// A key that is established.
#[derive(Debug)]
pub struct Established {
    /// Its number; 0 is the session's first.
    pub key_id: u8,
    /// What the peer says of itself.
    pub hello: Hello,
    /// The peer's certificate.
    pub certificate: Option<CertificateDer<'static>>,
    /// The version of TLS.
    pub version: Option<ProtocolVersion>,
    /// The cipher suite of TLS.
    pub cipher_suite: Option<CipherSuite>,
}
