//! A packet of a list.
//!
//! # Safety conditions
//! 1. The packet owns its NET_BUFFER until it is finished. No other thread accesses it.
//! 2. A NET_BUFFER_LIST belongs to this driver while one of its packets exists. The stack keeps the
//!    MDL chain valid, and does not write to it, until the list is completed.

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicI32, Ordering};

use nt_sys::ndis::{NDIS_STATUS_FAILURE, NET_BUFFER, NET_BUFFER_LIST, NdisGetDataBuffer};

use super::list::{give_back, packet_done};
use crate::mdl::{Pieces, PiecesError, copy_from_chain};
use crate::pool::PoolBox;

/// The length of the contiguous head of a packet: an IPv6 header.
const HEAD_BYTES: usize = 40;

/// The bit that marks a head that is a copy.
const HEAD_IS_COPY: usize = 1;

/// An owned IP packet from the stack. Dropping it finishes it as not sent.
#[repr(transparent)]
pub struct TransmitPacket {
    pub(super) buffer: NonNull<NET_BUFFER>,
}

impl TransmitPacket {
    /// # Safety
    /// Buffer and list must be ours, and the list must count the packet.
    pub(super) unsafe fn new(buffer: NonNull<NET_BUFFER>, list: NonNull<NET_BUFFER_LIST>) -> Self {
        let raw = buffer.as_ptr();
        // SAFETY: by the caller's promise.
        unsafe { (*raw).MiniportReserved = [ptr::null_mut(); 4] };
        // SAFETY: by the caller's promise.
        unsafe { (*raw).MiniportReserved[1] = list.as_ptr().cast() };
        let mut packet = Self { buffer };
        packet.find_head();
        packet
    }

    /// Finds the head in place, or copies it if it is not contiguous.
    fn find_head(&mut self) {
        let head_bytes = self.len().min(HEAD_BYTES);
        if head_bytes == 0 {
            return;
        }
        // SAFETY: 1. Without storage nothing is copied.
        let in_place = unsafe {
            NdisGetDataBuffer(self.buffer.as_ptr(), head_bytes as u32, ptr::null_mut(), 1, 0)
        };
        let head = match NonNull::new(in_place) {
            Some(head) => head.as_ptr(),
            None => self.copy_head(head_bytes).unwrap_or(ptr::null_mut()),
        };
        // SAFETY: 1.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[3] = head };
    }

    fn copy_head(&self, head_bytes: usize) -> Option<*mut c_void> {
        let mut head = PoolBox::new([0_u8; HEAD_BYTES]).ok()?;
        let (chain, offset) = self.position();
        // SAFETY: 2.
        unsafe { copy_from_chain(chain, offset, head.get_mut(..head_bytes)?) }.ok()?;
        // The pool's alignment leaves bit 0 free. The pointer keeps its provenance.
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
        // SAFETY: 1.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[3] }
    }

    /// The first bytes of the packet, at most 40.
    pub fn head(&self) -> &[u8] {
        let head = self.raw_head().map_addr(|address| address & !HEAD_IS_COPY);
        if head.is_null() {
            return &[];
        }
        // SAFETY: 1. `find_head` checked that this many bytes are there.
        unsafe { core::slice::from_raw_parts(head.cast(), self.len().min(HEAD_BYTES)) }
    }

    /// The length in bytes.
    #[expect(clippy::len_without_is_empty, reason = "packets without bytes are never made")]
    pub fn len(&self) -> usize {
        // SAFETY: 1.
        unsafe { (*self.buffer.as_ptr()).DataLength as usize }
    }

    /// The number of [`Self::set_stamp`].
    pub fn stamp(&self) -> u64 {
        // SAFETY: 1.
        unsafe { (*self.buffer.as_ptr()).MiniportReserved[2] }.addr() as u64
    }

    /// Stores a number of the owner.
    pub fn set_stamp(&mut self, stamp: u64) {
        // SAFETY: 1.
        unsafe {
            (*self.buffer.as_ptr()).MiniportReserved[2] =
                ptr::without_provenance_mut(stamp as usize);
        };
    }

    /// The bytes of the packet, in place.
    pub fn pieces<const N: usize>(&self) -> core::result::Result<Pieces<'_, N>, PiecesError> {
        let (chain, offset) = self.position();
        // SAFETY: 2.
        unsafe { Pieces::of_chain(chain, offset, self.len()) }
    }

    /// Copies the packet; `output` must have its length.
    pub fn copy_to(&self, output: &mut [u8]) -> core::result::Result<(), PiecesError> {
        if output.len() != self.len() {
            return Err(PiecesError::Unreadable);
        }
        let (chain, offset) = self.position();
        // SAFETY: 2.
        unsafe { copy_from_chain(chain, offset, output) }
    }

    fn position(&self) -> (*const nt_sys::mm::MDL, usize) {
        let buffer = self.buffer.as_ptr();
        // SAFETY: 1.
        let mdl = unsafe { (*buffer).CurrentMdl };
        // SAFETY: 1.
        let offset = unsafe { (*buffer).CurrentMdlOffset };
        (mdl, offset as usize)
    }

    fn list(&self) -> Option<NonNull<NET_BUFFER_LIST>> {
        // SAFETY: 1.
        NonNull::new(unsafe { (*self.buffer.as_ptr()).MiniportReserved[1] }.cast())
    }

    /// Finishes the packet. Returns its list if it was the last unfinished packet of it.
    pub(super) fn finish(self, is_sent: bool) -> Option<NonNull<NET_BUFFER_LIST>> {
        let (list, head) = (self.list(), self.raw_head());
        // `drop` would call this again.
        core::mem::forget(self);
        let list = list?;
        if head.addr() & HEAD_IS_COPY != 0
            && let Some(copy) = NonNull::new(head.map_addr(|address| address & !HEAD_IS_COPY))
        {
            // SAFETY: `copy_head` allocated it, and the packet was its only user.
            drop(unsafe { PoolBox::<[u8; HEAD_BYTES]>::from_raw(copy.cast()) });
        }
        if !is_sent {
            // SAFETY: 2.
            let status = unsafe { ptr::addr_of_mut!((*list.as_ptr()).Status) };
            // SAFETY: 2. The field is an i32, and packets of one list may finish on several
            // processors.
            unsafe { AtomicI32::from_ptr(status) }.store(NDIS_STATUS_FAILURE, Ordering::Relaxed);
        }
        // SAFETY: the packet was counted, and does not exist any more.
        unsafe { packet_done(list) }
    }
}

impl Drop for TransmitPacket {
    fn drop(&mut self) {
        let packet = Self { buffer: self.buffer };
        if let Some(list) = packet.finish(false) {
            // SAFETY: all packets of the list are finished, so that no other thread uses it.
            unsafe { give_back(list, list) };
        }
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for TransmitPacket {}
