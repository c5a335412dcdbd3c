//! How many peers an adapter has.

/// How many peers an adapter has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One peer. It receives every packet, whatever the peer ID on it, and does not roam.
    #[default]
    PointToPoint,
    /// Many peers, told apart by the peer ID on their packets and by their addresses. They may
    /// roam.
    MultiPeer,
}
