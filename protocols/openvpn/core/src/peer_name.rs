//! The engine's name of a peer: the peer ID on packets from it.

use nic_engine::PeerName;

use crate::packet;

/// The ID on packets from the peer of this name; `None` for the only peer of point-to-point mode.
pub fn receive_id(name: &PeerName) -> Option<u32> {
    let [a, b, c, d, ..] = *name;
    Some(u32::from_le_bytes([a, b, c, d])).filter(|&id| id != packet::UNDEFINED_PEER_ID)
}

/// The name of the peer with this ID on packets from it.
pub(crate) fn peer_name(receive_id: Option<u32>) -> PeerName {
    let mut name = [0; 32];
    let id = receive_id.unwrap_or(packet::UNDEFINED_PEER_ID);
    if let Some(start) = name.first_chunk_mut() {
        *start = id.to_le_bytes();
    }
    name
}
