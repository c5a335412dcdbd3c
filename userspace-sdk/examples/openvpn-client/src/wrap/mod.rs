//! What may lie around control packets: nothing, tls-auth, tls-crypt or tls-crypt-v2.

use std::fmt;

/// Guards the control packets of one session, both ways.
///
/// A *plain* packet is that of [`crate::packet`]: first byte, session id, acks, packet id, payload. It is what goes into
/// [`Wrap::wrap`] and comes out of [`Wrap::unwrap`].
pub trait Wrap: Send {
    /// Bytes that wrapping adds to a packet, a wrapped client key not counted.
    fn overhead_bytes(&self) -> usize;

    /// Whether a client begins with [`crate::packet::Opcode::HardResetClientV3`] (tls-crypt-v2).
    fn is_v2(&self) -> bool {
        false
    }

    /// Makes a plain packet fit to be sent. tls-crypt-v2 appends the client's wrapped key where the opcode wants it.
    /// `unix_time_s` goes into the replay id, where there is one.
    fn wrap(&mut self, plain: &[u8], unix_time_s: u32) -> Vec<u8>;

    /// The plain packet in a datagram.
    ///
    /// # Errors
    ///
    /// When it is cut, forged or replayed; then nothing has changed.
    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError>;
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
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "a control packet is cut short",
            Self::Forged => {
                "a control packet is not authentic (is the tls-auth or tls-crypt key the peer's?)"
            }
            Self::Replayed => "a control packet was replayed",
        })
    }
}

impl std::error::Error for WrapError {}

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
}
