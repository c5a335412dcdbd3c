//! The services of the engine for a protocol's control plane.

use super::{Discard, Event, PeerId, Protocol, ReceiverId};
use crate::{Endpoint, PeerName};

/// Why a receiver ID can't be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Another peer has it.
    Taken,
    /// Memory ran out.
    NoMemory,
}

/// The engine, as a protocol's control plane uses it. All methods are called under the control
/// lock.
pub trait ControlHost<P: Protocol> {
    /// The peer with this name.
    fn peer_by_name(&self, name: &PeerName) -> Option<PeerId>;
    /// The peer that follows `after` in the order of the table, or the first for `None`; `None` at
    /// the end. `after` may have been removed. Visits each peer once if none is added meanwhile.
    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId>;
    /// The peer that owns a receiver ID.
    fn peer_by_receiver(&self, receiver: ReceiverId) -> Option<PeerId>;
    /// A peer's control state.
    fn peer_control(&mut self, peer: PeerId) -> Option<&mut P::PeerControl>;
    /// Calls `f` with a peer's data state under the peer lock; `f` must be short. Returns false if
    /// the peer is gone.
    fn with_peer_data(&mut self, peer: PeerId, f: &mut dyn FnMut(&mut P::PeerData)) -> bool;
    /// Allocates an unpredictable, unused receiver ID for a peer; `None` if memory ran out.
    fn allocate_receiver(&mut self, peer: PeerId) -> Option<ReceiverId>;
    /// Assigns a receiver ID of the protocol's choice to a peer.
    fn claim_receiver(&mut self, peer: PeerId, receiver: ReceiverId) -> Result<(), ClaimError>;
    /// Releases a receiver ID.
    fn release_receiver(&mut self, receiver: ReceiverId);
    /// Sets the peer that receives all data packets with an unassigned receiver ID; `None` for no
    /// peer.
    fn set_default_peer(&mut self, peer: Option<PeerId>);
    /// A peer's name.
    fn name(&self, peer: PeerId) -> Option<PeerName>;
    /// Removes a peer, which includes a call of [`super::ControlPlane::peer_removed`]. Returns
    /// false if it is gone already.
    fn remove_peer(&mut self, control: &mut P::Control, peer: PeerId) -> bool;
    /// A peer's endpoint.
    fn endpoint(&self, peer: PeerId) -> Option<Endpoint>;
    /// Sets a peer's endpoint.
    fn set_endpoint(&mut self, peer: PeerId, endpoint: &Endpoint);
    /// Clears the local address of a peer's endpoint.
    fn clear_local_address(&mut self, peer: PeerId);
    /// Sends a control message to a peer, and counts it as the peer's traffic. Returns false if the
    /// peer's endpoint is not known or memory ran out.
    fn send(&mut self, peer: PeerId, datagram: &[u8]) -> bool;
    /// Seals a control message under the peer's data key and sends it in front of queued packets.
    /// It waits if there is no key. Returns false if too many messages wait or memory ran out.
    fn send_sealed(&mut self, peer: PeerId, message: &[u8]) -> bool;
    /// Hands a control message up to userspace. Returns false, and counts it, if there is no room.
    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool;
    /// Sends a control message to the source of a datagram.
    fn reply(&mut self, to: &Endpoint, datagram: &[u8]);
    /// Counts the bytes of an authentic control message as the peer's received traffic.
    fn received(&mut self, peer: PeerId, datagram_bytes: usize);
    /// Sends what waits for a key. Returns true if something waited.
    fn send_queued(&mut self, peer: PeerId) -> bool;
    /// Sends a keepalive.
    fn send_keepalive(&mut self, peer: PeerId);
    /// Drops what waits for a key.
    fn drop_queued(&mut self, peer: PeerId);
    /// Whether handshakes arrive faster than they can be handled.
    fn is_under_load(&self) -> bool;
    /// Fills a buffer with cryptographically secure random bytes. Returns false if the system has
    /// none; the bytes must not be used then.
    fn fill_random(&mut self, bytes: &mut [u8]) -> bool;
    /// Counts a discarded control message.
    fn count(&mut self, reason: Discard);
    /// Reports an event to userspace.
    fn event(&mut self, event: Event);
}
