//! `string.h`: memory functions that the kernel exports and the compiler calls.
//!
//! `__chkstk`, which the compiler calls for a frame of more than a page, is left out: a driver with
//! such a frame does not link.

use core::ffi::c_void;

use crate::ntdef::SIZE_T;

import! { "ntoskrnl.exe";
    pub fn memcpy(destination: *mut c_void, source: *const c_void, bytes: SIZE_T) -> *mut c_void;
    pub fn memmove(destination: *mut c_void, source: *const c_void, bytes: SIZE_T) -> *mut c_void;
    pub fn memset(destination: *mut c_void, value: i32, bytes: SIZE_T) -> *mut c_void;
    pub fn memcmp(left: *const c_void, right: *const c_void, bytes: SIZE_T) -> i32;
}
