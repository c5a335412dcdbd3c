//! Configuration: peers, their addresses and routes.

use alloc::boxed::Box;
use nic_memory::{NoMemory, boxed};

use crate::{
    Endpoint, Now, Protocol, System,
    nic::{ControlSink, ControlState, Nic, host::Host},
    peer::{Peer, PeerCounters},
    peer_directory::{AddPeerError, PeerName},
    protocol::{Addresses, ClaimError, ControlHost, ControlPlane, PeerId},
    routes::{InsertError, Prefix},
};

/// The adapter under its control lock, to be configured.
///
/// To apply a set of changes whole or not at all: make every [`NewPeer`],
/// [`Configurator::reserve`] what they need, and check the rest; what follows then can't fail.
pub struct Configurator<'a, P: Protocol, S: System> {
    nic: &'a Nic<P, S>,
    control: &'a mut ControlState<P>,
    sink: &'a mut dyn ControlSink,
    now: Now,
}

/// A peer with all memory that it needs, to be added.
pub struct NewPeer<P: Protocol, S: System> {
    name: PeerName,
    control: Box<P::PeerControl>,
    state: Box<Peer<P, S>>,
}

impl<P: Protocol, S: System> NewPeer<P, S> {
    /// Prepares a peer.
    #[inline(never)] // Its frame is large, and not its caller's.
    pub fn new(
        name: PeerName,
        control: P::PeerControl,
        data: P::PeerData,
    ) -> Result<Self, NoMemory> {
        Ok(Self { name, control: boxed(control)?, state: boxed(Peer::new(data))? })
    }
}

impl<P: Protocol, S: System> Nic<P, S> {
    /// Lets `f` configure the adapter, under the control lock. The control thread is to be woken
    /// afterwards: deadlines may have changed.
    pub fn configure<R>(
        &self,
        now: Now,
        sink: &mut dyn ControlSink,
        f: impl FnOnce(&mut Configurator<'_, P, S>) -> R,
    ) -> R {
        let mut control = self.control.lock();
        let result = f(&mut Configurator { nic: self, control: &mut control, sink, now });
        self.renew_address_validator(&control);
        result
    }
}

impl<P: Protocol, S: System> Configurator<'_, P, S> {
    /// The time that was given to [`Nic::configure`].
    pub const fn now(&self) -> Now {
        self.now
    }

    /// The protocol's state of the adapter.
    pub fn protocol(&mut self) -> &mut P::Control {
        &mut self.control.protocol
    }

    /// Calls the protocol with its state and the host, as it is used to.
    pub fn with_protocol<R>(
        &mut self,
        f: impl FnOnce(&mut P::Control, &mut dyn ControlHost<P>) -> R,
    ) -> R {
        let ControlState { protocol, directory, .. } = &mut *self.control;
        f(protocol, &mut Host { nic: self.nic, directory, sink: self.sink })
    }

    /// Makes sure that so many peers and prefixes can be added without memory, and that there may
    /// be so many peers.
    pub fn reserve(
        &mut self,
        peers: usize,
        v4_prefixes: usize,
        v6_prefixes: usize,
    ) -> Result<(), AddPeerError> {
        self.control.directory.reserve(peers)?;
        let slots = self.control.directory.slots_for(peers);
        self.nic.peers.grow(slots)?;
        self.nic.routes.reserve(v4_prefixes, v6_prefixes, slots)?;
        Ok(())
    }

    /// How many peers there are.
    pub const fn peer_count(&self) -> usize {
        self.control.directory.len()
    }

