//! Cryptography API: Next Generation (CNG): random numbers.

use nt_sys::cng::BCRYPT_USE_SYSTEM_PREFERRED_RNG;
use nt_sys::ntdef::{NTSTATUS, PASSIVE_LEVEL, PVOID, UCHAR, ULONG};
use nt_sys::status::{STATUS_INVALID_HANDLE, STATUS_SUCCESS, STATUS_UNSUCCESSFUL};

use crate::irql;
use crate::stack;

export! { "cng.sys";
    /// bcrypt.h, BCryptGenRandom: with the system-preferred generator only.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL, because the handle is null.
    ///
    /// # Safety
    /// `buffer` has `buffer_bytes` writable bytes.
    pub unsafe fn BCryptGenRandom(
        algorithm: PVOID,
        buffer: *mut UCHAR,
        buffer_bytes: ULONG,
        flags: ULONG,
    ) -> NTSTATUS {
        irql::require_exactly("BCryptGenRandom", PASSIVE_LEVEL);
        if !algorithm.is_null() || flags != BCRYPT_USE_SYSTEM_PREFERRED_RNG {
            return STATUS_INVALID_HANDLE;
        }
        if buffer_bytes == 0 {
            return STATUS_SUCCESS;
        }
        // SAFETY: as the caller promises.
        let buffer = unsafe { core::slice::from_raw_parts_mut(buffer, buffer_bytes as usize) };
        match stack::on_host(|| getrandom::fill(buffer)) {
            Ok(()) => STATUS_SUCCESS,
            Err(_) => STATUS_UNSUCCESSFUL,
        }
    }
}
