//! A hash table whose keys lie in its values or beside it.

use alloc::vec::Vec;
use core::hash::Hasher;

use nic_memory::{NoMemory, slice};
use siphasher::sip::SipHasher13;

/// An open-addressed hash table with linear probing, at most half full.
///
/// The caller hashes keys and compares them, as only it knows where they are. Growing is separate
/// from inserting, so that the caller decides under which lock memory is allocated and freed.
pub(crate) struct HashTable<V> {
    /// A power of two long, or empty.
    slots: Vec<Option<V>>,
}

/// The secret key of an adapter's hash tables: without it, nobody can choose keys that collide.
#[derive(Clone, Copy)]
pub(crate) struct HashKey(pub(crate) [u8; 16]);

impl HashKey {
    /// Hashes the parts of a key with SipHash-1-3.
    pub(crate) fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        for part in parts {
            hasher.write(part);
        }
        hasher.finish()
    }
}

impl<V: Copy> HashTable<V> {
    /// An empty table without memory.
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    /// An empty table with room for `items`.
    pub(crate) fn with_capacity(items: usize) -> Result<Self, NoMemory> {
        Ok(Self { slots: slice(Self::slots_for(items), |_| None)?.into_vec() })
    }

    /// Whether `items` fit.
    pub(crate) fn has_capacity(&self, items: usize) -> bool {
        self.slots.len() >= Self::slots_for(items)
    }

    /// Moves in all values of another table.
    pub(crate) fn extend_from(&mut self, other: &Self, hash_of: impl Fn(&V) -> u64) {
        for value in other.slots.iter().flatten() {
            self.insert(hash_of(value), *value);
        }
    }

    /// The value with this hash that `is_match` accepts.
    pub(crate) fn find(&self, hash: u64, is_match: impl Fn(&V) -> bool) -> Option<V> {
        self.position(hash, is_match).and_then(|at| self.get(at))
    }

    /// Inserts a value whose key is not in the table. Returns false if the table is full.
    pub(crate) fn insert(&mut self, hash: u64, value: V) -> bool {
        let free = self.probe(hash).find(|&at| self.get(at).is_none());
        if let Some(at) = free {
            self.set(at, Some(value));
        }
        free.is_some()
    }

    /// Removes the value with this hash that `is_match` accepts.
    pub(crate) fn remove(
        &mut self,
        hash: u64,
        is_match: impl Fn(&V) -> bool,
        hash_of: impl Fn(&V) -> u64,
    ) -> Option<V> {
        let start = self.position(hash, is_match)?;
        let removed = self.get(start)?;
        // Values behind the gap move up where their probe sequence allows it, so that no later
        // search ends too early.
        let mask = self.slots.len().wrapping_sub(1);
        let mut gap = start;
        for step in 1..self.slots.len() {
            let at = start.wrapping_add(step) & mask;
            let Some(value) = self.get(at) else { break };
            let home = hash_of(&value) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(gap) & mask {
                self.set(gap, Some(value));
                gap = at;
            }
        }
        self.set(gap, None);
        Some(removed)
    }

    /// The number of slots.
    #[cfg(test)]
    pub(crate) const fn slot_count(&self) -> usize {
        self.slots.len()
    }

    fn slots_for(items: usize) -> usize {
        items.max(MIN_ITEMS).saturating_mul(2).next_power_of_two()
    }

    fn position(&self, hash: u64, is_match: impl Fn(&V) -> bool) -> Option<usize> {
        for at in self.probe(hash) {
            match self.get(at) {
                None => return None,
                Some(value) if is_match(&value) => return Some(at),
                Some(_) => {}
            }
        }
        None
    }

    /// All slots in the order in which a key with this hash is searched.
    fn probe(&self, hash: u64) -> impl Iterator<Item = usize> + use<V> {
        let length = self.slots.len();
        (0..length).map(move |step| (hash as usize).wrapping_add(step) & length.wrapping_sub(1))
    }

    fn get(&self, at: usize) -> Option<V> {
        self.slots.get(at).copied().flatten()
    }

    fn set(&mut self, at: usize, value: Option<V>) {
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = value;
        }
    }
}

const MIN_ITEMS: usize = 8;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_agrees_with_a_map_however_keys_collide() {
        for hash_bits in [0, 1, 3, 64] {
            let mask = 1_u64.checked_shl(hash_bits).map_or(u64::MAX, |bit| bit - 1);
            let hash_of = |value: &(u32, u32)| {
                u64::from(value.0).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20) & mask
            };
            let mut table = HashTable::new();
            assert!(!table.insert(0, (0, 0)), "it has no room");
            assert_eq!(table.remove(0, |_| true, hash_of), None);
            table = HashTable::with_capacity(100).unwrap();
            let mut model = HashMap::new();
            let mut random = 1_u64;
            for round in 0..20_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let key = (random >> 33) as u32 % 100;
                let hash = hash_of(&(key, 0));
                if model.remove(&key).is_some() {
                    assert!(table.remove(hash, |value| value.0 == key, hash_of).is_some());
                } else {
                    assert!(table.insert(hash, (key, round)));
                    model.insert(key, round);
                }
                let found = table.find(hash, |value| value.0 == key).map(|value| value.1);
                assert_eq!(found, model.get(&key).copied());
            }
            let mut larger = HashTable::with_capacity(1000).unwrap();
            larger.extend_from(&table, hash_of);
            for key in 0..100 {
                let found = larger.find(hash_of(&(key, 0)), |value| value.0 == key);
                assert_eq!(found.map(|value| value.1), model.get(&key).copied());
            }
        }
    }
}
