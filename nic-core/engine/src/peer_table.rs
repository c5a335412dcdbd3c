//! The peer table of the data path.

use alloc::boxed::Box;
use nic_memory::NoMemory;

use crate::{
    Instant, Protocol, System,
    arena::Arena,
    deadlines::Deadlines,
    peer::{Peer, PeerSlot},
    protocol::PeerId,
};

/// All peers' slots, which never move, and their deadlines.
pub(crate) struct PeerTable<P: Protocol, S: System> {
    slots: Arena<PeerSlot<P, S>>,
    pub(crate) deadlines: Deadlines,
}

impl<P: Protocol, S: System> PeerTable<P, S> {
    pub(crate) const fn new() -> Self {
        Self { slots: Arena::new(), deadlines: Deadlines::new() }
    }

    /// Makes room for peers with an index below `length`. Control lock.
    pub(crate) fn grow(&self, length: usize) -> Result<(), NoMemory> {
        self.deadlines.grow(length)?;
        self.slots.grow(length, PeerSlot::new)
    }

    /// Calls `f` with a peer, under its lock; `None` where it is gone.
    pub(crate) fn with<R>(&self, id: PeerId, f: impl FnOnce(&mut Peer<P, S>) -> R) -> Option<R> {
        let slot = self.slots.get(id.index as usize)?;
        let mut occupant = slot.occupant.lock();
        if occupant.generation != id.generation {
            return None;
        }
        Some(f(occupant.peer.as_deref_mut()?))
    }

    /// Like [`PeerTable::with`], for what changes the protocol's data: its deadline is read
    /// afterwards. Also returns whether the control thread has to look sooner than it knows.
    pub(crate) fn with_data<R>(
        &self,
        id: PeerId,
        f: impl FnOnce(&mut Peer<P, S>) -> R,
    ) -> Option<(R, bool)> {
        self.with(id, |peer| {
            let result = f(peer);
            (result, self.deadlines.set(id.index, peer.deadline()))
        })
    }

    /// Like [`PeerTable::with`], for the current occupant of a slot.
    pub(crate) fn with_index<R>(
        &self,
        index: u32,
        f: impl FnOnce(PeerId, &mut Peer<P, S>) -> R,
    ) -> Option<R> {
        let mut occupant = self.slots.get(index as usize)?.occupant.lock();
        let generation = occupant.generation;
        let peer = occupant.peer.as_deref_mut()?;
        Some(f(PeerId { index, generation }, peer))
    }

    /// Puts a peer into a slot. Control lock.
    pub(crate) fn occupy(&self, index: u32, peer: Box<Peer<P, S>>) -> Option<PeerId> {
        let mut occupant = self.slots.get(index as usize)?.occupant.lock();
        self.deadlines.set(index, peer.deadline());
        occupant.peer = Some(peer);
        Some(PeerId { index, generation: occupant.generation })
    }

    /// Takes a peer out of its slot; its name never matches again. To be dropped under no spin
    /// lock. Control lock.
    pub(crate) fn vacate(&self, id: PeerId) -> Option<Box<Peer<P, S>>> {
        let mut occupant = self.slots.get(id.index as usize)?.occupant.lock();
        if occupant.generation != id.generation {
            return None;
        }
        let peer = occupant.peer.take()?;
        occupant.generation = occupant.generation.wrapping_add(1);
        self.deadlines.set(id.index, Instant::NEVER);
        Some(peer)
    }
}
