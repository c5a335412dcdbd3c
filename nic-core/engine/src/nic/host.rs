//! What a protocol's control plane sees of the nic.

use alloc::boxed::Box;
use nic_memory::{NoMemory, slice};

use crate::{
    Endpoint, Protocol, System,
    nic::{ControlSink, Nic},
    peer_directory::{PeerDirectory, PeerName},
    protocol::{ClaimError, ControlHost, ControlPlane, Discard, Event, PeerId, ReceiverId},
};

/// The nic, borrowed under the control lock.
pub(super) struct Host<'a, P: Protocol, S: System> {
    pub(super) nic: &'a Nic<P, S>,
    pub(super) directory: &'a mut PeerDirectory<P::PeerControl>,
    pub(super) sink: &'a mut dyn ControlSink,
}

impl<P: Protocol, S: System> ControlHost<P> for Host<'_, P, S> {
    fn peer_by_name(&self, name: &PeerName) -> Option<PeerId> {
        self.directory.find(name)
    }

    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId> {
        self.directory.next(after)
    }

    fn peer_by_receiver(&self, receiver: ReceiverId) -> Option<PeerId> {
        self.directory.id(self.nic.receivers.lookup(receiver)?)
    }

    fn peer_control(&mut self, peer: PeerId) -> Option<&mut P::PeerControl> {
        self.directory.control(peer)
    }

    fn with_peer_data(&mut self, peer: PeerId, f: &mut dyn FnMut(&mut P::PeerData)) -> bool {
        self.nic.peers.with_data(peer, |state| f(&mut state.data)).is_some()
    }

    fn allocate_receiver(&mut self, peer: PeerId) -> Option<ReceiverId> {
        self.directory.name(peer)?;
        let sink = &mut *self.sink;
        self.nic.receivers.allocate(peer.index, &mut |bytes| sink.fill_random(bytes))
    }

    fn claim_receiver(&mut self, peer: PeerId, receiver: ReceiverId) -> Result<(), ClaimError> {
        // A peer that is gone gets nothing.
        if self.directory.name(peer).is_none() {
            return Ok(());
        }
        self.nic.receivers.claim(peer.index, receiver)
    }

    fn set_default_peer(&mut self, peer: Option<PeerId>) {
        let peer = peer.filter(|peer| self.directory.name(*peer).is_some());
        self.nic.receivers.set_default_peer(peer.map(|peer| peer.index));
    }

    fn name(&self, peer: PeerId) -> Option<PeerName> {
        self.directory.name(peer).copied()
    }

    fn remove_peer(&mut self, control: &mut P::Control, peer: PeerId) -> bool {
        if self.directory.name(peer).is_none() {
            return false;
        }
        control.peer_removed(self, peer);
        self.nic.routes.remove_peer(peer);
        // Both are dropped here, under no spin lock.
        let state = self.nic.peers.vacate(peer);
        let control = self.directory.remove(peer);
        if let Some(state) = &state {
            self.nic.forget_address(peer, state.endpoint);
        }
        state.is_some() && control.is_some()
    }

    fn release_receiver(&mut self, receiver: ReceiverId) {
        self.nic.receivers.release(receiver);
    }

    fn endpoint(&self, peer: PeerId) -> Option<Endpoint> {
        self.nic.endpoint(peer)
    }

    fn set_endpoint(&mut self, peer: PeerId, endpoint: &Endpoint) {
        if self.nic.endpoint(peer).is_some_and(|before| before.remote == endpoint.remote) {
            self.nic.peers.with_data(peer, |state| state.heard_from(*endpoint));
            return;
        }
        if self.nic.set_endpoint(peer, *endpoint).is_some() {
            self.sink.event(Event::EndpointMoved(peer));
        }
    }

    fn clear_local_address(&mut self, peer: PeerId) {
        self.nic.peers.with_data(peer, |state| {
            if S::FINDS_PATHS {
                state.path.doubt();
            } else if let Some(endpoint) = &mut state.endpoint {
                endpoint.local = None;
            }
        });
    }

    fn send(&mut self, peer: PeerId, datagram: &[u8]) -> bool {
        let endpoint = self.nic.peers.with(peer, |state| {
            // In doubt, the local address is found anew.
            state.endpoint.map(|to| if state.path.is_in_doubt() { to.with_local(None) } else { to })
        });
        let Some(endpoint) = endpoint.flatten() else {
            return false;
        };
        if !self.sink.send(Some(peer), &endpoint, datagram) {
            self.count(Discard::NoMemory);
            return false;
        }
        let bytes = datagram.len() as u64;
        self.nic.peers.with(peer, |state| {
            state.counters.sent_packets += 1;
            state.counters.sent_bytes += bytes;
        });
        self.nic.statistics.sent(0, bytes);
        true
    }

    fn send_sealed(&mut self, peer: PeerId, message: &[u8]) -> bool {
        let Ok(message) = boxed_bytes(message) else {
            return false;
        };
        let is_queued = self.nic.peers.with(peer, |state| state.queue_control(message));
        // A message without room is freed here, under no spin lock.
        if !matches!(is_queued, Some(Ok(()))) {
            return false;
        }
        self.sink.pump(peer);
        true
    }

    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool {
        // Its sender is not known until userspace has authenticated it: it is not counted as
        // received.
        let is_taken = self.sink.hand_up(from, datagram);
        if !is_taken {
            self.count(Discard::QueueFull);
        }
        is_taken
    }

    fn reply(&mut self, to: &Endpoint, datagram: &[u8]) {
        if self.sink.send(None, to, datagram) {
            self.nic.statistics.sent(0, datagram.len() as u64);
        } else {
            self.count(Discard::NoMemory);
        }
    }

    fn received(&mut self, peer: PeerId, datagram_bytes: usize) {
        self.nic.peers.with(peer, |state| {
            state.counters.received_packets += 1;
            state.counters.received_bytes += datagram_bytes as u64;
        });
        self.nic.statistics.received(0, datagram_bytes as u64);
    }

    fn send_queued(&mut self, peer: PeerId) -> bool {
        let waits = self.nic.peers.with(peer, |state| state.has_queued());
        if waits == Some(true) {
            self.sink.pump(peer);
            return true;
        }
        false
    }

    fn send_keepalive(&mut self, peer: PeerId) {
        if self.nic.peers.with(peer, |state| state.keepalive = true).is_some() {
            self.sink.pump(peer);
        }
    }

    fn drop_queued(&mut self, peer: PeerId) {
        self.nic.clear_backlog(peer, Discard::NoKey);
    }

    fn is_under_load(&self) -> bool {
        self.sink.is_under_load()
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        self.sink.fill_random(bytes)
    }

    fn count(&mut self, reason: Discard) {
        self.nic.statistics.discarded(reason, 1);
    }

    fn event(&mut self, event: Event) {
        self.sink.event(event);
    }
}

/// A copy of a message.
fn boxed_bytes(bytes: &[u8]) -> Result<Box<[u8]>, NoMemory> {
    slice(bytes.len(), |at| bytes.get(at).copied().unwrap_or_default())
}
