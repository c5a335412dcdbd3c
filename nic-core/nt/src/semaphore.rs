//! Semaphores.

use core::cell::UnsafeCell;

use nt_sys::ke::{IO_NO_INCREMENT, KSEMAPHORE, KeInitializeSemaphore, KeReleaseSemaphore};
use nt_sys::ntdef::{FALSE, LONG};

use crate::event::{Wait, wait_for_object};
use crate::irql::Passive;
use crate::pool::PoolBox;
use crate::status::Result;

/// A counting semaphore; initially 0.
pub struct Semaphore {
    semaphore: PoolBox<UnsafeCell<KSEMAPHORE>>,
}

impl Semaphore {
    /// Allocates a semaphore.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn new() -> Result<Self> {
        // SAFETY: a KSEMAPHORE consists of integers and pointers, for which zeros are valid values.
        let zeroed: KSEMAPHORE = unsafe { core::mem::zeroed() };
        let semaphore = PoolBox::new(UnsafeCell::new(zeroed))?;
        // SAFETY: the semaphore is at its final address.
        unsafe { KeInitializeSemaphore(semaphore.get(), 0, LONG::MAX) };
        Ok(Self { semaphore })
    }

    /// Releases `permits` waiters.
    ///
    /// KeReleaseSemaphore raises an exception beyond the limit: the count must stay below 2^31.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn release(&self, permits: u16) {
        if permits == 0 {
            return;
        }
        // SAFETY: the semaphore is initialized.
        unsafe {
            KeReleaseSemaphore(self.semaphore.get(), IO_NO_INCREMENT, LONG::from(permits), FALSE)
        };
    }

    /// Waits for a permit.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn wait(&self, _passive: Passive) {
        let wait = wait_for_object(self.semaphore.get().cast(), None);
        debug_assert_eq!(wait, Wait::Satisfied, "there is no timeout");
    }
}

// SAFETY: a KSEMAPHORE may be used from any thread.
unsafe impl Send for Semaphore {}
// SAFETY: a KSEMAPHORE may be used from any thread.
unsafe impl Sync for Semaphore {}
