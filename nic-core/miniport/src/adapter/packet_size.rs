//! The maximum lengths of packets and datagrams.

use nic_engine::Protocol;

/// The maximum MTU, which NDIS gets as the adapter's: the longest UDP datagram over IPv6, less the
/// maximum overhead of a protocol.
pub const MAXIMUM_MTU_BYTES: u32 = 65_535 - 48 - MAX_OVERHEAD_BYTES as u32;

/// The maximum of [`Protocol::MAX_OVERHEAD_BYTES`] over all protocols.
const MAX_OVERHEAD_BYTES: usize = 32;

/// The maximum datagram length of a packet of this length, including padding.
pub(super) fn slot_bytes<P: Protocol>(packet_bytes: usize) -> usize {
    const { assert!(P::MAX_OVERHEAD_BYTES <= MAX_OVERHEAD_BYTES) };
    P::datagram_bytes(P::LONGEST_FRAMING, packet_bytes, usize::MAX)
}
