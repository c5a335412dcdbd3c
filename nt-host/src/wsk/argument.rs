//! Arguments that a driver passes by pointer.

use std::slice;

use nt_sys::ntdef::{GUID, PVOID, SIZE_T, ULONG};
use nt_sys::wsk::{NPI_WSK_INTERFACE_ID, WSK_EVENT_CALLBACK_CONTROL};

/// The event mask of a `WSK_EVENT_CALLBACK_CONTROL`, if it is for the events of WSK itself.
pub(super) fn event_mask(input: &[u8]) -> Option<ULONG> {
    if input.len() != size_of::<WSK_EVENT_CALLBACK_CONTROL>() {
        return None;
    }
    // SAFETY: the length is that of the struct, for which any bytes are valid.
    let control = unsafe { input.as_ptr().cast::<WSK_EVENT_CALLBACK_CONTROL>().read_unaligned() };
    if control.NpiId.is_null() {
        return None;
    }
    // SAFETY: the driver passes a pointer to an NPI's identifier.
    let npi: GUID = unsafe { *control.NpiId };
    (npi == NPI_WSK_INTERFACE_ID).then_some(control.EventMask)
}

/// A driver's buffer. Empty for a null pointer.
///
/// # Safety
/// The buffer is readable for `size` bytes, or null.
pub(super) unsafe fn bytes<'a>(buffer: PVOID, size: SIZE_T) -> &'a [u8] {
    if buffer.is_null() {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(buffer.cast(), size) }
}
