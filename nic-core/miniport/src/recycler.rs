//! A free list of reusable objects, so that the data path does not allocate.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use nic_memory::Push;
use nt::lock::SpinMutex;
use nt::{Result, Shared, Status};

/// A free list.
pub(crate) struct Recycler<T> {
    /// Never grows past its first capacity.
    free: SpinMutex<Vec<T>>,
    packets: usize,
    /// The packet capacity of new objects.
    packet_bytes: AtomicUsize,
}

/// The size of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Packets in a batch.
    pub(crate) packets: usize,
    /// Capacity for each packet, in bytes.
    pub(crate) packet_bytes: usize,
}

/// An object of a free list.
pub(crate) trait Recycled: Sized {
    /// Allocates an object of this size.
    fn make(sizes: Sizes) -> Result<Self>;
    /// The longest packet that fits, in bytes.
    fn packet_bytes(&self) -> usize;
}

impl<T: Recycled> Recycler<T> {
    /// An empty free list for up to `kept` objects.
    pub(crate) fn new(kept: usize, sizes: Sizes) -> Result<Shared<Self>> {
        let mut free = Vec::new();
        free.try_reserve_exact(kept).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let Sizes { packets, packet_bytes } = sizes;
        let packet_bytes = AtomicUsize::new(packet_bytes);
        Shared::new(Self { free: SpinMutex::new(free), packets, packet_bytes })
    }

    /// Changes the packet capacity of new objects. Existing objects keep theirs.
    pub(crate) fn set_packet_bytes(&self, packet_bytes: usize) {
        self.packet_bytes.store(packet_bytes, Ordering::Relaxed);
    }

    /// Takes an object for packets of `packet_bytes`. A reused object still has its old content. If
    /// memory has run out, the object may be smaller.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn take(&self, packet_bytes: usize) -> Result<T> {
        let used = self.free.lock().pop();
        match used {
            Some(object) if object.packet_bytes() >= packet_bytes => Ok(object),
            used => {
                // The stack sends by a larger MTU before `poll_mtu` reads it.
                let known = self.packet_bytes.fetch_max(packet_bytes, Ordering::Relaxed);
                let packet_bytes = known.max(packet_bytes);
                let made = T::make(Sizes { packets: self.packets, packet_bytes });
                made.or_else(|status| used.ok_or(status))
            }
        }
    }

    /// Returns an object to the list. Frees it if the list is full, or if the object is larger than
    /// the current packet capacity.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn give_back(&self, object: T) {
        if object.packet_bytes() <= self.packet_bytes.load(Ordering::Relaxed) {
            let kept = self.free.lock().push_in_capacity(object);
            // Frees it after the lock is released.
            drop(kept);
        }
    }
}
