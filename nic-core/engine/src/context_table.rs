//! Which peer a receiving context belongs to.

use core::sync::atomic::{AtomicU64, Ordering};

use lock_api::{Mutex, RawMutex};

use crate::{
    fallible::{self, NoMemory},
    growing::Growing,
    protocol::ContextId,
};

/// Contexts by their number, looked up without a lock.
///
/// A number is a slot's position in its low bits and random in all bits: it is drawn until its slot is free. So every look-up
/// is one load whatever others send, no two numbers share a slot, and nobody can guess one. A table of twice the length uses
/// one bit more of the same numbers, which keeps them apart.
pub(crate) struct ContextTable<L> {
    /// A slot is the number and the peer's index + 1, or 0.
    slots: Growing<AtomicU64>,
    /// Contexts in the table; the lock of all writers.
    used: Mutex<L, usize>,
}

impl<L: RawMutex> ContextTable<L> {
    /// An empty table.
    pub(crate) const fn new() -> Self {
        Self { slots: Growing::new(), used: Mutex::new(0) }
    }

    /// The index of the peer that has this context.
    pub(crate) fn lookup(&self, context: ContextId) -> Option<u32> {
        let slot = self.slot(context)?.load(Ordering::Acquire);
        match unpack(slot) {
            (number, peer) if number == context.0 => peer.checked_sub(1),
            _ => None,
        }
    }

    /// Makes a context for a peer. `random` fills a buffer with random bytes, or returns false.
    pub(crate) fn allocate(
        &self,
        peer_index: u32,
        random: &mut dyn FnMut(&mut [u8]) -> bool,
    ) -> Option<ContextId> {
        let mut used = self.used.lock();
        if *used >= self.slots.slice().len() / 2 {
            self.grow().ok()?;
        }
        // The table is at most half full: 64 draws all fail with a chance of 2^-64.
        for _ in 0..64 {
            let mut bytes = [0; 4];
            if !random(&mut bytes) {
                return None;
            }
            let context = ContextId(u32::from_ne_bytes(bytes));
            let slot = self.slot(context)?;
            if slot.load(Ordering::Relaxed) == FREE {
                slot.store(pack(context.0, peer_index.checked_add(1)?), Ordering::Release);
                *used += 1;
                return Some(context);
            }
        }
        None
    }

    /// Takes a context out.
    pub(crate) fn release(&self, context: ContextId) {
        let mut used = self.used.lock();
        if self.lookup(context).is_some()
            && let Some(slot) = self.slot(context)
        {
            slot.store(FREE, Ordering::Release);
            *used = used.saturating_sub(1);
        }
    }

    /// How many contexts there are.
    pub(crate) fn len(&self) -> usize {
        *self.used.lock()
    }

    /// The slot that a number falls into.
    fn slot(&self, context: ContextId) -> Option<&AtomicU64> {
        let slots = self.slots.slice();
        // Lengths are powers of two.
        slots.get(context.0 as usize & slots.len().wrapping_sub(1))
    }

    fn grow(&self) -> Result<(), NoMemory> {
        let old = self.slots.slice();
        let length = (old.len() * 2).max(FIRST_LENGTH);
        let new = fallible::slice(length, |_| AtomicU64::new(FREE))?;
        for slot in old {
            let slot = slot.load(Ordering::Relaxed);
            if slot != FREE
                && let Some(place) = new.get(unpack(slot).0 as usize & (length - 1))
            {
                place.store(slot, Ordering::Relaxed);
            }
        }
        self.slots.replace(new)
    }
}

impl<L: RawMutex> Default for ContextTable<L> {
    fn default() -> Self {
        Self::new()
    }
}

const FREE: u64 = 0;
const FIRST_LENGTH: usize = 16;

fn pack(number: u32, peer: u32) -> u64 {
    u64::from(number) << 32 | u64::from(peer)
}

const fn unpack(slot: u64) -> (u32, u32) {
    ((slot >> 32) as u32, slot as u32)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, vec::Vec};

    use super::*;
    use crate::plain::PlainLock;

    fn xorshift() -> impl FnMut(&mut [u8]) -> bool {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        move |bytes| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            bytes.copy_from_slice(&state.to_ne_bytes()[..bytes.len()]);
            true
        }
    }

    #[test]
    fn contexts_are_found_until_they_are_released_and_no_others() {
        let table = ContextTable::<PlainLock>::new();
        let mut random = xorshift();
        let mut model = HashMap::new();
        assert_eq!(table.lookup(ContextId(0)), None);
        for peer in 0..5000 {
            let context = table.allocate(peer, &mut random).unwrap();
            assert_eq!(model.insert(context, peer), None);
            if peer % 3 == 0 {
                let victim = *model.keys().next().unwrap();
                model.remove(&victim);
                table.release(victim);
                table.release(victim);
                assert_eq!(table.lookup(victim), None);
            }
        }
        assert_eq!(table.len(), model.len());
        for (context, peer) in &model {
            assert_eq!(table.lookup(*context), Some(*peer));
            assert_eq!(table.lookup(ContextId(context.0 ^ 1 << 31)), None);
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_context() {
        let table = ContextTable::<PlainLock>::new();
        assert_eq!(table.allocate(1, &mut |_| false), None);
        assert_eq!(table.len(), 0);
        // A generator stuck at one value gives one context and then none, rather than hanging.
        assert!(table.allocate(1, &mut |_| true).is_some());
        assert_eq!(table.allocate(2, &mut |_| true), None);
    }

    #[test]
    fn readers_find_what_stays_while_the_table_grows() {
        let table = ContextTable::<PlainLock>::new();
        let mut random = xorshift();
        let fixed: Vec<_> = (0..8).map(|peer| table.allocate(peer, &mut random).unwrap()).collect();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for peer in 8..20_000 {
                    table.allocate(peer, &mut random).unwrap();
                }
            });
            while !writer.is_finished() {
                for (peer, context) in fixed.iter().enumerate() {
                    assert_eq!(table.lookup(*context), Some(peer as u32));
                }
            }
        });
    }
}
