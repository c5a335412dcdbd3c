//! The path of NET_BUFFER_LISTs from NDIS and back.
//!
//! # Safety conditions
//! 1. The NET_BUFFER_LIST came from NDIS for this adapter and has not been completed. Its packets
//!    do not exist yet, are all in the queue that is being filled, or are finished: no other thread
//!    uses the list.

use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use core::time::Duration;

use nt_sys::ndis::{
    NDIS_HANDLE, NDIS_SEND_COMPLETE_FLAGS_DISPATCH_LEVEL, NDIS_STATUS_PAUSED, NDIS_STATUS_SUCCESS,
    NET_BUFFER_LIST, NdisMSendNetBufferListsComplete,
};

use super::list::{self, CompletedLists, packet_done, remaining};
use super::packet::TransmitPacket;
use super::queue::TransmitQueue;
use crate::event::Wait;
use crate::irql::Passive;
use crate::processor;
use crate::rundown::Rundown;
use crate::shared::Shared;
use crate::status::Result;

/// The transmit path of one adapter. It takes lists from NDIS and returns them.
pub struct TransmitPath {
    adapter: NDIS_HANDLE,
    /// Lists to be returned to NDIS.
    completed: CompletedLists,
    /// One use for each list that NDIS handed over; closed while the adapter is paused.
    under_way: Rundown,
}

impl TransmitPath {
    /// Makes the path of an adapter, which is paused.
    pub(crate) fn new(adapter: NDIS_HANDLE) -> Result<Shared<Self>> {
        Shared::new(Self {
            adapter,
            completed: CompletedLists::new(),
            under_way: Rundown::closed()?,
        })
    }

    /// Starts to accept lists.
    pub fn resume(&self) {
        self.under_way.open();
    }

    /// Stops to accept lists.
    pub fn pause(&self) {
        self.under_way.close();
    }

    /// Waits, no longer than `timeout`, until a paused path has returned all lists to NDIS. Others
    /// must complete and flush them meanwhile.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn drain_for(&self, timeout: Duration, _passive: Passive) -> Wait {
        self.under_way.wait_for(timeout)
    }

    /// Takes a chain of lists from NDIS. A paused path returns it at once, and the queue is empty.
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

    /// Returns completed lists to NDIS, in the order of their completion.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    ///
    /// # Locks
    /// None may be held: overlying drivers send from their completion handlers.
    pub fn flush(&self) {
        let mut next = self.completed.take();
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

    /// Returns a chain that arrived while the path was paused.
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

    /// Adds the packets of a list to a queue.
    ///
    /// # Safety
    /// The list must have come from NDIS for this adapter.
    unsafe fn take_list(&self, list: NonNull<NET_BUFFER_LIST>, queue: &mut TransmitQueue) {
        let raw = list.as_ptr();
        // SAFETY: 1.
        unsafe { (*raw).Status = NDIS_STATUS_SUCCESS };
        // SAFETY: 1.
        unsafe { list::begin(list, &self.completed) };
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
            unsafe { self.completed.push(list, list) };
        }
    }
}

impl Drop for TransmitPath {
    fn drop(&mut self) {
        // A packet that still exists would access the path when it is dropped.
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
