//! Events for userspace.

use super::PeerId;
use crate::PeerName;

/// An event that the adapter reports to userspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handshake has completed; its keys are installed.
    HandshakeCompleted(PeerId),
    /// The peer does not answer handshakes; its queued packets were dropped.
    HandshakeAbandoned(PeerId),
    /// The peer's address has changed.
    EndpointMoved(PeerId),
    /// Packets wait for a key that userspace has to install. Repeated while they wait.
    KeyWanted(PeerId),
    /// A key is close to its usage limit (packets sealed, or failures to open): userspace has to
    /// replace it.
    KeyLimitNear(PeerId),
    /// The peer was silent for the configured timeout. It remains configured.
    TimedOut(PeerId),
    /// The peer was silent for the configured timeout and was removed.
    Expired(PeerName),
}
