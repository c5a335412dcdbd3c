//! A slice of atomics that is replaced by a larger one while others read it.

use core::sync::atomic::{AtomicUsize, Ordering};

use alloc::boxed::Box;
use nic_memory::{NoMemory, OnceBox, boxed};

/// A slice that grows by being copied. A reader finds it with one load, and it stays valid.
///
/// Each version is at least twice as long as its predecessor. All versions live as long as the
/// whole, which at most doubles the memory of the last. A replaced version is not written to.
pub(crate) struct Growing<T> {
    versions: [OnceBox<Box<[T]>>; VERSIONS],
    /// How many versions there are.
    count: AtomicUsize,
}

impl<T> Growing<T> {
    /// An empty slice.
    pub(crate) const fn new() -> Self {
        Self { versions: [const { OnceBox::new() }; VERSIONS], count: AtomicUsize::new(0) }
    }

    /// The newest version.
    pub(crate) fn slice(&self) -> &[T] {
        let last = self.count.load(Ordering::Acquire).wrapping_sub(1);
        match self.versions.get(last).and_then(OnceBox::get) {
            Some(items) => items,
            None => &[],
        }
    }

    /// Publishes a version, twice as long as the one before. One caller at a time.
    pub(crate) fn replace(&self, items: Box<[T]>) -> Result<(), NoMemory> {
        let count = self.count.load(Ordering::Relaxed);
        let cell = self.versions.get(count).ok_or(NoMemory)?;
        cell.set(boxed(items)?).map_err(|_| NoMemory)?;
        self.count.store(count + 1, Ordering::Release);
        Ok(())
    }
}

/// Doubling from 16 items, this is more than 32 bits can count.
const VERSIONS: usize = 29;
