//! What may lie around control packets: nothing, tls-auth, tls-crypt or tls-crypt-v2.
//!
//! Formats: the OpenVPN wire protocol draft and OpenVPN's doc/tls-crypt-v2.txt.

mod replay;
mod static_key;
mod tls_auth;
mod tls_crypt;
mod tls_crypt_v2;

use std::fmt;

pub use static_key::{Direction, StaticKey};
pub use tls_auth::{Digest, TlsAuth};
pub use tls_crypt::TlsCrypt;
pub use tls_crypt_v2::{ClientKey, FirstPacket, Metadata, ServerKey};

use crate::Role;

/// First byte and session id: what every wrapping leaves readable.
const HEADER_BYTES: usize = 9;

/// The TLS exporter gives the key of [`Wrap::for_renegotiation`] under this label, with no context.
pub const DYNAMIC_TLS_CRYPT_LABEL: &[u8] = b"EXPORTER-OpenVPN-dynamic-tls-crypt";

/// Guards the control packets of one session, both ways.
///
/// A *plain* packet is that of [`crate::packet`]: first byte, session id, acks, packet id, payload.
/// It is what goes into [`Wrap::wrap`] and comes out of [`Wrap::unwrap`].
pub trait Wrap: Send {
    /// Bytes that wrapping adds to a packet, a wrapped client key not counted.
    fn overhead_bytes(&self) -> usize;

    /// Bytes of the wrapped client key that the packets which carry it are longer.
    fn wrapped_key_bytes(&self) -> usize {
        0
    }

    /// Whether a client begins with [`crate::packet::Opcode::HardResetClientV3`] (tls-crypt-v2).
    fn is_v2(&self) -> bool {
        false
    }

    /// Makes a plain packet fit to be sent, each time under a new number. tls-crypt-v2 appends the
    /// client's wrapped key where the opcode wants it. `unix_time_s` goes into the replay id, where
    /// there is one.
    fn wrap(&mut self, plain: &[u8], unix_time_s: u32) -> Vec<u8>;

    /// Leaves a number out, under which a packet went out before the session began.
    fn skip_number(&mut self) {}

    /// The plain packet in a datagram.
    ///
    /// # Errors
    ///
    /// When it is cut, forged or replayed; then nothing has changed.
    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError>;

    /// What guards the packets of renegotiations, where both sides know dynamic tls-crypt:
    /// `exported` is what TLS gives for [`DYNAMIC_TLS_CRYPT_LABEL`].
    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap>;
}

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

/// No wrapping: TLS alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Wrap for Plain {
    fn overhead_bytes(&self) -> usize {
        0
    }

    fn wrap(&mut self, plain: &[u8], _: u32) -> Vec<u8> {
        plain.to_vec()
    }

    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError> {
        Ok(datagram.to_vec())
    }

    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap> {
        Box::new(TlsCrypt::new(exported, role))
    }
}
