//! The deadlines of all peers, and a search for those that have passed.

use core::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, SeqCst},
};

use nic_memory::NoMemory;

use crate::{Instant, arena::Arena};

/// The deadlines of all slots, in blocks. Each block starts with its lower bound: no deadline of
/// the block is earlier.
///
/// Setting a deadline lowers the bound of its block and the bound of all blocks. A bound that has
/// passed is raised under the control lock, after a scan of what it covers. A search for due peers
/// reads the bounds, and only those blocks whose bound has passed.
///
/// No deadline is lost between the two. The thread that sets a deadline stores it and then reads
/// the bound; the thread that raises a bound resets it and then reads the deadlines. Both are
/// sequentially consistent, so one of them sees the store of the other.
pub(crate) struct Deadlines {
    blocks: Arena<AtomicU64>,
    /// The lower bound of all deadlines.
    earliest: AtomicU64,
}

impl Deadlines {
    pub(crate) const fn new() -> Self {
        Self { blocks: Arena::new(), earliest: never() }
    }

    /// Makes room for slots with an index below `length`. Control lock.
    pub(crate) fn grow(&self, length: usize) -> Result<(), NoMemory> {
        self.blocks.grow(length + length.div_ceil(BLOCK), never)
    }

    fn slot(&self, index: usize) -> Option<&AtomicU64> {
        self.blocks.get(index / BLOCK * (1 + BLOCK) + 1 + index % BLOCK)
    }

    fn bound(&self, block: usize) -> Option<&AtomicU64> {
        self.blocks.get(block * (1 + BLOCK))
    }

    fn block_count(&self) -> usize {
        self.blocks.len().div_ceil(1 + BLOCK)
    }

    /// Sets a slot's deadline. Returns true if it is earlier than all others. Peer lock.
    pub(crate) fn set(&self, index: u32, deadline: Instant) -> bool {
        let (index, nanos) = (index as usize, deadline.as_nanos());
        let (Some(slot), Some(bound)) = (self.slot(index), self.bound(index / BLOCK)) else {
            return false;
        };
        // Most batches do not change it; the bounds are valid then.
        if slot.load(Relaxed) == nanos {
            return false;
        }
        slot.store(nanos, SeqCst);
        lower(bound, nanos);
        lower(&self.earliest, nanos)
    }

    /// A lower bound of all deadlines.
    pub(crate) fn earliest(&self) -> Instant {
        Instant::from_nanos(self.earliest.load(Relaxed))
    }

    /// Raises [`Deadlines::earliest`] to what the blocks' bounds say. Control lock.
    pub(crate) fn raise_earliest(&self) {
        self.earliest.store(Instant::NEVER.as_nanos(), SeqCst);
        let bounds = (0..self.block_count()).filter_map(|block| self.bound(block));
        if let Some(least) = bounds.map(|bound| bound.load(SeqCst)).min() {
            lower(&self.earliest, least);
        }
    }

    /// The first slot from `from` on that is due. Control lock.
    pub(crate) fn next_due(&self, from: u32, now: Instant) -> Option<u32> {
        let (from, now) = (from as usize, now.as_nanos());
        for block in from / BLOCK..self.block_count() {
            let Some(bound) = self.bound(block) else { break };
            if bound.load(SeqCst) > now {
                continue;
            }
            bound.store(Instant::NEVER.as_nanos(), SeqCst);
            let (mut least, mut due) = (Instant::NEVER.as_nanos(), None);
            for index in block * BLOCK..(block + 1) * BLOCK {
                let Some(slot) = self.slot(index) else { break };
                let deadline = slot.load(SeqCst);
                least = least.min(deadline);
                if due.is_none() && deadline <= now && index >= from {
                    due = u32::try_from(index).ok();
                }
            }
            lower(bound, least);
            if due.is_some() {
                return due;
            }
        }
        None
    }

