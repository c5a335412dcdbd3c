//! Objects that are used again and again, so that the data path allocates nothing.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};

use nic_memory::Push;
use nt::lock::SpinMutex;
use nt::{Result, Shared, Status};

/// Keeps objects that are not in use.
pub(crate) struct Recycler<T> {
    /// Never grows past its first capacity.
    free: SpinMutex<Vec<T>>,
    packets: usize,
    /// Room for a packet in objects to come.
    packet_bytes: AtomicUsize,
}

/// What the objects are sized by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Packets in a batch.
    pub(crate) packets: usize,
    /// Bytes of each.
    pub(crate) packet_bytes: usize,
}

/// What a recycler keeps.
pub(crate) trait Recycled: Sized {
    /// Makes an object with so much room.
    fn make(sizes: Sizes) -> Result<Self>;
    /// The longest packet that it has room for, in bytes.
    fn packet_bytes(&self) -> usize;
}

impl<T: Recycled> Recycler<T> {
    /// Keeps up to `kept` objects.
    pub(crate) fn new(kept: usize, sizes: Sizes) -> Result<Shared<Self>> {
        let mut free = Vec::new();
        free.try_reserve_exact(kept).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        let Sizes { packets, packet_bytes } = sizes;
        let packet_bytes = AtomicUsize::new(packet_bytes);
        Shared::new(Self { free: SpinMutex::new(free), packets, packet_bytes })
    }

    /// Changes the room for a packet in objects to come. Those in use, and smaller ones, stay as
    /// they are.
    pub(crate) fn set_packet_bytes(&self, packet_bytes: usize) {
        self.packet_bytes.store(packet_bytes, Ordering::Relaxed);
    }

    /// Takes an object with room for packets of so many bytes; a used one is as its last user left
    /// it. Where memory has run out it may be one with less room.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn take(&self, packet_bytes: usize) -> Result<T> {
        let used = self.free.lock().pop();
        match used {
            Some(object) if object.packet_bytes() >= packet_bytes => Ok(object),
            used => {
                // The stack knows of a greater MTU before anybody else does.
                let known = self.packet_bytes.fetch_max(packet_bytes, Ordering::Relaxed);
                let packet_bytes = known.max(packet_bytes);
                let made = T::make(Sizes { packets: self.packets, packet_bytes });
                made.or_else(|status| used.ok_or(status))
            }
        }
    }

    /// Keeps an object for its next use; frees it where enough are kept, or where it has more room
    /// than is needed any more.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(crate) fn give_back(&self, object: T) {
        if object.packet_bytes() <= self.packet_bytes.load(Ordering::Relaxed) {
            let kept = self.free.lock().push_in_capacity(object);
            // Freed under no lock.
            drop(kept);
        }
    }
}
