//! `bcrypt.h` for drivers: random numbers.

use crate::ntdef::{NTSTATUS, PVOID, UCHAR, ULONG};

/// Use the system's preferred generator; the algorithm handle is null. The only form allowed at
/// DISPATCH_LEVEL is with a handle; this one needs PASSIVE_LEVEL.
pub const BCRYPT_USE_SYSTEM_PREFERRED_RNG: ULONG = 0x0000_0002;

import! { "cng.sys";
    pub fn BCryptGenRandom(
        algorithm: PVOID, buffer: *mut UCHAR, buffer_bytes: ULONG, flags: ULONG) -> NTSTATUS;
}
