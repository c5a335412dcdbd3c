//! `tls-crypt-v2`: `tls-crypt` with a key per client. The client's first packets carry its key,
//! wrapped for the server.
//!
//! Wrapped key: tag (32) | ciphertext of key (256) and metadata | length (2) of all of it. The tag
//! is HMAC-SHA256 over length, key and metadata; its first half is the initial counter of
//! AES-256-CTR.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::error::{KeyFileError, WrapError};
use super::static_key::StaticKey;
use super::tls_crypt::{Keys, TAG_BYTES, TlsCrypt};
use crate::packet::Opcode;

const KEY_BYTES: usize = 256;

/// Whether a packet with this first byte carries a wrapped key.
pub(super) fn carries_wrapped_key(packet: &[u8]) -> bool {
    let opcode = packet.first().copied().and_then(Opcode::of);
    matches!(opcode, Some(Opcode::HardResetClientV3 | Opcode::ControlWkcV1))
}

/// Splits a datagram into the packet and the wrapped key.
pub(super) fn split_wrapped_key(datagram: &[u8]) -> Result<(&[u8], &[u8]), WrapError> {
    let (_, length) = datagram.split_last_chunk::<2>().ok_or(WrapError::Truncated)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let start = datagram.len().checked_sub(length).ok_or(WrapError::ForeignClientKey)?;
    Ok(datagram.split_at(start))
}

/// A client's key file: its key, and the wrapped copy for the server.
#[derive(Clone, Debug)]
pub struct ClientKey {
    key: StaticKey,
    wrapped: Vec<u8>,
}

impl ClientKey {
    /// The unwrapped key.
    pub fn key(&self) -> &StaticKey {
        &self.key
    }

    pub(super) fn wrapped(&self) -> &[u8] {
        &self.wrapped
    }
}

impl FromStr for ClientKey {
    type Err = KeyFileError;

    fn from_str(file: &str) -> Result<Self, KeyFileError> {
        let bytes = armoured(file, "OpenVPN tls-crypt-v2 client key")?;
        let (key, wrapped) = bytes.split_first_chunk::<KEY_BYTES>().ok_or(KeyFileError)?;
        let (_, length) = wrapped.split_last_chunk::<2>().ok_or(KeyFileError)?;
        if usize::from(u16::from_be_bytes(*length)) != wrapped.len() {
            return Err(KeyFileError);
        }
        Ok(Self { key: StaticKey::from_bytes(key), wrapped: wrapped.to_vec() })
    }
}

/// Metadata inside a wrapped client key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Creation time of the key.
    Made(SystemTime),
    /// User-defined data.
    User(Vec<u8>),
    /// None, or of an unknown type.
    Other,
}

/// The server's key, which wraps the keys of its clients.
pub struct ServerKey(Keys);

/// A client's first packet, which carries its key.
pub struct FirstPacket {
    /// The protection for the session. Its replay window does not contain this packet yet.
    pub wrap: TlsCrypt,
    /// The plain packet.
    pub plain: Vec<u8>,
    /// The client can resend its key: the server need not store it before the session begins.
    pub can_resend_key: bool,
    /// Metadata of the key.
    pub metadata: Metadata,
}

impl ServerKey {
    /// Unwraps a `P_CONTROL_HARD_RESET_CLIENT_V3` or `P_CONTROL_WKC_V1` with the key that it
    /// carries.
    ///
    /// # Errors
    ///
    /// When the packet has another type, its key was not wrapped with ours, or the packet is not
    /// authentic.
    pub fn first_packet(&self, datagram: &[u8]) -> Result<FirstPacket, WrapError> {
        if !carries_wrapped_key(datagram) {
            return Err(WrapError::ForeignClientKey);
        }
        let (_, wrapped) = split_wrapped_key(datagram)?;
        let (key, metadata) = self.unwrap(wrapped)?;
        let (plain, id) = TlsCrypt::with_wrapped_key(&key).open(datagram)?;
        let wrap = TlsCrypt::with_wrapped_key(&key);
        Ok(FirstPacket { wrap, plain, can_resend_key: id.is_early_negotiation(), metadata })
    }

    /// Unwraps a client key.
    fn unwrap(&self, wrapped: &[u8]) -> Result<(StaticKey, Metadata), WrapError> {
        let (tag, rest) =
            wrapped.split_first_chunk::<TAG_BYTES>().ok_or(WrapError::ForeignClientKey)?;
        let (ciphertext, length) =
            rest.split_last_chunk::<2>().ok_or(WrapError::ForeignClientKey)?;
        let plaintext =
            self.0.open(&[length], tag, ciphertext).map_err(|_| WrapError::ForeignClientKey)?;
        let (key, metadata) =
            plaintext.split_first_chunk::<KEY_BYTES>().ok_or(WrapError::ForeignClientKey)?;
        Ok((StaticKey::from_bytes(key), Metadata::parse(metadata)))
    }
}

impl FromStr for ServerKey {
    type Err = KeyFileError;

    fn from_str(file: &str) -> Result<Self, KeyFileError> {
        let bytes = armoured(file, "OpenVPN tls-crypt-v2 server key")?;
        let (halves, []) = bytes.as_chunks::<64>() else { return Err(KeyFileError) };
        let [cipher, hmac] = halves else { return Err(KeyFileError) };
        Ok(Self(Keys::new(cipher, hmac)))
    }
}

impl fmt::Debug for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerKey(..)")
    }
}

impl Metadata {
    /// Parses metadata: a type byte and the value.
    fn parse(bytes: &[u8]) -> Self {
        match bytes {
            [0, text @ ..] => Self::User(text.to_vec()),
            [1, time @ ..] => time
                .try_into()
                .ok()
                .and_then(|time| {
                    UNIX_EPOCH.checked_add(Duration::from_secs(u64::from_be_bytes(time)))
                })
                .map_or(Self::Other, Self::Made),
            _ => Self::Other,
        }
    }
}

/// Decodes the Base64 text between PEM markers.
fn armoured(file: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let (_, rest) = file.split_once(&format!("-----BEGIN {label}-----")).ok_or(KeyFileError)?;
    let (text, _) = rest.split_once(&format!("-----END {label}-----")).ok_or(KeyFileError)?;
    let mut text: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(&text).map_err(|_| KeyFileError);
    text.zeroize();
    bytes.map(Zeroizing::new)
}
