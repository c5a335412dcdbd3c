//! The trait of control packet protection.

use super::error::WrapError;
use super::static_key::StaticKey;
use crate::Role;

/// First byte and session id, which every protection leaves in plaintext.
pub(super) const HEADER_BYTES: usize = 9;

/// TLS exporter label for the key of [`Wrap::for_renegotiation`], without a context.
pub const DYNAMIC_TLS_CRYPT_LABEL: &[u8] = b"EXPORTER-OpenVPN-dynamic-tls-crypt";

/// Protects the control packets of one session in both directions.
///
/// A *plain* packet is one of [`crate::packet`]: the input of [`Wrap::wrap`] and the output of
/// [`Wrap::unwrap`].
pub trait Wrap: Send {
    /// Bytes that wrapping adds to a packet, without a wrapped client key.
    fn overhead_bytes(&self) -> usize;

    /// Length of the wrapped client key, which some packets carry.
    fn wrapped_key_bytes(&self) -> usize {
        0
    }

    /// Whether a client starts with [`crate::packet::Opcode::HardResetClientV3`] (tls-crypt-v2).
    fn is_v2(&self) -> bool {
        false
    }

    /// Wraps a plain packet under a new replay id, which contains `unix_time_s`. tls-crypt-v2
    /// appends the client's wrapped key to the opcodes that carry it.
    fn wrap(&mut self, plain: &[u8], unix_time_s: u32) -> Vec<u8>;

    /// Skips a replay number that was used before the session began.
    fn skip_number(&mut self) {}

    /// Unwraps a datagram.
    ///
    /// # Errors
    ///
    /// When it is truncated, forged or replayed. Then no state has changed.
    fn unwrap(&mut self, datagram: &[u8]) -> Result<Vec<u8>, WrapError>;

    /// The protection of renegotiations with dynamic tls-crypt. `exported` is the TLS exporter's
    /// output for [`DYNAMIC_TLS_CRYPT_LABEL`].
    fn for_renegotiation(&self, exported: &StaticKey, role: Role) -> Box<dyn Wrap>;
}
