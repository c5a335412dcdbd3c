//! A growing array whose items never move, readable without a lock.

use core::sync::atomic::{AtomicUsize, Ordering};

use alloc::boxed::Box;
use nic_memory::{NoMemory, OnceBox, boxed, slice};

/// A growing array whose items stay where they are.
///
/// Chunk `k` holds `FIRST_CHUNK << k` items, so that a few chunks reach any length and a small
/// arena stays small. Nothing is freed before the arena is dropped.
pub(crate) struct Arena<T> {
    chunks: [OnceBox<Box<[T]>>; CHUNKS],
    length: AtomicUsize,
}

impl<T> Arena<T> {
    /// An empty arena.
    pub(crate) const fn new() -> Self {
        Self { chunks: [const { OnceBox::new() }; CHUNKS], length: AtomicUsize::new(0) }
    }

    /// How many items it holds.
    pub(crate) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// The item of this number.
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let (chunk, offset) = place(index);
        self.chunks.get(chunk)?.get()?.get(offset)
    }

    /// Makes it hold at least `length` items. One caller at a time.
    pub(crate) fn grow(&self, length: usize, mut item: impl FnMut() -> T) -> Result<(), NoMemory> {
        while self.len() < length {
            let (chunk, _) = place(self.len());
            let cell = self.chunks.get(chunk).ok_or(NoMemory)?;
            let items = slice(FIRST_CHUNK << chunk, |_| item())?;
            let more = items.len();
            cell.set(boxed(items)?).map_err(|_| NoMemory)?;
            self.length.fetch_add(more, Ordering::Release);
        }
        Ok(())
    }
}

/// Where an item lies: its chunk, and its place there.
const fn place(index: usize) -> (usize, usize) {
    let scaled = index / FIRST_CHUNK + 1;
    let chunk = scaled.ilog2() as usize;
    (chunk, index - FIRST_CHUNK * ((1 << chunk) - 1))
}

const FIRST_CHUNK: usize = 16;
/// Enough for more than 2^20 items.
const CHUNKS: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_has_a_place_of_its_own() {
        let arena = Arena::new();
        let mut next = 0;
        arena
            .grow(1000, || {
                next += 1;
                next - 1
            })
            .unwrap();
        assert!(arena.len() >= 1000 && arena.len() < 2048);
        for index in 0..arena.len() {
            assert_eq!(arena.get(index), Some(&index));
        }
        assert_eq!(arena.get(arena.len()), None);
    }

    #[test]
    fn it_reaches_the_most_peers_and_no_further() {
        assert!(place(1 << 20).0 < CHUNKS);
        assert_eq!(Arena::<()>::new().get(usize::MAX / 2), None);
        let arena = Arena::new();
        arena.grow(1 << 20, || ()).unwrap();
        assert_eq!(arena.grow(1 << 22, || ()), Err(NoMemory));
    }
}
