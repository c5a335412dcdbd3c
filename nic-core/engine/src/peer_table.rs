//! Peers as the data path finds them.

use core::sync::atomic::{AtomicU64, Ordering};

use nic_memory::{Boxed, NoMemory};

use crate::{
    Instant, Protocol, System,
    arena::Arena,
    peer::{Peer, PeerSlot},
    protocol::PeerId,
};

/// All peers' slots, which never move, and their deadlines, which lie side by side so that one pass over all is short.
pub(crate) struct PeerTable<P: Protocol, S: System> {
    slots: Arena<PeerSlot<P, S>>,
    deadlines: Arena<AtomicU64>,
    /// No deadline is earlier.
    earliest: AtomicU64,
}

impl<P: Protocol, S: System> PeerTable<P, S> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: Arena::new(),
            deadlines: Arena::new(),
            earliest: AtomicU64::new(Instant::NEVER.as_nanos()),
        }
    }

    /// Makes room for peers with an index below `length`. Control lock.
    pub(crate) fn grow(&self, length: usize) -> Result<(), NoMemory> {
        self.deadlines.grow(length, || AtomicU64::new(Instant::NEVER.as_nanos()))?;
        self.slots.grow(length, PeerSlot::new)
    }

    /// Calls `f` with a peer, under its lock; `None` where it is gone.
    pub(crate) fn with<R>(&self, id: PeerId, f: impl FnOnce(&mut Peer<P, S>) -> R) -> Option<R> {
        let slot = self.slots.get(id.index as usize)?;
        let mut occupant = slot.occupant.lock();
        if occupant.generation != id.generation {
            return None;
        }
        let [peer] = &mut **occupant.peer.as_mut()?;
        Some(f(peer))
    }

    /// Like [`PeerTable::with`], for what changes the protocol's data: its deadline is read afterwards. Also returns whether
    /// the control thread has to look sooner than it knows.
    pub(crate) fn with_data<R>(
        &self,
        id: PeerId,
        f: impl FnOnce(&mut Peer<P, S>) -> R,
    ) -> Option<(R, bool)> {
        self.with(id, |peer| {
            let result = f(peer);
            (result, self.set_deadline(id.index, P::deadline(&peer.data)))
        })
    }

    /// Like [`PeerTable::with`], for whoever has the slot now.
    pub(crate) fn with_index<R>(
        &self,
        index: u32,
        f: impl FnOnce(PeerId, &mut Peer<P, S>) -> R,
    ) -> Option<R> {
        let mut occupant = self.slots.get(index as usize)?.occupant.lock();
        let generation = occupant.generation;
        let [peer] = &mut **occupant.peer.as_mut()?;
        Some(f(PeerId { index, generation }, peer))
    }

    /// Lets a peer have a slot. Control lock.
    pub(crate) fn occupy(&self, index: u32, peer: Boxed<Peer<P, S>>) -> Option<PeerId> {
        let mut occupant = self.slots.get(index as usize)?.occupant.lock();
        let [state] = &*peer;
        self.set_deadline(index, P::deadline(&state.data));
        occupant.peer = Some(peer);
        Some(PeerId { index, generation: occupant.generation })
    }

    /// Takes a peer out of its slot; its name never matches again. To be dropped under no spin lock. Control lock.
    pub(crate) fn vacate(&self, id: PeerId) -> Option<Boxed<Peer<P, S>>> {
        let mut occupant = self.slots.get(id.index as usize)?.occupant.lock();
        if occupant.generation != id.generation {
            return None;
        }
        let peer = occupant.peer.take()?;
        occupant.generation = occupant.generation.wrapping_add(1);
        self.set_deadline(id.index, Instant::NEVER);
        Some(peer)
    }

    /// The deadline of whoever has a slot.
    pub(crate) fn deadline(&self, index: u32) -> Instant {
        self.deadlines.get(index as usize).map_or(Instant::NEVER, load)
    }

    /// Notes a deadline. True where it is earlier than all others. Peer lock.
    fn set_deadline(&self, index: u32, deadline: Instant) -> bool {
        if let Some(cell) = self.deadlines.get(index as usize) {
            cell.store(deadline.as_nanos(), Ordering::Relaxed);
        }
        self.lower_earliest(deadline)
    }

    /// A time before which no deadline passes.
    pub(crate) fn earliest(&self) -> Instant {
        load(&self.earliest)
    }

    /// Notes a time at which deadlines are to be looked at. True where it is earlier than all others.
    pub(crate) fn lower_earliest(&self, deadline: Instant) -> bool {
        deadline < load(&self.earliest)
            && deadline.as_nanos() < self.earliest.fetch_min(deadline.as_nanos(), Ordering::SeqCst)
    }

    /// Forgets the earliest deadline; whoever calls this looks at all of them next.
    pub(crate) fn reset_earliest(&self) {
        self.earliest.swap(Instant::NEVER.as_nanos(), Ordering::SeqCst);
    }
}

fn load(cell: &AtomicU64) -> Instant {
    Instant::from_nanos(cell.load(Ordering::Relaxed))
}
