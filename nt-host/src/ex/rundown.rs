//! Rundown protection.
//!
//! The word counts references in steps of 2. Its lowest bit is set when the rundown has begun. The
//! thread that waits for the rundown sleeps on the word.

use core::sync::atomic::{AtomicU64, Ordering};

use nt_sys::ex::EX_RUNDOWN_REF;
use nt_sys::ntdef::{APC_LEVEL, BOOLEAN, DISPATCH_LEVEL};

use crate::irql;
use crate::violation::{Rule, stop};

const ACTIVE: u64 = 1;
const USE: u64 = 2;

export! { "ntoskrnl.exe";
    /// wdm.h, ExInitializeRundownProtection.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// `rundown` is writable, and nothing uses it yet.
    pub unsafe fn ExInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        irql::require_at_most("ExInitializeRundownProtection", APC_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { (*rundown).Count = 0 };
    }

    /// wdm.h, ExReInitializeRundownProtection: after a rundown, lets acquires succeed again.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// `rundown` was initialized.
    pub unsafe fn ExReInitializeRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        let function = "ExReInitializeRundownProtection";
        irql::require_at_most(function, APC_LEVEL);
        // SAFETY: as the caller promises.
        let word = unsafe { word(rundown) };
        if word.swap(0, Ordering::AcqRel) != ACTIVE {
            stop(Rule::BAD_OBJECT, function, format_args!("the rundown is not over"));
        }
    }

    /// wdm.h, ExAcquireRundownProtection: returns false once the rundown has begun.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `rundown` was initialized.
    pub unsafe fn ExAcquireRundownProtection(rundown: *mut EX_RUNDOWN_REF) -> BOOLEAN {
        irql::require_at_most("ExAcquireRundownProtection", DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let word = unsafe { word(rundown) };
        let taken = word.fetch_update(Ordering::Acquire, Ordering::Relaxed, |now| {
            (now & ACTIVE == 0).then_some(now.wrapping_add(USE))
        });
        BOOLEAN::from(taken.is_ok())
    }

    /// wdm.h, ExReleaseRundownProtection.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller acquired `rundown`.
    pub unsafe fn ExReleaseRundownProtection(rundown: *mut EX_RUNDOWN_REF) {
        let function = "ExReleaseRundownProtection";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let word = unsafe { word(rundown) };
        let before = word.fetch_sub(USE, Ordering::AcqRel);
        if before < USE {
            stop(Rule::BAD_OBJECT, function, format_args!("released without an acquire"));
        }
        if before == USE | ACTIVE {
            wake(rundown);
        }
    }

    /// wdm.h, ExWaitForRundownProtectionRelease: begins the rundown and waits until all references
    /// are released.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// `rundown` was initialized.
    pub unsafe fn ExWaitForRundownProtectionRelease(rundown: *mut EX_RUNDOWN_REF) {
        let function = "ExWaitForRundownProtectionRelease";
        if irql::current() > APC_LEVEL {
            stop(
                Rule::WAIT_AT_DISPATCH,
                function,
                format_args!("called at IRQL {}", irql::current()),
            );
        }
        irql::require_at_most(function, APC_LEVEL);
        // SAFETY: as the caller promises.
        let word = unsafe { word(rundown) };
        word.fetch_or(ACTIVE, Ordering::AcqRel);
        loop {
            let now = word.load(Ordering::Acquire);
            if now == ACTIVE {
                return;
            }
            sleep(rundown, now);
        }
    }

    /// wdm.h, ExRundownCompleted.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// [`ExWaitForRundownProtectionRelease`] returned.
    pub unsafe fn ExRundownCompleted(rundown: *mut EX_RUNDOWN_REF) {
        irql::require_at_most("ExRundownCompleted", APC_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { word(rundown) }.store(ACTIVE, Ordering::Release);
    }
}

/// # Safety
/// `rundown` is valid and only changed by these functions.
unsafe fn word<'a>(rundown: *mut EX_RUNDOWN_REF) -> &'a AtomicU64 {
    // SAFETY: as the caller promises; the struct is one aligned word.
    unsafe { AtomicU64::from_ptr(rundown.cast()) }
}

/// Sleeps while the low half of the word equals that of `value`. The memory may be gone right after
/// a release, so the sleep is bounded.
fn sleep(rundown: *mut EX_RUNDOWN_REF, value: u64) {
    let timeout = libc::timespec { tv_sec: 0, tv_nsec: 50_000_000 };
    // SAFETY: the address is valid while its owner waits here.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            rundown,
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value as u32,
            &raw const timeout,
        )
    };
}

fn wake(rundown: *mut EX_RUNDOWN_REF) {
    // SAFETY: the address only names the queue; it is not read.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            rundown,
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        )
    };
}
