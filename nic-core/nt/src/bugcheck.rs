//! The end of the system: a panic of the driver.

use core::panic::PanicInfo;

use nt_sys::ke::KeBugCheckEx;

/// Our bug check code: the letters `TUNC`. Codes with the customer bit (29) are free for drivers
/// (ntstatus.h's layout).
pub const CODE: u32 = 0x2000_0000 | u32::from_be_bytes(*b"TUNC");

/// Stops the system: a panic says that a rule of ours is broken, and nothing can be trusted any
/// more.
///
/// The parameters are the address and the length of the file's name, the line and the column.
///
/// # IRQL
/// any
pub fn on_panic(panic: &PanicInfo<'_>) -> ! {
    let (file, line, column) =
        panic.location().map_or(("", 0, 0), |place| (place.file(), place.line(), place.column()));
    // SAFETY: no condition; it does not return.
    unsafe { KeBugCheckEx(CODE, file.as_ptr().addr(), file.len(), line as usize, column as usize) }
}
