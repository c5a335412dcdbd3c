//! Peers by receiver ID.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use lock_api::{Mutex, RawMutex};

use nic_memory::{NoMemory, slice};

use crate::{
    growing::Growing,
    protocol::{ClaimError, ReceiverId},
};

/// Contexts by their number, looked up without a lock.
///
/// A number's home is a mix of its bits. One that is drawn is drawn until its home is free, so that
/// its look-up is one load whatever others send, and nobody can guess it. One that is chosen may
/// lie a few places behind its home: where there is no free one, the table grows. A table of twice
/// the length takes one bit more of the same mix, which keeps homes apart.
pub(crate) struct ReceiverTable<L> {
    /// A slot is the number and the peer's index + 1, or 0.
    slots: Growing<AtomicU64>,
    /// The index + 1 of the peer that has all other receivers, or 0.
    default_peer: AtomicU32,
    /// Contexts in the table; the lock of all writers.
    used: Mutex<L, usize>,
}

impl<L: RawMutex> ReceiverTable<L> {
    /// An empty table.
    pub(crate) const fn new() -> Self {
        Self { slots: Growing::new(), default_peer: AtomicU32::new(0), used: Mutex::new(0) }
    }

    /// The index of the peer that has this receiver.
    pub(crate) fn lookup(&self, receiver: ReceiverId) -> Option<u32> {
        match self.find(receiver) {
            Some((_, peer)) => Some(peer),
            None => self.default_peer.load(Ordering::Acquire).checked_sub(1),
        }
    }

    /// Makes a receiver for a peer. `random` fills a buffer with random bytes, or returns false.
    pub(crate) fn allocate(
        &self,
        peer_index: u32,
        random: &mut dyn FnMut(&mut [u8]) -> bool,
    ) -> Option<ReceiverId> {
        let mut used = self.used.lock();
        if *used >= self.slots.slice().len() / 2 {
            self.grow(*used).ok()?;
        }
        // The table is at most half full: 64 draws all fail with a chance of 2^-64.
        for _ in 0..64 {
            let mut bytes = [0; 4];
            if !random(&mut bytes) {
                return None;
            }
            let receiver = ReceiverId(u32::from_ne_bytes(bytes));
            let home = candidates(self.slots.slice(), receiver).next()?;
            if home.load(Ordering::Relaxed) == FREE && self.find(receiver).is_none() {
                home.store(pack(receiver.0, peer_index.checked_add(1)?), Ordering::Release);
                *used += 1;
                return Some(receiver);
            }
        }
        None
    }

    /// Gives a peer a receiver of its choice.
    pub(crate) fn claim(&self, peer_index: u32, receiver: ReceiverId) -> Result<(), ClaimError> {
        let mut used = self.used.lock();
        if self.find(receiver).is_some() {
            return Err(ClaimError::Taken);
        }
        let slot = pack(receiver.0, peer_index.checked_add(1).ok_or(ClaimError::NoMemory)?);
        while *used >= self.slots.slice().len() / 2 || !place(self.slots.slice(), slot) {
            self.grow(*used).map_err(|NoMemory| ClaimError::NoMemory)?;
        }
        *used += 1;
        Ok(())
    }

    /// Takes a receiver out.
    pub(crate) fn release(&self, receiver: ReceiverId) {
        let mut used = self.used.lock();
        if let Some((slot, _)) = self.find(receiver) {
            slot.store(FREE, Ordering::Release);
            *used = used.saturating_sub(1);
        }
    }

    /// Gives a peer all receivers that no other has, or takes them from it.
    pub(crate) fn set_default_peer(&self, peer_index: Option<u32>) {
        let peer = peer_index.map_or(0, |index| index.saturating_add(1));
        self.default_peer.store(peer, Ordering::Release);
    }

    /// How many receivers there are; all those of the default peer are one.
    pub(crate) fn len(&self) -> usize {
        *self.used.lock() + usize::from(self.default_peer.load(Ordering::Acquire) != 0)
    }

    /// A receiver's slot, and its peer.
    fn find(&self, receiver: ReceiverId) -> Option<(&AtomicU64, u32)> {
        candidates(self.slots.slice(), receiver).find_map(|place| {
            match unpack(place.load(Ordering::Acquire)) {
                (number, peer) if number == receiver.0 => Some((place, peer.checked_sub(1)?)),
                _ => None,
            }
        })
    }

    /// Makes the table longer, until each receiver has a place.
    fn grow(&self, used: usize) -> Result<(), NoMemory> {
        let old = self.slots.slice();
        let mut length = (old.len() * 2).max(FIRST_LENGTH);
        while length <= (used + 1).saturating_mul(MAX_SLOTS_PER_ID).max(FIRST_LENGTH) {
            let new = slice(length, |_| AtomicU64::new(FREE))?;
            let mut receivers =
                old.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|&slot| slot != FREE);
            if receivers.all(|slot| place(&new, slot)) {
                return self.slots.replace(new);
            }
            length *= 2;
        }
        // Numbers that somebody chose so that they all fall into one place.
        Err(NoMemory)
    }
}

impl<L: RawMutex> Default for ReceiverTable<L> {
    fn default() -> Self {
        Self::new()
    }
}

