//! One packet of a list.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicI32, Ordering};

use nt_sys::ndis::{NDIS_STATUS_FAILURE, NET_BUFFER, NET_BUFFER_LIST, NdisGetDataBuffer};

use super::list::{give_back, packet_done};
use crate::mdl::{Pieces, PiecesError, copy_from_chain};
use crate::pool::PoolBox;

/// As much of a packet as is always contiguous: an IPv6 header.
const HEAD_BYTES: usize = 40;

/// Marks a head that is a copy.
const HEAD_IS_COPY: usize = 1;

/// One IP packet from the stack, owned. Dropping it tells the stack that it was not sent.
#[repr(transparent)]
pub struct TransmitPacket {
    pub(super) buffer: NonNull<NET_BUFFER>,
}

impl TransmitPacket {
    /// # Safety
    /// Buffer and list must be ours, and the packet counted in the list.
    pub(super) unsafe fn new(buffer: NonNull<NET_BUFFER>, list: NonNull<NET_BUFFER_LIST>) -> Self {
        let raw = buffer.as_ptr();
        // SAFETY: by the caller's promise.
        unsafe { (*raw).MiniportReserved = [ptr::null_mut(); 4] };
        // SAFETY: as above.
        unsafe { (*raw).MiniportReserved[1] = list.as_ptr().cast() };
        let mut packet = Self { buffer };
        packet.find_head();
        packet
    }

    /// Finds the head in place, or copies it where the stack has split it.
    fn find_head(&mut self) {
        let head_bytes = self.len().min(HEAD_BYTES);
        if head_bytes == 0 {
            return;
        }
        // SAFETY: the buffer is ours; without storage nothing is copied.
        let in_place = unsafe {
            NdisGetDataBuffer(self.buffer.as_ptr(), head_bytes as u32, ptr::null_mut(), 1, 0)
        };
        let head = match NonNull::new(in_place) {
            Some(head) => head.as_ptr(),
            None => self.copy_head(head_bytes).unwrap_or(ptr::null_mut()),
        };
        // SAFETY: the buffer is ours.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[3] = head };
    }

    fn copy_head(&self, head_bytes: usize) -> Option<*mut c_void> {
        let mut head = PoolBox::new([0_u8; HEAD_BYTES]).ok()?;
        let (chain, offset) = self.position();
        // SAFETY: the stack keeps the chain valid until the list is completed.
        unsafe { copy_from_chain(chain, offset, head.get_mut(..head_bytes)?) }.ok()?;
        // The pool's alignment leaves bit 0 free; the allocation's provenance stays in the pointer.
        Some(
            PoolBox::into_raw(head)
                .as_ptr()
                .cast::<c_void>()
                .map_addr(|address| address | HEAD_IS_COPY),
        )
    }

    pub(super) fn has_head(&self) -> bool {
        !self.raw_head().is_null()
    }

    fn raw_head(&self) -> *mut c_void {
        // SAFETY: the buffer is ours.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[3] }
    }

    /// The first bytes: all, or 40.
    pub fn head(&self) -> &[u8] {
        let head = self.raw_head().map_addr(|address| address & !HEAD_IS_COPY);
        if head.is_null() {
            return &[];
        }
        // SAFETY: `find_head` made sure of that many bytes, which stay while the packet is ours.
        unsafe { core::slice::from_raw_parts(head.cast(), self.len().min(HEAD_BYTES)) }
    }

    /// Length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "packets without bytes are never made")]
    pub fn len(&self) -> usize {
        // SAFETY: the buffer is ours.
        unsafe { (*self.buffer.as_ptr()).DataLength as usize }
    }

    /// A number that the owner left here.
    pub fn stamp(&self) -> u64 {
        // SAFETY: the buffer is ours.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[2] }.addr() as u64
    }

    /// Leaves a number here.
    pub fn set_stamp(&mut self, stamp: u64) {
        // SAFETY: the buffer is ours.
        unsafe {
            (*self.buffer.as_ptr()).MiniportReserved[2] =
                ptr::without_provenance_mut(stamp as usize);
        };
    }

    /// The packet's bytes, where they lie.
    pub fn pieces<const N: usize>(&self) -> core::result::Result<Pieces<'_, N>, PiecesError> {
        let (chain, offset) = self.position();
        // SAFETY: the stack keeps the chain valid and doesn't write to it until the list is
        // completed.
        unsafe { Pieces::of_chain(chain, offset, self.len()) }
    }

    /// Copies the packet; `output` has its length.
    pub fn copy_to(&self, output: &mut [u8]) -> core::result::Result<(), PiecesError> {
        if output.len() != self.len() {
            return Err(PiecesError::Unreadable);
        }
        let (chain, offset) = self.position();
        // SAFETY: the stack keeps the chain valid until the list is completed.
        unsafe { copy_from_chain(chain, offset, output) }
    }

    fn position(&self) -> (*const nt_sys::mm::MDL, usize) {
        let buffer = self.buffer.as_ptr();
        // SAFETY: the buffer is ours.
        let mdl = unsafe { (*buffer).CurrentMdl };
        // SAFETY: as above.
        let offset = unsafe { (*buffer).CurrentMdlOffset };
        (mdl, offset as usize)
    }

    fn list(&self) -> Option<NonNull<NET_BUFFER_LIST>> {
        // SAFETY: the buffer is ours.
        NonNull::new(unsafe { (*self.buffer.as_ptr()).MiniportReserved[1] }.cast())
    }

    /// Ends the packet. The list that this was the last packet of, if so.
    pub(super) fn finish(self, is_sent: bool) -> Option<NonNull<NET_BUFFER_LIST>> {
        let (list, head) = (self.list(), self.raw_head());
        // `drop` would come back here.
        core::mem::forget(self);
        let list = list?;
        if head.addr() & HEAD_IS_COPY != 0
            && let Some(copy) = NonNull::new(head.map_addr(|address| address & !HEAD_IS_COPY))
        {
            // SAFETY: `copy_head` made it, and the packet was its only user.
            drop(unsafe { PoolBox::<[u8; HEAD_BYTES]>::from_raw(copy.cast()) });
        }
        if !is_sent {
            // SAFETY: the list is ours while a packet of it is.
            let status = unsafe { ptr::addr_of_mut!((*list.as_ptr()).Status) };
            // SAFETY: as above; an i32 is an AtomicI32, and packets of one list may end on several
            // processors.
            unsafe { AtomicI32::from_ptr(status) }.store(NDIS_STATUS_FAILURE, Ordering::Relaxed);
        }
        // SAFETY: this packet was counted and is gone.
        unsafe { packet_done(list) }
    }
}

impl Drop for TransmitPacket {
    fn drop(&mut self) {
        let packet = Self { buffer: self.buffer };
        if let Some(list) = packet.finish(false) {
            // SAFETY: the list's packets are gone, so the list is ours alone.
            unsafe { give_back(list, list) };
        }
    }
}

// SAFETY: a packet is ours, on whatever thread.
unsafe impl Send for TransmitPacket {}
