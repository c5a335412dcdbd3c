//! The numbers that identify a peer, its receiving keys, and a key.

/// Identifies a peer of an adapter. Stale identifiers never match again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerId {
    /// The slot in the peer table.
    pub index: u32,
    /// Distinguishes the successive occupants of the slot.
    pub generation: u32,
}

/// The number in a data packet by which its receiver finds the peer: a receiver index, a peer ID or
/// an SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceiverId(pub u32);

/// Selects the key that opens a data packet. Consecutive packets with equal selectors are opened in
/// one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Selector {
    /// Selects the peer.
    pub receiver: ReceiverId,
    /// Selects one of several keys of the receiver ID. Its meaning is the protocol's.
    pub key: u32,
}
