//! `bcrypt.h` for drivers: random numbers.

use crate::ntdef::{NTSTATUS, PVOID, UCHAR, ULONG};

/// Uses the system's preferred generator; the algorithm handle is null. This requires
/// PASSIVE_LEVEL; at DISPATCH_LEVEL a handle is required.
pub const BCRYPT_USE_SYSTEM_PREFERRED_RNG: ULONG = 0x0000_0002;

import! { "cng.sys";
    pub fn BCryptGenRandom(
        algorithm: PVOID, buffer: *mut UCHAR, buffer_bytes: ULONG, flags: ULONG) -> NTSTATUS;
}
