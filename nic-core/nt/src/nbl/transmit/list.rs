//! A list's account of its packets.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering};

use nt_sys::ndis::NET_BUFFER_LIST;

use super::TransmitPath;

/// The count of a list's packets that are not done.
///
/// # Safety
/// The list must be ours during `'a`.
pub(super) unsafe fn remaining<'a>(list: NonNull<NET_BUFFER_LIST>) -> &'a AtomicUsize {
    // SAFETY: by the caller's promise; the field has the size and alignment of a usize.
    let field = unsafe { ptr::addr_of_mut!((*list.as_ptr()).MiniportReserved) }.cast::<usize>();
    // SAFETY: by the caller's promise; nothing else uses the field.
    unsafe { AtomicUsize::from_ptr(field) }
}

/// Counts one packet of a list as done; the list where it was the last.
///
/// # Safety
/// The packet must have been counted, and is not used any more.
pub(super) unsafe fn packet_done(
    list: NonNull<NET_BUFFER_LIST>,
) -> Option<NonNull<NET_BUFFER_LIST>> {
    // SAFETY: a list is ours while one of its packets exists.
    let before = unsafe { remaining(list) }.fetch_sub(1, Ordering::AcqRel);
    (before == 1).then_some(list)
}

/// Gives lists without packets to their path; all are of one adapter.
///
/// # Safety
/// As [`TransmitPath::push_completed`].
pub(super) unsafe fn give_back(newest: NonNull<NET_BUFFER_LIST>, oldest: NonNull<NET_BUFFER_LIST>) {
    // SAFETY: by the caller's promise; `take_list` stored the path here.
    let path = unsafe { (*newest.as_ptr()).MiniportReserved[1] }.cast::<TransmitPath>();
    // SAFETY: the path outlives its lists.
    let Some(path) = (unsafe { path.as_ref() }) else { return };
    // SAFETY: by the caller's promise.
    unsafe { path.push_completed(newest, oldest) };
}
