//! Objects that are used again and again, so that the data path allocates nothing.

use alloc::vec::Vec;

use nt::lock::SpinMutex;
use nt::{Result, Shared, Status};

/// Keeps objects that are not in use.
pub(crate) struct Recycler<T> {
    /// Never grows past its first capacity.
    free: SpinMutex<Vec<T>>,
    sizes: Sizes,
    make: fn(Sizes) -> Result<T>,
}

/// What the objects are sized by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Packets in a batch.
    pub(crate) packets: usize,
    /// Bytes of each.
    pub(crate) packet_bytes: usize,
}

impl<T> Recycler<T> {
    /// Keeps up to `kept` objects, which `make` makes.
    pub(crate) fn new(
        kept: usize,
        sizes: Sizes,
        make: fn(Sizes) -> Result<T>,
    ) -> Result<Shared<Self>> {
        let mut free = Vec::new();
        free.try_reserve_exact(kept).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        Shared::new(Self { free: SpinMutex::new(free), sizes, make })
    }

    /// Takes an object; a used one is as its last user left it.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn take(&self) -> Result<T> {
        let used = self.free.lock().pop();
        match used {
            Some(object) => Ok(object),
            None => (self.make)(self.sizes),
        }
    }

    /// Keeps an object for its next use, or frees it where enough are kept.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn give_back(&self, object: T) {
        let mut free = self.free.lock();
        if free.len() < free.capacity() {
            free.push(object);
            return;
        }
        // Freed under no lock.
        drop(free);
        drop(object);
    }
}
