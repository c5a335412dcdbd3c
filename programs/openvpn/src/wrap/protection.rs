//! The trait of all wrappings.

use super::error::WrapError;
use super::static_key::StaticKey;
use crate::Role;

/// First byte and session id: what every wrapping leaves readable.
pub(super) const HEADER_BYTES: usize = 9;

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
