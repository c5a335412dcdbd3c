//! Peers by address, for protocols whose peers have distinct addresses.

use core::{mem, net::SocketAddr};

use lock_api::{Mutex, MutexGuard, RawMutex};
use nic_memory::NoMemory;

use crate::{
    hash_table::{HashKey, HashTable},
    protocol::PeerId,
};

/// The addresses of an adapter's peers. The lock is taken before a peer's.
pub(crate) struct PeerAddresses<L> {
    table: Mutex<L, AddressTable>,
}

/// Under the lock.
pub(crate) struct AddressTable {
    entries: HashTable<Entry>,
    hash_key: HashKey,
}

#[derive(Clone, Copy)]
struct Entry {
    address: SocketAddr,
    peer: PeerId,
}

impl<L: RawMutex> PeerAddresses<L> {
    pub(crate) fn new(hash_key: HashKey) -> Self {
        Self { table: Mutex::new(AddressTable { entries: HashTable::new(), hash_key }) }
    }

    /// Makes room for so many addresses. One caller at a time.
    pub(crate) fn reserve(&self, addresses: usize) -> Result<(), NoMemory> {
        if self.table.lock().entries.has_capacity(addresses) {
            return Ok(());
        }
        let mut entries = HashTable::with_capacity(addresses)?;
        let mut table = self.table.lock();
        let hash_key = table.hash_key;
        entries.extend_from(&table.entries, |entry| hash(&hash_key, &entry.address));
        let old = mem::replace(&mut table.entries, entries);
        // The old table is freed under no lock.
        drop(table);
        drop(old);
        Ok(())
    }

    /// Locks the addresses.
    pub(crate) fn lock(&self) -> MutexGuard<'_, L, AddressTable> {
        self.table.lock()
    }
}

impl AddressTable {
    /// Moves a peer to a new address. Returns false, and changes nothing, if another peer has the
    /// address or there is no room.
    pub(crate) fn move_peer(
        &mut self,
        peer: PeerId,
        from: Option<SocketAddr>,
        to: SocketAddr,
    ) -> bool {
        let hash = hash(&self.hash_key, &to);
        match self.entries.find(hash, |entry| entry.address == to) {
            Some(entry) => entry.peer == peer,
            None => {
                if let Some(from) = from {
                    self.remove(peer, &from);
                }
                self.entries.insert(hash, Entry { address: to, peer })
            }
        }
    }

    /// Removes the address of a peer, if it is this peer's.
    pub(crate) fn remove(&mut self, peer: PeerId, address: &SocketAddr) {
        let hash_key = self.hash_key;
        self.entries.remove(
            hash(&hash_key, address),
            |entry| entry.address == *address && entry.peer == peer,
            |entry| hash(&hash_key, &entry.address),
        );
    }
}

fn hash(key: &HashKey, address: &SocketAddr) -> u64 {
    let port = address.port().to_ne_bytes();
    match address {
        SocketAddr::V4(v4) => key.hash(&[&v4.ip().octets(), &port]),
        SocketAddr::V6(v6) => key.hash(&[&v6.ip().octets(), &port]),
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
        let book = PeerAddresses::<PlainLock>::new(HashKey([1; 16]));
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
