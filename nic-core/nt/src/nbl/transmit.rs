//! Packets that the stack wants sent.
//!
//! The stack hands over NET_BUFFER_LISTs, each of one or more NET_BUFFERs; a packet is one NET_BUFFER. A list is completed
//! when the last of its packets is: its MiniportReserved counts them. Completed lists gather on the adapter's
//! [`TransmitPath`] and go back to NDIS, many by one call, with [`TransmitPath::flush`]: never from a packet's drop, which
//! may happen under a lock that the stack's completion handler would need.
//!
//! What the reserved fields hold (ndis/nbl.h gives them to the miniport that has the packet):
//!
//! | field | content |
//! |---|---|
//! | `NET_BUFFER_LIST::MiniportReserved[0]` | packets not done yet |
//! | `NET_BUFFER_LIST::MiniportReserved[1]` | the [`TransmitPath`] |
//! | `NET_BUFFER::MiniportReserved[0]` | next packet of a queue |
//! | `NET_BUFFER::MiniportReserved[1]` | the packet's NET_BUFFER_LIST |
//! | `NET_BUFFER::MiniportReserved[2]` | the owner's time stamp |
//! | `NET_BUFFER::MiniportReserved[3]` | the head: in place, or our copy of it (bit 0 set) |

use core::ffi::c_void;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use core::time::Duration;

use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL, NDIS_STATUS_FAILURE, NDIS_STATUS_PAUSED,
    NDIS_STATUS_SUCCESS, NET_BUFFER, NET_BUFFER_LIST, NdisGetDataBuffer,
    NdisMSendNetBufferListsComplete,
};

use crate::event::Wait;
use crate::mdl::{Pieces, PiecesError, copy_from_chain};
use crate::pool::PoolBox;
use crate::processor;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::Result;

/// As much of a packet as is always contiguous: an IPv6 header.
const HEAD_BYTES: usize = 40;

/// Marks a head that is a copy.
const HEAD_IS_COPY: usize = 1;

/// What sends of one adapter have in common: the way back to NDIS.
pub struct TransmitPath {
    adapter: NDIS_HANDLE,
    /// Completed lists that NDIS doesn't know of yet, newest first.
    completed: AtomicPtr<NET_BUFFER_LIST>,
    /// The lists that are ours; closed while the adapter is paused.
    under_way: Rundown,
}

impl TransmitPath {
    /// The path of the adapter that NDIS knows by this handle; paused.
    pub(crate) fn new(adapter: NDIS_HANDLE) -> Result<Shared<Self>> {
        Shared::new(Self {
            adapter,
            completed: AtomicPtr::new(ptr::null_mut()),
            under_way: Rundown::closed()?,
        })
    }

    /// Lets lists in.
    pub fn resume(&self) {
        self.under_way.open();
    }

    /// Lets no more lists in.
    pub fn pause(&self) {
        self.under_way.close();
    }

