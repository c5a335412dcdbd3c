//! A panic of the driver is a bug check.

use core::panic::PanicInfo;

use nt_sys::ke::KeBugCheckEx;

/// The bug check code: the letters `TUNC`. Codes with the customer bit (29) are free for drivers
/// (ntstatus.h's layout).
pub const CODE: u32 = 0x2000_0000 | u32::from_be_bytes(*b"TUNC");

/// Stops the system: after a panic no state of the driver can be trusted.
///
/// The bug check parameters are the address and length of the source file's name, the line and the
/// column.
///
/// # IRQL
/// any
pub fn on_panic(panic: &PanicInfo<'_>) -> ! {
    let (file, line, column) =
        panic.location().map_or(("", 0, 0), |place| (place.file(), place.line(), place.column()));
    // SAFETY: no condition; the call does not return.
    unsafe { KeBugCheckEx(CODE, file.as_ptr().addr(), file.len(), line as usize, column as usize) }
}
