//! The memory of datagrams to be sent.

use nt_sys::wsk::{WSK_BUF, WSK_BUF_LIST};

use crate::mdl::Mdl;
use crate::pool::PoolBytes;
use crate::status::{Result, Status};

/// The most datagrams of a [`DatagramBuffer`].
pub const MAXIMUM_DATAGRAMS: usize = 64;

/// Equal slots of one block of the non-paged pool, each with its MDL made once, so that a batch can be filled and sent again
/// and again without an allocation.
pub struct DatagramBuffer {
    memory: PoolBytes,
    slot_bytes: usize,
    slots: usize,
    /// One per slot; declared after the memory that they describe is of no matter: dropping them doesn't touch it.
    mdls: [Option<Mdl>; MAXIMUM_DATAGRAMS],
    /// The bytes filled in each of the first `count` slots.
    lengths: [u32; MAXIMUM_DATAGRAMS],
    count: usize,
    /// What WskSendMessages reads.
    list: [WSK_BUF_LIST; MAXIMUM_DATAGRAMS],
}

impl DatagramBuffer {
    /// Makes up to [`MAXIMUM_DATAGRAMS`] slots of so many bytes each. The value is large: build it in its place in the pool.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn new(slots: usize, slot_bytes: usize) -> Result<Self> {
        let slots = slots.min(MAXIMUM_DATAGRAMS);
        let mdl_bytes = u32::try_from(slot_bytes).map_err(|_| Status::INVALID_PARAMETER)?;
        if mdl_bytes == 0 {
            return Err(Status::INVALID_PARAMETER);
        }
        let total = slots.checked_mul(slot_bytes).ok_or(Status::INVALID_PARAMETER)?;
        let mut memory = PoolBytes::zeroed(total)?;
        let mut mdls = [const { None }; MAXIMUM_DATAGRAMS];
        for (mdl, slot) in mdls.iter_mut().zip(memory.chunks_exact_mut(slot_bytes)) {
            // SAFETY: the slot is in the non-paged pool, and the buffer drops both together.
            *mdl = Some(unsafe { Mdl::new(slot.as_mut_ptr(), mdl_bytes) }?);
        }
        let empty = WSK_BUF_LIST {
            Next: core::ptr::null_mut(),
            Buffer: WSK_BUF { Mdl: core::ptr::null_mut(), Offset: 0, Length: 0 },
        };
        Ok(Self {
            memory,
            slot_bytes,
            slots,
            mdls,
            lengths: [0; MAXIMUM_DATAGRAMS],
            count: 0,
            list: [empty; MAXIMUM_DATAGRAMS],
        })
    }

    /// How many datagrams fit in.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The most bytes of a datagram.
    pub fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// All slots, to be filled.
    pub fn slots_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.memory.chunks_exact_mut(self.slot_bytes)
    }

    /// Forgets the datagrams.
    pub fn clear(&mut self) {
        self.count = 0;
    }

    /// Says that the next slot holds a datagram of so many bytes; with 0 it is not sent. False where there is no such slot or room.
    pub fn push(&mut self, length: usize) -> bool {
        if length > self.slot_bytes || self.count >= self.slots {
            return false;
        }
        let (Some(slot), Ok(length)) = (self.lengths.get_mut(self.count), u32::try_from(length))
        else {
            return false;
        };
        *slot = length;
        self.count = self.count.wrapping_add(1);
        true
    }

    /// Datagrams in it.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes of all datagrams.
    pub fn total_bytes(&self) -> usize {
        self.lengths
            .iter()
            .take(self.count)
            .fold(0_usize, |sum, length| sum.wrapping_add(*length as usize))
    }

    /// The datagrams as WskSendMessages wants them: valid while the buffer stays where it is and is not changed. Null where there
    /// are none.
    pub fn wsk_list(&mut self) -> *mut WSK_BUF_LIST {
        let mut next: *mut WSK_BUF_LIST = core::ptr::null_mut();
        let used = self.list.iter_mut().zip(&self.mdls).zip(&self.lengths).take(self.count);
        for ((entry, mdl), length) in used.rev() {
            // A slot of length 0 was given up.
            let (Some(mdl), 1..) = (mdl, *length) else { continue };
            entry.Buffer = WSK_BUF { Mdl: mdl.as_ptr(), Offset: 0, Length: *length as usize };
            entry.Next = next;
            next = entry;
        }
        next
    }
}

// SAFETY: it owns its memory and MDLs; the list's pointers are made anew for each send.
unsafe impl Send for DatagramBuffer {}
// SAFETY: a shared buffer shows numbers only.
unsafe impl Sync for DatagramBuffer {}
