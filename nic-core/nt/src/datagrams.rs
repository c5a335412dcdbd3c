//! Buffers of datagrams to be sent.

use alloc::vec::Vec;
use core::ptr;

use nic_memory::Push;
use nt_sys::wsk::{WSK_BUF, WSK_BUF_LIST};

use crate::mdl::Mdl;
use crate::pool::PoolBytes;
use crate::status::{Result, Status};

/// The maximum number of slots of a [`DatagramBuffer`].
const MAX_DATAGRAMS: usize = 64;

/// Slots of equal size in one block of the non-paged pool. Each slot has an MDL that is allocated
/// once, so that the buffer can be filled and sent repeatedly without an allocation.
pub struct DatagramBuffer {
    memory: PoolBytes,
    slot_bytes: usize,
    /// One per slot; dropping them doesn't touch the memory.
    mdls: Vec<Mdl>,
    /// The length in bytes of each datagram; datagrams occupy the first slots.
    lengths: Vec<u32>,
    /// What WskSendMessages reads; one per slot.
    list: Vec<WSK_BUF_LIST>,
}

impl DatagramBuffer {
    /// Allocates `slots` slots, at most 64, of `slot_bytes` bytes each.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn new(slots: usize, slot_bytes: usize) -> Result<Self> {
        let slots = slots.min(MAX_DATAGRAMS);
        let mdl_bytes = u32::try_from(slot_bytes).map_err(|_| Status::INVALID_PARAMETER)?;
        if mdl_bytes == 0 {
            return Err(Status::INVALID_PARAMETER);
        }
        let total = slots.checked_mul(slot_bytes).ok_or(Status::INVALID_PARAMETER)?;
        let mut memory = PoolBytes::zeroed(total)?;
        let mut mdls = room_for(slots)?;
        let mut list = room_for(slots)?;
        for slot in memory.chunks_exact_mut(slot_bytes) {
            // SAFETY: the slot is in the non-paged pool, and the buffer drops both together.
            let mdl = unsafe { Mdl::new(slot.as_mut_ptr(), mdl_bytes) }?;
            let buffer = WSK_BUF { Mdl: ptr::null_mut(), Offset: 0, Length: 0 };
            let entry = WSK_BUF_LIST { Next: ptr::null_mut(), Buffer: buffer };
            mdls.try_push(mdl).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
            list.try_push(entry).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        }
        Ok(Self { memory, slot_bytes, mdls, lengths: room_for(slots)?, list })
    }

    /// The number of slots.
    pub fn slots(&self) -> usize {
        self.mdls.len()
    }

    /// The size of a slot, in bytes.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// All slots.
    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.memory.chunks_exact_mut(self.slot_bytes)
    }

    /// Removes all datagrams.
    pub fn clear(&mut self) {
        self.lengths.clear();
    }

    /// Adds the content of the next slot, `length` bytes, as a datagram. One of length 0 is not
    /// sent. False if there is no free slot, or `length` exceeds the slot.
    pub fn push(&mut self, length: usize) -> bool {
        let has_slot = self.lengths.len() < self.mdls.len();
        match u32::try_from(length) {
            Ok(bytes) if has_slot && length <= self.slot_bytes => {
                self.lengths.push_in_capacity(bytes).is_ok()
            }
            _ => false,
        }
    }

    /// The number of datagrams.
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    /// Whether there are no datagrams.
    pub fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    /// The length of all datagrams together, in bytes.
    pub fn total_bytes(&self) -> usize {
        self.lengths.iter().fold(0_usize, |sum, length| sum.wrapping_add(*length as usize))
    }

    /// The datagrams as a list for WskSendMessages, which is valid until the buffer is changed.
    /// Null if there are none.
    pub(crate) fn wsk_list(&mut self) -> *mut WSK_BUF_LIST {
        let mut next: *mut WSK_BUF_LIST = ptr::null_mut();
        let count = self.lengths.len();
        let slots = self.list.iter_mut().zip(&self.mdls).zip(&self.lengths).take(count);
        for ((entry, mdl), length) in slots.rev() {
            // A slot of length 0 is not sent.
            if *length == 0 {
                continue;
            }
            entry.Buffer = WSK_BUF { Mdl: mdl.as_ptr(), Offset: 0, Length: *length as usize };
            entry.Next = next;
            next = entry;
        }
        next
    }
}

fn room_for<T>(items: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    room.try_reserve_exact(items).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
    Ok(room)
}

// SAFETY: it owns its memory and MDLs; the pointers of the list are set again for each send.
unsafe impl Send for DatagramBuffer {}
// SAFETY: a shared buffer gives access to integers only.
unsafe impl Sync for DatagramBuffer {}
