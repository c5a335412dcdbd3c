//! The way of lists from NDIS and back.
//!
//! # Safety conditions
//! 1. The NET_BUFFER_LIST came from NDIS for this adapter and has not been completed. Its packets
//!    do not exist yet, are all in the queue that is being filled, or are finished: no other thread
//!    uses the list.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use core::time::Duration;

use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL, NDIS_STATUS_PAUSED, NDIS_STATUS_SUCCESS,
    NET_BUFFER_LIST, NdisMSendNetBufferListsComplete,
};

use super::list::{packet_done, remaining};
use super::{TransmitPacket, TransmitQueue};
use crate::event::Wait;
use crate::processor;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::Result;

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

    /// Waits until no list of a paused path is ours, but no longer than `timeout`. Somebody must
    /// complete and flush them.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub fn drain_for(&self, timeout: Duration) -> Wait {
        self.under_way.wait_for(timeout)
    }

    /// Takes a chain of lists from NDIS. Where the path is paused, it goes back at once, and the
    /// queue is empty.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Safety
    /// The chain must be one that NDIS handed to MiniportSendNetBufferLists of this adapter just
    /// now. The path must live until [`TransmitPath::drain_for`] has returned after all of its
    /// packets are gone.
    pub(crate) unsafe fn take(&self, chain: *mut NET_BUFFER_LIST) -> TransmitQueue {
        let mut lists = 0_usize;
        let mut next = chain;
        while let Some(list) = NonNull::new(next) {
            lists = lists.wrapping_add(1);
            // SAFETY: 1.
            next = unsafe { (*list.as_ptr()).Next };
        }
        let mut queue = TransmitQueue::default();
        if !self.under_way.enter(lists) {
            // SAFETY: 1.
            unsafe { self.refuse(chain) };
            return queue;
        }

        let mut next = chain;
        while let Some(list) = NonNull::new(next) {
            // SAFETY: 1.
            next = unsafe { (*list.as_ptr()).Next };
            // SAFETY: 1.
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
            // SAFETY: 1.
            next = unsafe { (*list).Next };
            // SAFETY: 1.
            unsafe { (*list).Next = chain };
            chain = list;
            lists = lists.wrapping_add(1);
        }
        if chain.is_null() {
            return;
        }
        // SAFETY: 1.
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
            // SAFETY: 1.
            unsafe { (*list.as_ptr()).Status = NDIS_STATUS_PAUSED };
            // SAFETY: 1.
            next = unsafe { (*list.as_ptr()).Next };
        }
        if !chain.is_null() {
            // SAFETY: 1.
            unsafe { NdisMSendNetBufferListsComplete(self.adapter, chain, completion_flags()) };
        }
    }

    /// Puts a list's packets into a queue.
    ///
    /// # Safety
    /// The list must be ours, from NDIS.
    unsafe fn take_list(&self, list: NonNull<NET_BUFFER_LIST>, queue: &mut TransmitQueue) {
        let raw = list.as_ptr();
        // SAFETY: 1.
        unsafe { (*raw).Status = NDIS_STATUS_SUCCESS };
        // SAFETY: 1.
        unsafe { (*raw).MiniportReserved[1] = ptr::from_ref(self).cast_mut().cast() };
        // One more than there are packets: the list must not be done before all of them are queued.
        // SAFETY: 1.
        unsafe { remaining(list) }.store(1, Ordering::Relaxed);

        // SAFETY: 1.
        let mut next = unsafe { (*raw).FirstNetBuffer };
        while let Some(buffer) = NonNull::new(next) {
            // SAFETY: 1.
            next = unsafe { (*buffer.as_ptr()).Next };
            // SAFETY: 1.
            unsafe { remaining(list) }.fetch_add(1, Ordering::Relaxed);
            // SAFETY: 1. The packet is counted.
            let packet = unsafe { TransmitPacket::new(buffer, list) };
            if packet.has_head() {
                queue.push_back(packet);
            }
        }
        // SAFETY: 1. This is the extra count.
        if let Some(list) = unsafe { packet_done(list) } {
            // SAFETY: 1. All packets are finished.
            unsafe { self.push_completed(list, list) };
        }
    }

    /// Puts a chain of completed lists where [`TransmitPath::flush`] finds it; `first` is its
    /// newest.
    ///
    /// # Safety
    /// The lists must be ours, with no packet left, linked from `first` to `last`.
    pub(super) unsafe fn push_completed(
        &self,
        first: NonNull<NET_BUFFER_LIST>,
        last: NonNull<NET_BUFFER_LIST>,
    ) {
        let mut head = self.completed.load(Ordering::Relaxed);
        loop {
            // SAFETY: 1, until the exchange below.
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

// SAFETY: NDIS accepts the handle on any thread; all other fields are atomics.
unsafe impl Send for TransmitPath {}
// SAFETY: NDIS accepts the handle on any thread; all other fields are atomics.
unsafe impl Sync for TransmitPath {}

fn completion_flags() -> u32 {
    if processor::is_dispatch() { NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL } else { 0 }
}
