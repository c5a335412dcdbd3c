//! The NET_BUFFER_LISTs that packets belong to.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use nt_sys::ndis::NET_BUFFER_LIST;

/// Lists whose packets are all finished, and which NDIS has not got back yet.
pub(super) struct CompletedLists {
    /// The newest list, or null; linked to the oldest.
    newest: AtomicPtr<NET_BUFFER_LIST>,
}

impl CompletedLists {
    pub(super) const fn new() -> Self {
        Self { newest: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Adds a chain of lists.
    ///
    /// # Safety
    /// The lists must be ours, without packets, and linked from `newest` to `oldest`.
    pub(super) unsafe fn push(
        &self,
        newest: NonNull<NET_BUFFER_LIST>,
        oldest: NonNull<NET_BUFFER_LIST>,
    ) {
        let mut head = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the list is ours until the exchange below.
            unsafe { (*oldest.as_ptr()).Next = head };
            match self.newest.compare_exchange_weak(
                head,
                newest.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Removes all lists: the newest, which is linked to the oldest. Null if there are none.
    pub(super) fn take(&self) -> *mut NET_BUFFER_LIST {
        // The load avoids a write to the shared cache line if there is nothing to take.
        if self.newest.load(Ordering::Relaxed).is_null() {
            return ptr::null_mut();
        }
        self.newest.swap(ptr::null_mut(), Ordering::Acquire)
    }
}

/// Prepares a list that came from NDIS: `completed` gets it when its packets are finished.
///
/// # Safety
/// The list must be ours, and `completed` must outlive its packets.
pub(super) unsafe fn begin(list: NonNull<NET_BUFFER_LIST>, completed: &CompletedLists) {
    // SAFETY: by the caller's promise.
    unsafe { (*list.as_ptr()).MiniportReserved[1] = ptr::from_ref(completed).cast_mut().cast() };
}

/// The number of packets of a list that are not finished.
///
/// # Safety
/// The list must be ours during `'a`.
pub(super) unsafe fn remaining<'a>(list: NonNull<NET_BUFFER_LIST>) -> &'a AtomicUsize {
    // SAFETY: by the caller's promise; the field has the size and alignment of a usize.
    let field = unsafe { ptr::addr_of_mut!((*list.as_ptr()).MiniportReserved) }.cast::<usize>();
    // SAFETY: by the caller's promise; nothing else uses the field.
    unsafe { AtomicUsize::from_ptr(field) }
}

/// Counts one packet of a list as finished. Returns the list if it was the last packet.
///
/// # Safety
/// The packet must have been counted, and must not be used any more.
pub(super) unsafe fn packet_done(
    list: NonNull<NET_BUFFER_LIST>,
) -> Option<NonNull<NET_BUFFER_LIST>> {
    // SAFETY: a list is ours while one of its packets exists.
    let before = unsafe { remaining(list) }.fetch_sub(1, Ordering::AcqRel);
    (before == 1).then_some(list)
}

/// Adds lists of one adapter to its completed ones.
///
/// # Safety
/// As for [`CompletedLists::push`].
pub(super) unsafe fn give_back(newest: NonNull<NET_BUFFER_LIST>, oldest: NonNull<NET_BUFFER_LIST>) {
    // SAFETY: the list is ours by the caller's promise.
    let completed = unsafe { (*newest.as_ptr()).MiniportReserved[1] }.cast::<CompletedLists>();
    // SAFETY: `begin` stored the pointer, and the completed lists of an adapter outlive its
    // packets.
    let Some(completed) = (unsafe { completed.as_ref() }) else { return };
    // SAFETY: by the caller's promise.
    unsafe { completed.push(newest, oldest) };
}
