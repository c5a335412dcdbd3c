//! Reader/writer spin locks.
//!
//! The word is 0 when the lock is free. Its highest bit is set when a writer holds it; otherwise it
//! counts readers. A waiter yields its processor after a short spin, because many threads can hold
//! the lock and each can be preempted.

use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ex::EX_SPIN_LOCK;
use nt_sys::ntdef::{DISPATCH_LEVEL, KIRQL};

use crate::irql;
use crate::ke::spin_lock::{drop_hold, hold, holds};
use crate::ke::{level, lock_order};
use crate::violation::{Rule, stop};

const EXCLUSIVE: u32 = 1 << 31;
const SPINS: u32 = 200;

export! { "ntoskrnl.exe";
    /// wdm.h, ExAcquireSpinLockShared.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `spin_lock` is a lock in resident memory that was set to 0 once.
    pub unsafe fn ExAcquireSpinLockShared(spin_lock: *mut EX_SPIN_LOCK) -> KIRQL {
        let function = "ExAcquireSpinLockShared";
        let before = raise(function);
        // SAFETY: as the caller promises.
        unsafe { acquire_shared(function, spin_lock, Some(before)) };
        before
    }

    /// wdm.h, ExReleaseSpinLockShared.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn ExReleaseSpinLockShared(spin_lock: *mut EX_SPIN_LOCK, old_irql: KIRQL) {
        let function = "ExReleaseSpinLockShared";
        irql::require_exactly(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release_shared(function, spin_lock, Some(old_irql)) };
        level::lower(function, old_irql);
    }

    /// wdm.h, ExAcquireSpinLockSharedAtDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`ExAcquireSpinLockShared`].
    pub unsafe fn ExAcquireSpinLockSharedAtDpcLevel(spin_lock: *mut EX_SPIN_LOCK) {
        let function = "ExAcquireSpinLockSharedAtDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire_shared(function, spin_lock, None) };
    }

    /// wdm.h, ExReleaseSpinLockSharedFromDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn ExReleaseSpinLockSharedFromDpcLevel(spin_lock: *mut EX_SPIN_LOCK) {
        let function = "ExReleaseSpinLockSharedFromDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release_shared(function, spin_lock, None) };
    }

    /// wdm.h, ExAcquireSpinLockExclusive.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`ExAcquireSpinLockShared`].
    pub unsafe fn ExAcquireSpinLockExclusive(spin_lock: *mut EX_SPIN_LOCK) -> KIRQL {
        let function = "ExAcquireSpinLockExclusive";
        let before = raise(function);
        // SAFETY: as the caller promises.
        unsafe { acquire_exclusive(function, spin_lock, Some(before)) };
        before
    }

    /// wdm.h, ExReleaseSpinLockExclusive.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn ExReleaseSpinLockExclusive(spin_lock: *mut EX_SPIN_LOCK, old_irql: KIRQL) {
        let function = "ExReleaseSpinLockExclusive";
        irql::require_exactly(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release_exclusive(function, spin_lock, Some(old_irql)) };
        level::lower(function, old_irql);
    }

    /// wdm.h, ExAcquireSpinLockExclusiveAtDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`ExAcquireSpinLockShared`].
    pub unsafe fn ExAcquireSpinLockExclusiveAtDpcLevel(spin_lock: *mut EX_SPIN_LOCK) {
        let function = "ExAcquireSpinLockExclusiveAtDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire_exclusive(function, spin_lock, None) };
    }

    /// wdm.h, ExReleaseSpinLockExclusiveFromDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn ExReleaseSpinLockExclusiveFromDpcLevel(spin_lock: *mut EX_SPIN_LOCK) {
        let function = "ExReleaseSpinLockExclusiveFromDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release_exclusive(function, spin_lock, None) };
    }
}

fn raise(function: &str) -> KIRQL {
    irql::require_at_most(function, DISPATCH_LEVEL);
    let before = irql::current();
    irql::set(DISPATCH_LEVEL);
    before
}

/// # Safety
/// `lock` is valid and only changed by these functions.
unsafe fn word<'a>(function: &str, lock: *mut EX_SPIN_LOCK) -> &'a AtomicU32 {
    if lock.is_null() || !lock.is_aligned() {
        stop(Rule::BAD_OBJECT, function, format_args!("there is no spin lock at {lock:p}"));
    }
    // SAFETY: aligned, and as the caller promises.
    unsafe { AtomicU32::from_ptr(lock.cast()) }
}

/// # Safety
/// As for [`word`].
unsafe fn acquire_shared(function: &str, lock: *mut EX_SPIN_LOCK, old_irql: Option<KIRQL>) {
    // SAFETY: as the caller promises.
    let word = unsafe { word(function, lock) };
    lock_order::acquire(function, lock.addr());
    take(function, word, |now| (now & EXCLUSIVE == 0).then_some(now + 1));
    hold(function, lock.addr(), old_irql);
}

/// # Safety
/// As for [`word`].
unsafe fn acquire_exclusive(function: &str, lock: *mut EX_SPIN_LOCK, old_irql: Option<KIRQL>) {
    // SAFETY: as the caller promises.
    let word = unsafe { word(function, lock) };
    lock_order::acquire(function, lock.addr());
    take(function, word, |now| (now == 0).then_some(EXCLUSIVE));
    hold(function, lock.addr(), old_irql);
}

/// # Safety
/// As for [`word`].
unsafe fn release_shared(function: &str, lock: *mut EX_SPIN_LOCK, old_irql: Option<KIRQL>) {
    drop_hold(function, lock.addr(), old_irql);
    // SAFETY: as the caller promises.
    let word = unsafe { word(function, lock) };
    let before = word.fetch_sub(1, Ordering::Release);
    if before == 0 || before & EXCLUSIVE != 0 {
        not_so(function, before, "shared");
    }
}

/// # Safety
/// As for [`word`].
unsafe fn release_exclusive(function: &str, lock: *mut EX_SPIN_LOCK, old_irql: Option<KIRQL>) {
    drop_hold(function, lock.addr(), old_irql);
    // SAFETY: as the caller promises.
    let word = unsafe { word(function, lock) };
    let before = word.swap(0, Ordering::Release);
    if before != EXCLUSIVE {
        not_so(function, before, "exclusively");
    }
}

/// Changes the word as soon as `change` allows it.
fn take(function: &str, word: &AtomicU32, change: impl Fn(u32) -> Option<u32>) {
    let mut tries = 0_u32;
    while word.fetch_update(Ordering::Acquire, Ordering::Relaxed, &change).is_err() {
        if tries == 0 && holds(word.as_ptr().addr()) {
            stop(
                Rule::SPIN_LOCK_RECURSION,
                function,
                format_args!("the thread holds the lock at {word:p} already"),
            );
        }
        tries = tries.saturating_add(1);
        if tries < SPINS {
            core::hint::spin_loop();
        } else {
            std::thread::yield_now();
        }
    }
}

#[cold]
fn not_so(function: &str, word: u32, how: &str) -> ! {
    stop(
        Rule::SPIN_LOCK_NOT_OWNED,
        function,
        format_args!("the lock is not held {how} (word {word:#x})"),
    )
}
