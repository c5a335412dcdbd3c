//! How long packets and datagrams can be.

use nic_engine::Protocol;

/// A datagram holds no more: 65 535 bytes less IPv6 and UDP headers, and 32 bytes of the tunnel's.
/// NDIS is told that this is the adapter's MTU, which the stack's can't exceed.
pub const MAXIMUM_MTU_BYTES: u32 = 65_535 - 48 - 32;

/// The room that a packet of this length needs, padded or not.
pub(super) fn slot_bytes<P: Protocol>(packet_bytes: usize) -> usize {
    P::datagram_bytes(P::LONGEST_FRAMING, packet_bytes, usize::MAX)
}