    /// Waits until no list of a paused path is ours, but no longer than `timeout`. Somebody must complete and flush them.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn drain_for(&self, timeout: Duration) -> Wait {
        self.under_way.wait_for(timeout)
    }

    /// Takes a chain of lists from NDIS. Where the path is paused, it goes back at once, and the queue is empty.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The chain must be one that NDIS handed to MiniportSendNetBufferLists of this adapter just now. The path must live
    /// until [`TransmitPath::drain_for`] has returned after all of its packets are gone.
    pub(crate) unsafe fn take(&self, chain: *mut NET_BUFFER_LIST) -> TransmitQueue {
        let mut lists = 0_usize;
        let mut next = chain;
        while let Some(list) = NonNull::new(next) {
            lists = lists.wrapping_add(1);
            // SAFETY: the chain is ours.
            next = unsafe { (*list.as_ptr()).Next };
        }
        let mut queue = TransmitQueue::default();
        if !self.under_way.enter(lists) {
            // SAFETY: the chain is ours and goes back to NDIS.
            unsafe { self.refuse(chain) };
            return queue;
        }

        let mut next = chain;
        while let Some(list) = NonNull::new(next) {
            // SAFETY: the chain is ours.
            next = unsafe { (*list.as_ptr()).Next };
            // SAFETY: as above.
            unsafe { self.take_list(list, &mut queue) };
        }
        queue
    }

    /// Gives completed lists back to NDIS, in the order of their completion.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// None may be held: protocols above send from their completion handlers.
    pub fn flush(&self) {
        // A look first: the swap would take the cache line from others for nothing.
        if self.completed.load(Ordering::Relaxed).is_null() {
            return;
        }
        let mut next = self.completed.swap(ptr::null_mut(), Ordering::Acquire);
        let mut chain: *mut NET_BUFFER_LIST = ptr::null_mut();
        let mut lists = 0_usize;
        while let Some(list) = NonNull::new(next) {
            let list = list.as_ptr();
            // SAFETY: the list is ours alone.
            next = unsafe { (*list).Next };
            // SAFETY: as above.
            unsafe { (*list).Next = chain };
            chain = list;
            lists = lists.wrapping_add(1);
        }
        if chain.is_null() {
            return;
        }
        // SAFETY: all of the chain's lists came from NDIS for this adapter, and none of their packets is in use.
        unsafe { NdisMSendNetBufferListsComplete(self.adapter, chain, completion_flags()) };
        self.under_way.leave(lists);
    }

    /// Gives a chain back that came while the path was paused.
    ///
    /// # Safety
    /// As [`TransmitPath::take`].
    unsafe fn refuse(&self, chain: *mut NET_BUFFER_LIST) {
        let mut next = chain;
        while let Some(list) = NonNull::new(next) {
            // SAFETY: the chain is ours.
            unsafe { (*list.as_ptr()).Status = NDIS_STATUS_PAUSED };
            // SAFETY: as above.
            next = unsafe { (*list.as_ptr()).Next };
        }
        if !chain.is_null() {
            // SAFETY: the chain came from NDIS for this adapter.
            unsafe { NdisMSendNetBufferListsComplete(self.adapter, chain, completion_flags()) };
        }
    }

    /// Puts a list's packets into a queue.
    ///
    /// # Safety
    /// The list must be ours, from NDIS.
    unsafe fn take_list(&self, list: NonNull<NET_BUFFER_LIST>, queue: &mut TransmitQueue) {
        let raw = list.as_ptr();
        // SAFETY: the list is ours.
        unsafe { (*raw).Status = NDIS_STATUS_SUCCESS };
        // SAFETY: as above.
        unsafe { (*raw).MiniportReserved[1] = ptr::from_ref(self).cast_mut().cast() };
        // One more than there are packets: the list must not be done before all of them are in the queue.
        // SAFETY: as above.
        unsafe { remaining(list) }.store(1, Ordering::Relaxed);

        // SAFETY: as above.
        let mut next = unsafe { (*raw).FirstNetBuffer };
        while let Some(buffer) = NonNull::new(next) {
            // SAFETY: the list's buffers are ours with it.
            next = unsafe { (*buffer.as_ptr()).Next };
            // SAFETY: as above.
            unsafe { remaining(list) }.fetch_add(1, Ordering::Relaxed);
            // SAFETY: as above.
            let packet = unsafe { TransmitPacket::new(buffer, list) };
            if packet.has_head() {
                queue.push_back(packet);
            }
        }
        // SAFETY: this is the one more.
        if let Some(list) = unsafe { packet_done(list) } {
            // SAFETY: the list's packets are gone.
            unsafe { self.push_completed(list, list) };
        }
    }

    /// Puts a chain of completed lists where [`TransmitPath::flush`] finds it; `first` is its newest.
    ///
    /// # Safety
    /// The lists must be ours, with no packet left, linked from `first` to `last`.
    unsafe fn push_completed(
        &self,
        first: NonNull<NET_BUFFER_LIST>,
        last: NonNull<NET_BUFFER_LIST>,
    ) {
        let mut head = self.completed.load(Ordering::Relaxed);
        loop {
            // SAFETY: the list is ours until the exchange below.
            unsafe { (*last.as_ptr()).Next = head };
            match self.completed.compare_exchange_weak(
                head,
                first.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

impl Drop for TransmitPath {
    fn drop(&mut self) {
        // A packet that still exists would use this when it goes.
        assert_eq!(self.under_way.uses(), 0, "packets outlive their path");
    }
}

// SAFETY: the handle is used as NDIS allows from anywhere; all else is atomic.
unsafe impl Send for TransmitPath {}
// SAFETY: as above.
unsafe impl Sync for TransmitPath {}

/// One IP packet from the stack, owned. Dropping it tells the stack that it was not sent.
#[repr(transparent)]
pub struct TransmitPacket {
    buffer: NonNull<NET_BUFFER>,
}

impl TransmitPacket {
    /// # Safety
    /// Buffer and list must be ours, and the packet counted in the list.
    unsafe fn new(buffer: NonNull<NET_BUFFER>, list: NonNull<NET_BUFFER_LIST>) -> Self {
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

    fn has_head(&self) -> bool {
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
        // SAFETY: the stack keeps the chain valid and doesn't write to it until the list is completed.
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
    fn finish(self, is_sent: bool) -> Option<NonNull<NET_BUFFER_LIST>> {
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
            // SAFETY: as above; an i32 is an AtomicI32, and packets of one list may end on several processors.
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

/// A first-in first-out queue of packets, linked through themselves. Dropping it drops them.
#[derive(Default)]
pub struct TransmitQueue {
    first: Option<TransmitPacket>,
    last: Option<NonNull<NET_BUFFER>>,
    length: usize,
}

impl TransmitQueue {
    /// Puts a packet at the end.
    pub fn push_back(&mut self, packet: TransmitPacket) {
        let buffer = packet.buffer;
        // SAFETY: the packet is ours.
        unsafe { (*buffer.as_ptr()).MiniportReserved[0] = ptr::null_mut() };
        if let Some(last) = self.last.replace(buffer) {
            // SAFETY: the queue owns its packets.
            unsafe { (*last.as_ptr()).MiniportReserved[0] = buffer.as_ptr().cast() };
        }
        if self.first.is_none() {
            self.first = Some(packet);
        } else {
            // The packet before it owns it now.
            core::mem::forget(packet);
        }
        self.length = self.length.wrapping_add(1);
    }

    /// Takes the oldest.
    pub fn pop_front(&mut self) -> Option<TransmitPacket> {
        let packet = self.first.take()?;
        // SAFETY: the packet is ours.
        let next = unsafe { (*packet.buffer.as_ptr()).MiniportReserved[0] };
        self.first = NonNull::new(next.cast()).map(|buffer| TransmitPacket { buffer });
        if self.first.is_none() {
            self.last = None;
        }
        self.length = self.length.wrapping_sub(1);
        Some(packet)
    }

    /// The oldest.
    pub fn front(&self) -> Option<&TransmitPacket> {
        self.first.as_ref()
    }

    /// Packets in it, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &TransmitPacket> {
        let mut next = self.first.as_ref();
        core::iter::from_fn(move || {
            let packet = next?;
            // SAFETY: the queue owns its packets.
            let link = unsafe { (*packet.buffer.as_ptr()).MiniportReserved.as_ptr() };
            // SAFETY: the link's place holds a pointer to the next packet's buffer, or null; a TransmitPacket is exactly
            // that pointer, and the queue, which is borrowed, keeps it.
            next =
                unsafe { link.cast::<Option<TransmitPacket>>().as_ref() }.and_then(Option::as_ref);
            Some(packet)
        })
    }

    /// Packets in it.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Ends all packets: they were sent. The stack hears of it by the next [`TransmitPath::flush`].
    pub fn complete(mut self) {
        self.finish(true);
    }

    fn finish(&mut self, is_sent: bool) {
        let mut newest: Option<NonNull<NET_BUFFER_LIST>> = None;
        let mut oldest: Option<NonNull<NET_BUFFER_LIST>> = None;
        while let Some(packet) = self.pop_front() {
            let Some(list) = packet.finish(is_sent) else { continue };
            let next = newest.map_or(ptr::null_mut(), NonNull::as_ptr);
            // SAFETY: the list's packets are gone, so it is ours alone.
            unsafe { (*list.as_ptr()).Next = next };
            newest = Some(list);
            oldest = oldest.or(Some(list));
        }
        if let (Some(newest), Some(oldest)) = (newest, oldest) {
            // SAFETY: the lists' packets are gone.
            unsafe { give_back(newest, oldest) };
        }
    }
}

// SAFETY: the queue owns its packets, on whatever thread.
unsafe impl Send for TransmitQueue {}

impl Drop for TransmitQueue {
    fn drop(&mut self) {
        self.finish(false);
    }
}

/// The count of a list's packets that are not done.
///
/// # Safety
/// The list must be ours during `'a`.
unsafe fn remaining<'a>(list: NonNull<NET_BUFFER_LIST>) -> &'a AtomicUsize {
    // SAFETY: by the caller's promise; the field has the size and alignment of a usize.
    let field = unsafe { ptr::addr_of_mut!((*list.as_ptr()).MiniportReserved) }.cast::<usize>();
    // SAFETY: as above, and nobody uses the field otherwise while the list is ours.
    unsafe { AtomicUsize::from_ptr(field) }
}

/// Counts one packet of a list as done; the list where it was the last.
///
/// # Safety
/// The packet must have been counted, and is not used any more.
unsafe fn packet_done(list: NonNull<NET_BUFFER_LIST>) -> Option<NonNull<NET_BUFFER_LIST>> {
    // SAFETY: the list is ours while a packet of it is.
    let before = unsafe { remaining(list) }.fetch_sub(1, Ordering::AcqRel);
    (before == 1).then_some(list)
}

/// Gives lists without packets to their path; all are of one adapter.
///
/// # Safety
/// As [`TransmitPath::push_completed`].
unsafe fn give_back(newest: NonNull<NET_BUFFER_LIST>, oldest: NonNull<NET_BUFFER_LIST>) {
    // SAFETY: the list is ours, and `take_list` left its path here, which outlives it.
    let path = unsafe { (*newest.as_ptr()).MiniportReserved[1] }.cast::<TransmitPath>();
    // SAFETY: as above.
    let Some(path) = (unsafe { path.as_ref() }) else { return };
    // SAFETY: by the caller's promise.
    unsafe { path.push_completed(newest, oldest) };
}

fn completion_flags() -> u32 {
    if processor::is_dispatch() { NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL } else { 0 }
}