const FREE: u64 = 0;
const FIRST_LENGTH: usize = 16;
/// The number of slots in which an ID may lie.
const REACH: usize = 8;
/// The table does not grow beyond this many slots per ID.
const MAX_SLOTS_PER_ID: usize = 256;
/// 2^32 over the golden ratio: spreads numbers that follow each other.
const MIX: u32 = 0x9e37_79b1;

/// The slots that a number may lie in. Lengths are powers of two.
fn candidates(slots: &[AtomicU64], receiver: ReceiverId) -> impl Iterator<Item = &AtomicU64> {
    let mixed = u64::from(receiver.0.wrapping_mul(MIX));
    let home = (mixed << slots.len().trailing_zeros().min(32) >> 32) as usize;
    (0..REACH)
        .map_while(move |step| slots.get(home.wrapping_add(step) & slots.len().wrapping_sub(1)))
}

/// Puts a receiver into a free slot. False where there is none.
fn place(slots: &[AtomicU64], slot: u64) -> bool {
    let free = candidates(slots, ReceiverId(unpack(slot).0))
        .find(|place| place.load(Ordering::Relaxed) == FREE);
    if let Some(free) = free {
        free.store(slot, Ordering::Release);
    }
    free.is_some()
}

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
        let table = ReceiverTable::<PlainLock>::new();
        let mut random = xorshift();
        let mut model = HashMap::new();
        assert_eq!(table.lookup(ReceiverId(0)), None);
        for peer in 0..5000 {
            let receiver = table.allocate(peer, &mut random).unwrap();
            assert_eq!(model.insert(receiver, peer), None);
            if peer % 3 == 0 {
                let victim = *model.keys().next().unwrap();
                model.remove(&victim);
                table.release(victim);
                table.release(victim);
                assert_eq!(table.lookup(victim), None);
            }
        }
        assert_eq!(table.len(), model.len());
        for (receiver, peer) in &model {
            assert_eq!(table.lookup(*receiver), Some(*peer));
            assert_eq!(table.lookup(ReceiverId(receiver.0 ^ 1 << 31)), None);
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_context() {
        let table = ReceiverTable::<PlainLock>::new();
        assert_eq!(table.allocate(1, &mut |_| false), None);
        assert_eq!(table.len(), 0);
        // A generator stuck at one value gives one receiver and then none, rather than hanging.
        assert!(table.allocate(1, &mut |_| true).is_some());
        assert_eq!(table.allocate(2, &mut |_| true), None);
    }

    #[test]
    fn chosen_contexts_are_found_however_they_were_chosen() {
        for step in [1, 2, 256, 0x1_0001, 0x9e37_79b1] {
            let table = ReceiverTable::<PlainLock>::new();
            let number = |n: u32| ReceiverId(n.wrapping_mul(step) & 0xff_ffff);
            let count = if step == 256 { 5000 } else { 10_000 };
            for peer in 0..count {
                assert_eq!(table.claim(peer, number(peer)), Ok(()), "{peer} by {step}");
                assert_eq!(table.claim(peer + 1, number(peer)), Err(ClaimError::Taken));
                if peer % 3 == 0 {
                    table.release(number(peer));
                }
            }
            for peer in 0..count {
                let expected = (peer % 3 != 0).then_some(peer);
                assert_eq!(table.lookup(number(peer)), expected, "{peer} by {step}");
            }
        }
    }

    #[test]
    fn contexts_that_crowd_one_place_are_refused_before_they_take_all_memory() {
        let table = ReceiverTable::<PlainLock>::new();
        // The multiplicative inverse of the mix: their mixes are 0, 1, 2, and so on.
        let inverse =
            (0..5).fold(1_u32, |x, _| x.wrapping_mul(2_u32.wrapping_sub(MIX.wrapping_mul(x))));
        let claims: Vec<_> =
            (0..100).map(|n| table.claim(n, ReceiverId(inverse.wrapping_mul(n)))).collect();
        assert!(claims.contains(&Err(ClaimError::NoMemory)));
        assert!(table.slots.slice().len() <= 100 * MAX_SLOTS_PER_ID);
        assert_eq!(table.claim(7, ReceiverId(0x8000_0000)), Ok(()));
    }

    #[test]
    fn a_default_peer_receives_unassigned_ids() {
        let table = ReceiverTable::<PlainLock>::new();
        table.claim(3, ReceiverId(9)).unwrap();
        table.set_default_peer(Some(5));
        assert_eq!([9, 10].map(|n| table.lookup(ReceiverId(n))), [Some(3), Some(5)]);
        assert_eq!(table.claim(4, ReceiverId(10)), Ok(()));
        assert_eq!(table.len(), 3);
        table.set_default_peer(None);
        assert_eq!([9, 10, 11].map(|n| table.lookup(ReceiverId(n))), [Some(3), Some(4), None]);
    }

    #[test]
    fn readers_find_what_stays_while_the_table_grows() {
        let table = ReceiverTable::<PlainLock>::new();
        let mut random = xorshift();
        let fixed: Vec<_> = (0..8).map(|peer| table.allocate(peer, &mut random).unwrap()).collect();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for peer in 8..20_000 {
                    table.allocate(peer, &mut random).unwrap();
                }
            });
            while !writer.is_finished() {
                for (peer, receiver) in fixed.iter().enumerate() {
                    assert_eq!(table.lookup(*receiver), Some(peer as u32));
                }
            }
        });
    }
}
