//! How long packets and datagrams can be.

use nic_engine::Protocol;

/// The maximum MTU, which NDIS is told as the adapter's: the longest UDP datagram over IPv6, less
/// the overhead of any protocol.
pub const MAXIMUM_MTU_BYTES: u32 = 65_535 - 48 - MAX_OVERHEAD_BYTES as u32;

/// The maximum of [`Protocol::MAX_OVERHEAD_BYTES`] over all protocols.
const MAX_OVERHEAD_BYTES: usize = 32;

/// The room that a packet of this length needs, padded or not.
pub(super) fn slot_bytes<P: Protocol>(packet_bytes: usize) -> usize {
    const { assert!(P::MAX_OVERHEAD_BYTES <= MAX_OVERHEAD_BYTES) };
    P::datagram_bytes(P::LONGEST_FRAMING, packet_bytes, usize::MAX)
}
