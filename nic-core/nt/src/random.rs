//! Cryptographic random numbers.

use nt_sys::cng::{BCRYPT_USE_SYSTEM_PREFERRED_RNG, BCryptGenRandom};
use nt_sys::ntdef::ULONG;

use crate::status::{Result, Status};

/// Fills a buffer with random bytes from the system's generator.
///
/// # IRQL
/// `PASSIVE_LEVEL` (bcrypt.h, BCryptGenRandom without a handle)
pub fn fill(bytes: &mut [u8]) -> Result<()> {
    let length = ULONG::try_from(bytes.len()).map_err(|_| Status::INVALID_PARAMETER)?;
    // SAFETY: the buffer has that many bytes.
    let status = unsafe {
        BCryptGenRandom(
            core::ptr::null_mut(),
            bytes.as_mut_ptr(),
            length,
            BCRYPT_USE_SYSTEM_PREFERRED_RNG,
        )
    };
    // Informational values do not fill the buffer either.
    if status == Status::SUCCESS.0 { Ok(()) } else { Err(Status::UNSUCCESSFUL) }
}
