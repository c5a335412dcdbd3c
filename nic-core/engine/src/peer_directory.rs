//! Peers as the control plane finds them: by name, and one after the other.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use alloc::boxed::Box;
use nic_memory::{MinHeap, NoMemory, Push};

use crate::{
    hash_table::{HashKey, HashTable},
    protocol::PeerId,
};

/// The most peers an adapter can have.
pub const MAX_PEERS: usize = 1 << 20;

/// What names a peer to userspace: a public key, or whatever else fits into 32 bytes.
pub type PeerName = [u8; 32];

/// Why a peer was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddPeerError {
    /// There are [`MAX_PEERS`] already.
    TooManyPeers,
    /// A peer with this name exists, or one that needs the same context.
    Exists,
    /// Memory ran out.
    NoMemory,
}

impl From<NoMemory> for AddPeerError {
    fn from(NoMemory: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// Assigns slots to peers, finds peers by name, and holds their control state. Under the control
/// lock.
pub(crate) struct PeerDirectory<C> {
    /// By slot.
    entries: Vec<Entry<C>>,
    /// Slots that were used before; the lowest is used first, which keeps peers in the order of
    /// creation where all were removed.
    free: MinHeap<u32>,
    /// The slot + 1 of each peer, by name.
    by_name: HashTable<NonZeroU32>,
    count: usize,
    /// No slot below this one has a peer: removing all, from the first on, looks at each slot once.
    first: usize,
    hash_key: HashKey,
}

struct Entry<C> {
    name: PeerName,
    generation: u32,
    control: Option<Box<C>>,
}

impl<C> PeerDirectory<C> {
    pub(crate) const fn new(hash_key: HashKey) -> Self {
        Self {
            entries: Vec::new(),
            free: MinHeap::new(),
            by_name: HashTable::new(),
            count: 0,
            first: 0,
            hash_key,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// How many slots there must be for `more` peers beside those that there are.
    pub(crate) fn slots_for(&self, more: usize) -> usize {
        self.entries.len() + more.saturating_sub(self.free.len())
    }

    /// Makes sure that so many peers can be added without memory.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), AddPeerError> {
        let count = self.count.saturating_add(more);
        if count > MAX_PEERS {
            return Err(AddPeerError::TooManyPeers);
        }
        let slots = self.slots_for(more);
        self.entries.try_reserve(slots.saturating_sub(self.entries.len())).map_err(|_| NoMemory)?;
        // Every slot may become free; then giving one back takes no memory.
        self.free.try_reserve(slots.saturating_sub(self.free.len()))?;
        if !self.by_name.has_capacity(count) {
            let mut by_name = HashTable::with_capacity(count)?;
            by_name.extend_from(&self.by_name, |slot| hash(&self.hash_key, &self.entries, *slot));
            self.by_name = by_name;
        }
        Ok(())
    }

    /// The peer with this name.
    pub(crate) fn find(&self, name: &PeerName) -> Option<PeerId> {
        let slot = self.by_name.find(self.hash_key.hash(&[name]), |slot| {
            entry(&self.entries, *slot).is_some_and(|entry| entry.name == *name)
        })?;
        self.id(slot.get() - 1)
    }

    /// The peer in this slot.
    pub(crate) fn id(&self, index: u32) -> Option<PeerId> {
        let entry = self.entries.get(index as usize)?;
        entry.control.as_ref().map(|_| PeerId { index, generation: entry.generation })
    }

    /// The peer in the first used slot behind this one's.
    pub(crate) fn next(&self, after: Option<PeerId>) -> Option<PeerId> {
        let start = after.map_or(self.first, |id| id.index as usize + 1);
        let rest = self.entries.get(start..)?;
        let ahead = rest.iter().position(|entry| entry.control.is_some())?;
        self.id(u32::try_from(start + ahead).ok()?)
    }

    /// The slot that the next peer gets.
    pub(crate) fn next_index(&self) -> u32 {
        self.free.peek().unwrap_or(self.entries.len() as u32)
    }

    /// Adds a peer, whose slot is [`PeerDirectory::next_index`] and has this generation.
    pub(crate) fn add(
        &mut self,
        name: &PeerName,
        generation: u32,
        control: Box<C>,
    ) -> Result<(), AddPeerError> {
        self.reserve(1)?;
        if self.find(name).is_some() {
            return Err(AddPeerError::Exists);
        }
        let index = self.next_index();
        let entry = Entry { name: *name, generation, control: Some(control) };
        match self.entries.get_mut(index as usize) {
            Some(slot) => {
                *slot = entry;
                self.free.pop();
            }
            None => self.entries.try_push(entry)?,
        }
        self.count += 1;
        self.first = self.first.min(index as usize);
        if let Some(slot) = NonZeroU32::new(index.saturating_add(1)) {
            // `reserve` made room.
            self.by_name.insert(self.hash_key.hash(&[name]), slot);
        }
        Ok(())
    }

    /// Takes a peer out.
    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Box<C>> {
        let entry = self.entries.get(id.index as usize)?;
        if entry.generation != id.generation || entry.control.is_none() {
            return None;
        }
        let (entries, hash_key) = (&self.entries, &self.hash_key);
        self.by_name.remove(
            hash_key.hash(&[&entry.name]),
            |slot| slot.get() - 1 == id.index,
            |slot| hash(hash_key, entries, *slot),
        );
        self.count = self.count.saturating_sub(1);
        // `reserve` made room for every slot.
        let _ = self.free.push(id.index);
        let control = self.entries.get_mut(id.index as usize)?.control.take();
        if self.first == id.index as usize {
            self.first = self.next(Some(id)).map_or(self.entries.len(), |next| next.index as usize);
        }
        control
    }

    pub(crate) fn name(&self, id: PeerId) -> Option<&PeerName> {
        let entry = self.entries.get(id.index as usize)?;
        (entry.generation == id.generation && entry.control.is_some()).then_some(&entry.name)
    }

    pub(crate) fn control(&mut self, id: PeerId) -> Option<&mut C> {
        let entry = self.entries.get_mut(id.index as usize)?;
        if entry.generation != id.generation {
            return None;
        }
        entry.control.as_deref_mut()
    }
}

fn entry<C>(entries: &[Entry<C>], slot: NonZeroU32) -> Option<&Entry<C>> {
    entries.get(slot.get() as usize - 1)
}

/// The hash of the name in a slot.
fn hash<C>(key: &HashKey, entries: &[Entry<C>], slot: NonZeroU32) -> u64 {
    entry(entries, slot).map_or(0, |entry| key.hash(&[&entry.name]))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use nic_memory::boxed;

    fn name(number: u32) -> PeerName {
        let mut name = [7; 32];
        name[..4].copy_from_slice(&number.to_le_bytes());
        name
    }

    #[test]
    fn it_agrees_with_a_map() {
        let mut directory = PeerDirectory::new(HashKey([3; 16]));
        let mut model: HashMap<u32, PeerId> = HashMap::new();
        let mut generations: HashMap<u32, u32> = HashMap::new();
        let mut random = 1_u64;
        for _ in 0..50_000 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let number = (random >> 33) as u32 % 500;
            match model.remove(&number) {
                Some(id) => {
                    let control = *directory.remove(id).unwrap();
                    assert_eq!(control, number);
                    assert!(directory.remove(id).is_none() && directory.control(id).is_none());
                    *generations.entry(id.index).or_default() += 1;
                }
                None => {
                    let index = directory.next_index();
                    let generation = *generations.entry(index).or_default();
                    directory.add(&name(number), generation, boxed(number).unwrap()).unwrap();
                    assert_eq!(
                        directory.add(&name(number), 0, boxed(0).unwrap()),
                        Err(AddPeerError::Exists)
                    );
                    model.insert(number, PeerId { index, generation });
                }
            }
            assert_eq!(directory.find(&name(number)), model.get(&number).copied());
            assert_eq!(directory.len(), model.len());
        }
        for number in 0..500 {
            assert_eq!(directory.find(&name(number)), model.get(&number).copied());
        }
        let mut seen = 0;
        let mut last = None;
        while let Some(id) = directory.next(last) {
            assert!(last.is_none_or(|last: PeerId| last.index < id.index));
            assert_eq!(directory.find(&directory.name(id).copied().unwrap()), Some(id));
            last = Some(id);
            seen += 1;
        }
        assert_eq!(seen, model.len());
    }

    #[test]
    fn peers_are_visited_in_the_order_of_creation() {
        let mut directory = PeerDirectory::new(HashKey([0; 16]));
        for number in 0..100 {
            directory.add(&name(number), 0, boxed(number).unwrap()).unwrap();
        }
        let mut last = None;
        for number in 0..100 {
            last = directory.next(last);
            assert_eq!(directory.control(last.unwrap()).copied(), Some(number));
        }
        assert_eq!(directory.next(last), None);
        while let Some(first) = directory.next(None) {
            assert!(directory.remove(first).is_some());
        }
        for number in 0..3 {
            directory.add(&name(number), 1, boxed(number).unwrap()).unwrap();
        }
        let ids = core::iter::successors(directory.next(None), |&last| directory.next(Some(last)));
        assert!(ids.map(|id| id.index).eq(0..3));
    }

    #[test]
    fn what_was_reserved_takes_no_memory_later() {
        let mut directory = PeerDirectory::new(HashKey([0; 16]));
        directory.reserve(1000).unwrap();
        let capacities = |directory: &PeerDirectory<u32>| {
            (
                directory.entries.capacity(),
                directory.by_name.slot_count(),
                directory.free.capacity(),
            )
        };
        let before = capacities(&directory);
        for number in 0..1000 {
            directory.add(&name(number), 0, boxed(number).unwrap()).unwrap();
        }
        assert_eq!(capacities(&directory), before);
        assert_eq!(directory.reserve(MAX_PEERS), Err(AddPeerError::TooManyPeers));
        directory.reserve(MAX_PEERS - 1000).unwrap();
    }
}
