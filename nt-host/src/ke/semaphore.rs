//! Semaphores.

use core::sync::atomic::Ordering;

use nt_sys::ke::KSEMAPHORE;
use nt_sys::ntdef::{APC_LEVEL, BOOLEAN, DISPATCH_LEVEL, HIGH_LEVEL, KPRIORITY, LONG};

use crate::irql;
use crate::ke::dispatcher::{self, SEMAPHORE};
use crate::violation::{Rule, stop};

export! { "ntoskrnl.exe";
    /// wdm.h, KeInitializeSemaphore.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `semaphore` is writable, and nobody waits on it.
    pub unsafe fn KeInitializeSemaphore(semaphore: *mut KSEMAPHORE, count: LONG, limit: LONG) {
        let function = "KeInitializeSemaphore";
        irql::require_at_most(function, HIGH_LEVEL);
        if count < 0 || limit < 1 || count > limit {
            stop(Rule::BAD_ARGUMENT, function, format_args!("count {count} of {limit}"));
        }
        let words = (size_of::<KSEMAPHORE>() / 4) as u8;
        // SAFETY: as the caller promises.
        unsafe { dispatcher::initialize(semaphore.cast(), SEMAPHORE, words, count) };
        // SAFETY: as the caller promises.
        unsafe { (*semaphore).Limit = limit };
    }

    /// wdm.h, KeReleaseSemaphore: returns the count before. Above the limit NT raises an exception;
    /// here that stops.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL; with `wait`, <= APC_LEVEL.
    ///
    /// # Safety
    /// `semaphore` is valid.
    pub unsafe fn KeReleaseSemaphore(
        semaphore: *mut KSEMAPHORE,
        _increment: KPRIORITY,
        adjustment: LONG,
        wait: BOOLEAN,
    ) -> LONG {
        let function = "KeReleaseSemaphore";
        irql::require_at_most(function, if wait == 0 { DISPATCH_LEVEL } else { APC_LEVEL });
        // SAFETY: as the caller promises.
        unsafe { dispatcher::require(function, semaphore.cast(), &[SEMAPHORE]) };
        // SAFETY: as the caller promises.
        let limit = unsafe { (*semaphore).Limit };
        let lock = dispatcher::lock();
        // SAFETY: as the caller promises.
        let state = unsafe { dispatcher::state(semaphore.cast()) };
        let released = state.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |count| {
            count.checked_add(adjustment).filter(|count| adjustment > 0 && *count <= limit)
        });
        let Ok(before) = released else {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("{adjustment} more would exceed the limit of {limit}"),
            );
        };
        // SAFETY: as the caller promises; the lock is held.
        unsafe { dispatcher::release_waiters(semaphore.cast()) };
        drop(lock);
        before
    }
}
