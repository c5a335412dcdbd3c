//! The way of lists from NDIS and back.

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
        // SAFETY: all of the chain's lists came from NDIS for this adapter, and none of their
        // packets is in use.
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
        // One more than there are packets: the list must not be done before all of them are in the
        // queue. SAFETY: as above.
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

fn completion_flags() -> u32 {
    if processor::is_dispatch() { NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL } else { 0 }
}