    /// Adds a peer. After [`Configurator::reserve`] this fails only where one with its name
    /// exists, or the protocol finds no room.
    pub fn add_peer(&mut self, new: NewPeer<P, S>) -> Result<PeerId, AddPeerError> {
        let NewPeer { name, control, state } = new;
        let directory = &mut self.control.directory;
        directory.reserve(1)?;
        self.nic.peers.grow(directory.slots_for(1))?;
        if P::ADDRESSES == Addresses::Exclusive {
            self.nic.addresses.reserve(directory.len().saturating_add(1))?;
        }
        if directory.find(&name).is_some() {
            return Err(AddPeerError::Exists);
        }
        let index = directory.next_index();
        let peer = self.nic.peers.occupy(index, state).ok_or(AddPeerError::NoMemory)?;
        if let Err(error) = directory.add(&name, peer.generation, control) {
            self.nic.peers.vacate(peer);
            return Err(error);
        }
        let claimed = self.with_protocol(|protocol, host| {
            protocol.peer_added(host, peer).inspect_err(|_| {
                host.remove_peer(protocol, peer);
            })
        });
        match claimed {
            Ok(()) => Ok(peer),
            Err(ClaimError::Taken) => Err(AddPeerError::Exists),
            Err(ClaimError::NoMemory) => Err(AddPeerError::NoMemory),
        }
    }

    /// Removes a peer with its routes, receivers and whatever it has queued. False where it is gone
    /// already.
    pub fn remove_peer(&mut self, peer: PeerId) -> bool {
        self.with_protocol(|protocol, host| host.remove_peer(protocol, peer))
    }

    /// The peer with this name.
    pub fn peer_by_name(&self, name: &PeerName) -> Option<PeerId> {
        self.control.directory.find(name)
    }

    /// The peer behind this one, or the first: in the order of creation, except that a new peer
    /// takes a removed one's place.
    pub fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId> {
        self.control.directory.next(after)
    }

    /// All peers, in that order.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> {
        core::iter::successors(self.next_peer(None), |&last| self.next_peer(Some(last)))
    }

    /// What a peer is called.
    pub fn name(&self, peer: PeerId) -> Option<&PeerName> {
        self.control.directory.name(peer)
    }

    /// A peer's control state.
    pub fn peer_control(&mut self, peer: PeerId) -> Option<&mut P::PeerControl> {
        self.control.directory.control(peer)
    }

    /// Calls `f` with a peer's data state under the peer lock. False where the peer is gone.
    pub fn with_peer_data(&mut self, peer: PeerId, f: impl FnOnce(&mut P::PeerData)) -> bool {
        self.nic.peers.with_data(peer, |state| f(&mut state.data)).is_some()
    }

    /// A peer's counters.
    pub fn peer_counters(&self, peer: PeerId) -> Option<PeerCounters> {
        self.nic.peer_counters(peer)
    }

    /// Where a peer is.
    pub fn endpoint(&self, peer: PeerId) -> Option<Endpoint> {
        self.nic.endpoint(peer)
    }

    /// Sets where a peer is. False where the peer is gone.
    pub fn set_endpoint(&mut self, peer: PeerId, endpoint: Endpoint) -> bool {
        self.nic.set_endpoint(peer, endpoint).is_some()
    }

    /// Gives a prefix to a peer; another peer that had it loses it. After
    /// [`Configurator::reserve`] this fails only where the prefix is longer than its address. A
    /// peer that is gone gets nothing.
    pub fn add_route(&mut self, peer: PeerId, prefix: Prefix) -> Result<(), InsertError> {
        if self.control.directory.name(peer).is_none() {
            return Ok(());
        }
        self.nic.routes.insert(prefix, peer)
    }

    /// Takes a prefix from a peer. False where it is not the peer's.
    pub fn remove_route(&mut self, peer: PeerId, prefix: Prefix) -> bool {
        self.nic.routes.remove(prefix, peer)
    }

    /// The peer that has a prefix, exactly this one.
    pub fn route_owner(&self, prefix: Prefix) -> Option<PeerId> {
        self.nic.routes.owner(prefix)
    }

    /// Takes all prefixes from a peer.
    pub fn clear_routes(&mut self, peer: PeerId) {
        self.nic.routes.remove_peer(peer);
    }

    /// Calls `f` with each prefix of a peer: IPv4, then IPv6, each in the order in which the peer
    /// got them.
    pub fn for_each_route(&self, peer: PeerId, f: &mut dyn FnMut(Prefix)) {
        self.nic.routes.for_each(peer, f);
    }
}
