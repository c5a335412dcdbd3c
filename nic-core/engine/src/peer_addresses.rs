//! Which peer is at which address, where no two may be at one.

use core::{hash::Hasher, mem, net::SocketAddr};

use alloc::vec::Vec;
use lock_api::{Mutex, MutexGuard, RawMutex};
use nic_memory::{NoMemory, slice};
use siphasher::sip::SipHasher13;

use crate::protocol::PeerId;

/// The addresses of an adapter's peers.
///
/// Addresses are hashed with SipHash under a secret of the adapter: nobody can choose some that
/// fall into one place. The lock is taken before a peer's.
pub(crate) struct PeerAddresses<L> {
    table: Mutex<L, Table>,
}

/// An open-addressed hash table, at most half full.
pub(crate) struct Table {
    entries: Vec<Option<Entry>>,
    hash_key: [u8; 16],
}

#[derive(Clone, Copy)]
struct Entry {
    address: SocketAddr,
    peer: PeerId,
}

impl<L: RawMutex> PeerAddresses<L> {
    pub(crate) fn new(hash_key: [u8; 16]) -> Self {
        Self { table: Mutex::new(Table { entries: Vec::new(), hash_key }) }
    }

    /// Makes room for so many addresses. One caller at a time.
    pub(crate) fn reserve(&self, addresses: usize) -> Result<(), NoMemory> {
        let length = (addresses.max(8) * 2).next_power_of_two();
        if length <= self.table.lock().entries.len() {
            return Ok(());
        }
        let mut new = Table { entries: slice(length, |_| None)?.into_vec(), hash_key: [0; 16] };
        let mut table = self.table.lock();
        new.hash_key = table.hash_key;
        for entry in table.entries.iter().flatten() {
            new.insert(*entry);
        }
        mem::swap(&mut *table, &mut new);
        // What `new` holds now is freed under no lock.
        drop(table);
        Ok(())
    }

    /// The addresses, to be looked at and changed.
    pub(crate) fn lock(&self) -> MutexGuard<'_, L, Table> {
        self.table.lock()
    }
}

impl Table {
    /// Notes that a peer has moved. False, and nothing changes, where the new address is another's
    /// or there is no room.
    pub(crate) fn move_peer(
        &mut self,
        peer: PeerId,
        from: Option<SocketAddr>,
        to: SocketAddr,
    ) -> bool {
        match self.find(&to) {
            Some(at) => self.entries.get(at).copied().flatten().is_some_and(|it| it.peer == peer),
            None => {
                if let Some(from) = from {
                    self.remove(peer, &from);
                }
                self.insert(Entry { address: to, peer })
            }
        }
    }

    /// Forgets that a peer is at an address.
    pub(crate) fn remove(&mut self, peer: PeerId, address: &SocketAddr) {
        let Some(mut hole) = self.find(address) else { return };
        if self.entries.get(hole).copied().flatten().is_none_or(|it| it.peer != peer) {
            return;
        }
        let mask = self.entries.len().wrapping_sub(1);
        // Entries behind the hole that may lie in it move up, so that no search ends too early.
        let start = hole;
        for step in 1..self.entries.len() {
            let at = (start + step) & mask;
            let Some(entry) = self.entries.get(at).copied().flatten() else { break };
            let home = self.home(&entry.address);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.set(hole, Some(entry));
                hole = at;
            }
        }
        self.set(hole, None);
    }

    fn insert(&mut self, entry: Entry) -> bool {
        let place = self.search(&entry.address).find(|&at| self.is_free(at));
        if let Some(place) = place {
            self.set(place, Some(entry));
        }
        place.is_some()
    }

    /// Where an address is.
    fn find(&self, address: &SocketAddr) -> Option<usize> {
        self.search(address).take_while(|&at| !self.is_free(at)).find(|&at| {
            self.entries.get(at).copied().flatten().is_some_and(|it| it.address == *address)
        })
    }

    /// All places, from the home of an address on.
    fn search(&self, address: &SocketAddr) -> impl Iterator<Item = usize> + use<> {
        let (home, length) = (self.home(address), self.entries.len());
        (0..length).map(move |step| (home + step) & length.wrapping_sub(1))
    }

    fn is_free(&self, at: usize) -> bool {
        self.entries.get(at).copied().flatten().is_none()
    }

    fn set(&mut self, at: usize, entry: Option<Entry>) {
        if let Some(place) = self.entries.get_mut(at) {
            *place = entry;
        }
    }

    fn home(&self, address: &SocketAddr) -> usize {
        let mut hasher = SipHasher13::new_with_key(&self.hash_key);
        match address {
            SocketAddr::V4(v4) => hasher.write(&v4.ip().octets()),
            SocketAddr::V6(v6) => hasher.write(&v6.ip().octets()),
        }
        hasher.write(&address.port().to_ne_bytes());
        hasher.finish() as usize & self.entries.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::plain::PlainLock;

    fn peer(index: u32) -> PeerId {
        PeerId { index, generation: 0 }
    }

    fn address(number: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, (number >> 8) as u8], number | 1))
    }

    #[test]
    fn peers_move_to_free_addresses_alone() {
        let book = PeerAddresses::<PlainLock>::new([1; 16]);
        assert!(!book.lock().move_peer(peer(0), None, address(1)), "there is no room");
        book.reserve(100).unwrap();
        let mut model: HashMap<SocketAddr, u32> = HashMap::new();
        let mut at: HashMap<u32, SocketAddr> = HashMap::new();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..50_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let (index, to) = (random as u32 % 100, address((random >> 32) as u16 % 300));
            let mut table = book.lock();
            if random >> 60 == 0 {
                if let Some(from) = at.remove(&index) {
                    table.remove(peer(index), &from);
                    model.remove(&from);
                }
                continue;
            }
            let is_free = model.get(&to).is_none_or(|owner| *owner == index);
            let from = at.get(&index).copied();
            assert_eq!(table.move_peer(peer(index), from, to), is_free);
            if is_free {
                from.map(|from| model.remove(&from));
                model.insert(to, index);
                at.insert(index, to);
            }
        }
        book.reserve(1000).unwrap();
        for (owned, owner) in model {
            assert!(!book.lock().move_peer(peer(owner + 1000), None, owned));
            assert!(book.lock().move_peer(peer(owner), Some(owned), owned));
        }
    }
}