    /// Postpones a deadline that has passed to `later`. Control lock.
    pub(crate) fn put_off(&self, index: u32, now: Instant, later: Instant) {
        let Some(slot) = self.slot(index as usize) else { return };
        let deadline = slot.load(Relaxed);
        if deadline <= now.as_nanos() {
            // It fails if the deadline has just been set again.
            let _ = slot.compare_exchange(deadline, later.as_nanos(), SeqCst, Relaxed);
        }
    }
}

const fn never() -> AtomicU64 {
    AtomicU64::new(Instant::NEVER.as_nanos())
}

/// Lowers a bound. True where it was higher.
fn lower(bound: &AtomicU64, nanos: u64) -> bool {
    nanos < bound.load(SeqCst) && nanos < bound.fetch_min(nanos, SeqCst)
}

/// The maximum number of peers makes 1024 blocks.
const BLOCK: usize = 1024;

#[cfg(test)]
mod tests {
    use core::{sync::atomic::AtomicBool, time::Duration};
    use std::thread;

    use super::*;

    const SLOTS: usize = 3 * BLOCK + 5;
    const ROUNDS: usize = 5000;

    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *state >> 33
    }

    fn deadlines() -> Deadlines {
        let deadlines = Deadlines::new();
        deadlines.grow(SLOTS).unwrap();
        deadlines
    }

    #[test]
    fn it_finds_who_is_due_and_nobody_else() {
        let (deadlines, mut model, mut state) = (deadlines(), [u64::MAX; SLOTS], 1);
        for now in (0..10_000).step_by(100) {
            for _ in 0..random(&mut state) % 60 {
                let index = random(&mut state) as usize % SLOTS;
                let deadline = now + random(&mut state) % 3000;
                let is_first = model.iter().all(|&other| deadline < other);
                model[index] = deadline;
                let is_noted = deadlines.set(index as u32, Instant::from_nanos(deadline));
                assert!(is_noted || !is_first, "nobody would be woken");
            }
            let instant = Instant::from_nanos(now);
            let mut from = 0;
            while let Some(due) = deadlines.next_due(from, instant) {
                let skipped = &model[from as usize..due as usize];
                assert!(skipped.iter().all(|&deadline| deadline > now));
                assert!(model[due as usize] <= now);
                // Some can't be helped now, and are put off.
                if random(&mut state) & 3 == 0 {
                    model[due as usize] = now + 150;
                } else {
                    model[due as usize] = u64::MAX;
                    deadlines.set(due, Instant::NEVER);
                }
                deadlines.put_off(due, instant, Instant::from_nanos(now + 150));
                from = due + 1;
            }
            assert_eq!(deadlines.next_due(0, instant), None);
            assert!(model.iter().all(|&deadline| deadline > now));
            deadlines.raise_earliest();
            let earliest = deadlines.earliest().as_nanos();
            assert!(earliest > now, "it would be looked at for nothing");
            assert!(model.iter().all(|&deadline| earliest <= deadline));
        }
    }

    #[test]
    fn what_is_set_during_a_look_is_not_lost() {
        let (deadlines, is_over) = (deadlines(), AtomicBool::new(false));
        let now = Instant::from_nanos(1);
        let missed = thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    if deadlines.earliest() > now {
                        continue;
                    }
                    while let Some(due) = deadlines.next_due(0, now) {
                        deadlines.set(due, Instant::NEVER);
                    }
                    deadlines.raise_earliest();
                }
            });
            // One slot at a time: another's deadline would have it looked at again.
            let missed = (0..ROUNDS).find(|round| {
                let index = (round % SLOTS) as u32;
                let slot = deadlines.slot(index as usize).unwrap();
                deadlines.set(index, now);
                let set_at = std::time::Instant::now();
                while slot.load(SeqCst) <= now.as_nanos() {
                    if set_at.elapsed() > Duration::from_secs(30) {
                        return true;
                    }
                    thread::yield_now();
                }
                false
            });
            is_over.store(true, SeqCst);
            missed
        });
        assert_eq!(missed, None);
    }
}
