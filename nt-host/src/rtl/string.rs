//! Counted strings.

use core::ptr;

use nt_sys::ntdef::{APC_LEVEL, DISPATCH_LEVEL, UNICODE_STRING, USHORT, WCHAR};

use crate::irql;
use crate::pool::{self, Owner, Request};

/// 'RtlS': the tag of the text of strings that the host allocates for the driver.
const TAG: u32 = u32::from_le_bytes(*b"RtlS");

/// Allocates a string that [`RtlFreeUnicodeString`] frees. Returns none if there is no memory.
pub(crate) fn allocate(text: &str) -> Option<UNICODE_STRING> {
    let units: Vec<u16> = text.encode_utf16().take(0x7ffe).chain([0]).collect();
    let request = Request { owner: Owner::Driver, tag: TAG, zeroed: false, alignment: 16 };
    let buffer = pool::allocate(2 * units.len(), request).cast::<u16>();
    if buffer.is_null() {
        return None;
    }
    // SAFETY: just allocated, with room for the units.
    unsafe { ptr::copy_nonoverlapping(units.as_ptr(), buffer, units.len()) };
    let length = (2 * (units.len() - 1)) as USHORT;
    Some(UNICODE_STRING { Length: length, MaximumLength: length + 2, Buffer: buffer })
}

export! { "ntoskrnl.exe";
    /// wdm.h, RtlFreeUnicodeString: only for a string whose text a function of the kernel has
    /// allocated.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// Nothing uses the text any more.
    pub unsafe fn RtlFreeUnicodeString(unicode_string: *mut UNICODE_STRING) {
        let function = "RtlFreeUnicodeString";
        irql::require_at_most(function, APC_LEVEL);
        // SAFETY: as the caller promises.
        let string = unsafe { &mut *unicode_string };
        if !string.Buffer.is_null() {
            // SAFETY: as the caller promises.
            unsafe { pool::free(function, string.Buffer.cast(), TAG) };
        }
        *string = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
    }

    /// wdm.h, RtlInitUnicodeString: describes a string that ends with 0. A string that is too long
    /// is truncated.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `destination` is writable; `source` is null or ends with 0.
    pub unsafe fn RtlInitUnicodeString(destination: *mut UNICODE_STRING, source: *const WCHAR) {
        irql::require_at_most("RtlInitUnicodeString", DISPATCH_LEVEL);
        let mut units = 0;
        // The length in bytes, with the 0, must fit 16 bits.
        while !source.is_null() && units < 0x7ffe {
            // SAFETY: the string has not ended before.
            let next = unsafe { source.add(units) };
            // SAFETY: no unit before this one is 0, so the string goes on.
            if unsafe { *next } == 0 {
                break;
            }
            units += 1;
        }
        let length = (units * 2) as USHORT;
        let string = UNICODE_STRING {
            Length: length,
            MaximumLength: if source.is_null() { 0 } else { length + 2 },
            Buffer: source.cast_mut(),
        };
        // SAFETY: as the caller promises.
        unsafe { destination.write(string) };
    }
}

/// The text of a counted string.
///
/// # Safety
/// `string` describes readable memory.
#[must_use]
pub unsafe fn to_string(string: &UNICODE_STRING) -> String {
    if string.Buffer.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    let units =
        unsafe { core::slice::from_raw_parts(string.Buffer, usize::from(string.Length / 2)) };
    String::from_utf16_lossy(units)
}

/// The text of a counted string that may be null.
///
/// # Safety
/// `string` is null, or valid and describes readable memory.
pub(crate) unsafe fn text(string: *const UNICODE_STRING) -> String {
    // SAFETY: as the caller promises.
    let string = unsafe { string.as_ref() };
    string.map_or_else(String::new, |string| {
        // SAFETY: as the caller promises.
        unsafe { to_string(string) }
    })
}

/// A counted string that owns its text.
#[derive(Debug)]
pub struct OwnedString {
    units: Vec<u16>,
}

impl OwnedString {
    /// Copies up to 32,766 UTF-16 units of `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut units: Vec<u16> = text.encode_utf16().take(0x7ffe).collect();
        units.push(0);
        Self { units }
    }

    /// A view, which is valid as long as `self`.
    #[must_use]
    pub fn view(&mut self) -> UNICODE_STRING {
        let length = ((self.units.len() - 1) * 2) as USHORT;
        UNICODE_STRING {
            Length: length,
            MaximumLength: length + 2,
            Buffer: self.units.as_mut_ptr(),
        }
    }
}
