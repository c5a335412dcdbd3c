//! Spin locks. The lock word names its owner, so that recursion and a release by another thread are
//! found.
//!
//! The low 32 bits of a lock are its word (`owner_word`). A waiter spins for a short time and then
//! sleeps.

use core::cell::RefCell;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ke::{KLOCK_QUEUE_HANDLE, KSPIN_LOCK};
use nt_sys::ntdef::{DISPATCH_LEVEL, KIRQL};

use crate::irql::{self, Name};
use crate::ke::{level, lock_order, owner_word};
use crate::violation::{Rule, stop};

/// Spins before a waiter sleeps.
const SPINS: u32 = 200;

/// The number of locks that one thread can hold at once.
const HELD_MAX: usize = 32;

#[derive(Clone, Copy)]
struct Held {
    lock: usize,
    /// The IRQL before the acquire, if the acquire raised it.
    old_irql: Option<KIRQL>,
}

struct HeldLocks {
    locks: [Held; HELD_MAX],
    count: usize,
}

thread_local! {
    static HELD: RefCell<HeldLocks> = const {
        RefCell::new(HeldLocks { locks: [Held { lock: 0, old_irql: None }; HELD_MAX], count: 0 })
    };
}

/// The number of spin locks that this thread holds.
#[must_use]
pub fn held() -> usize {
    HELD.with_borrow(|held| held.count)
}

export! { "ntoskrnl.exe";
    /// wdm.h, KeAcquireSpinLockRaiseToDpc (`KeAcquireSpinLock`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `spin_lock` is a lock in resident memory that was set to 0 once.
    pub unsafe fn KeAcquireSpinLockRaiseToDpc(spin_lock: *mut KSPIN_LOCK) -> KIRQL {
        let function = "KeAcquireSpinLockRaiseToDpc";
        irql::require_at_most(function, DISPATCH_LEVEL);
        let before = irql::current();
        irql::set(DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire(function, spin_lock.cast(), Some(before)) };
        before
    }

    /// wdm.h, KeReleaseSpinLock: `new_irql` is what the acquire returned.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn KeReleaseSpinLock(spin_lock: *mut KSPIN_LOCK, new_irql: KIRQL) {
        let function = "KeReleaseSpinLock";
        irql::require_exactly(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release(function, spin_lock.cast(), Some(new_irql)) };
        level::lower(function, new_irql);
    }

    /// wdm.h, KeAcquireSpinLockAtDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`KeAcquireSpinLockRaiseToDpc`].
    pub unsafe fn KeAcquireSpinLockAtDpcLevel(spin_lock: *mut KSPIN_LOCK) {
        let function = "KeAcquireSpinLockAtDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire(function, spin_lock.cast(), None) };
    }

    /// wdm.h, KeReleaseSpinLockFromDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn KeReleaseSpinLockFromDpcLevel(spin_lock: *mut KSPIN_LOCK) {
        let function = "KeReleaseSpinLockFromDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { release(function, spin_lock.cast(), None) };
    }

    /// wdm.h, KeAcquireInStackQueuedSpinLock.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`KeAcquireSpinLockRaiseToDpc`]; `lock_handle` is writable until the release.
    pub unsafe fn KeAcquireInStackQueuedSpinLock(
        spin_lock: *mut KSPIN_LOCK,
        lock_handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        let function = "KeAcquireInStackQueuedSpinLock";
        irql::require_at_most(function, DISPATCH_LEVEL);
        let before = irql::current();
        irql::set(DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire(function, spin_lock.cast(), Some(before)) };
        // SAFETY: as the caller promises.
        unsafe { lock_handle.write(queue_handle(spin_lock, before)) };
    }

    /// wdm.h, KeReleaseInStackQueuedSpinLock.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `lock_handle` is that of the acquire.
    pub unsafe fn KeReleaseInStackQueuedSpinLock(lock_handle: *mut KLOCK_QUEUE_HANDLE) {
        let function = "KeReleaseInStackQueuedSpinLock";
        irql::require_exactly(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let handle = unsafe { lock_handle.read() };
        // SAFETY: the handle names the lock of the acquire.
        unsafe { release(function, handle.LockQueue.Lock.cast(), Some(handle.OldIrql)) };
        level::lower(function, handle.OldIrql);
    }

    /// wdm.h, KeAcquireInStackQueuedSpinLockAtDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// As for [`KeAcquireInStackQueuedSpinLock`].
    pub unsafe fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
        spin_lock: *mut KSPIN_LOCK,
        lock_handle: *mut KLOCK_QUEUE_HANDLE,
    ) {
        let function = "KeAcquireInStackQueuedSpinLockAtDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { acquire(function, spin_lock.cast(), None) };
        // SAFETY: as the caller promises.
        unsafe { lock_handle.write(queue_handle(spin_lock, DISPATCH_LEVEL)) };
    }

    /// wdm.h, KeReleaseInStackQueuedSpinLockFromDpcLevel.
    ///
    /// # IRQL
    /// >= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `lock_handle` is that of the acquire.
    pub unsafe fn KeReleaseInStackQueuedSpinLockFromDpcLevel(lock_handle: *mut KLOCK_QUEUE_HANDLE) {
        let function = "KeReleaseInStackQueuedSpinLockFromDpcLevel";
        irql::require_at_least(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let handle = unsafe { lock_handle.read() };
        // SAFETY: the handle names the lock of the acquire.
        unsafe { release(function, handle.LockQueue.Lock.cast(), None) };
    }
}

fn queue_handle(lock: *mut KSPIN_LOCK, old_irql: KIRQL) -> KLOCK_QUEUE_HANDLE {
    KLOCK_QUEUE_HANDLE {
        LockQueue: nt_sys::ke::KSPIN_LOCK_QUEUE { Next: ptr::null_mut(), Lock: lock },
        OldIrql: old_irql,
    }
}

/// Acquires the lock whose word's low half is `lock`.
///
/// # Safety
/// `lock` points to 4 aligned bytes that only these functions change.
unsafe fn acquire(function: &str, lock: *mut u32, old_irql: Option<KIRQL>) {
    if lock.is_null() || !lock.is_aligned() {
        stop(Rule::BAD_OBJECT, function, format_args!("there is no spin lock at {lock:p}"));
    }
    lock_order::acquire(function, lock.addr());
    // SAFETY: aligned, and shared only through these functions.
    let word = unsafe { AtomicU32::from_ptr(lock) };
    if !owner_word::try_acquire(word) {
        acquire_contended(function, word);
    }
    hold(function, lock.addr(), old_irql);
}

#[cold]
fn acquire_contended(function: &str, word: &AtomicU32) {
    for _ in 0..SPINS {
        let now = word.load(Ordering::Relaxed);
        if owner_word::is_mine(now) {
            stop(
                Rule::SPIN_LOCK_RECURSION,
                function,
                format_args!("the thread holds the lock at {word:p} already"),
            );
        }
        if now == 0 && owner_word::try_acquire(word) {
            return;
        }
        core::hint::spin_loop();
    }
    owner_word::acquire_asleep(word);
}

/// Releases a lock.
///
/// # Safety
/// As for [`acquire`].
unsafe fn release(function: &str, lock: *mut u32, new_irql: Option<KIRQL>) {
    drop_hold(function, lock.addr(), new_irql);
    // SAFETY: `drop_hold` found that this thread acquired it.
    let word = unsafe { AtomicU32::from_ptr(lock) };
    let before = owner_word::release(word);
    if !owner_word::is_mine(before) {
        stop(
            Rule::SPIN_LOCK_NOT_OWNED,
            function,
            format_args!("the word of the lock at {word:p} was overwritten with {before:#x}"),
        );
    }
}

/// Records that this thread holds the lock.
pub(crate) fn hold(function: &str, lock: usize, old_irql: Option<KIRQL>) {
    HELD.with_borrow_mut(|held| {
        let count = held.count;
        let Some(slot) = held.locks.get_mut(count) else {
            stop(
                Rule::BAD_OBJECT,
                function,
                format_args!("the thread holds {HELD_MAX} spin locks already"),
            );
        };
        *slot = Held { lock, old_irql };
        held.count = count + 1;
    });
}

/// Records that this thread is about to release the lock. Stops if the thread does not hold it.
pub(crate) fn drop_hold(function: &str, lock: usize, new_irql: Option<KIRQL>) {
    HELD.with_borrow_mut(|held| {
        let count = held.count;
        let place = held
            .locks
            .get(..count)
            .and_then(|locks| locks.iter().rposition(|entry| entry.lock == lock));
        let Some(place) = place else {
            stop(
                Rule::SPIN_LOCK_NOT_OWNED,
                function,
                format_args!("the thread does not hold the lock at {lock:#x}"),
            );
        };
        if let Some(entry) = held.locks.get(place)
            && let (Some(old), Some(new)) = (entry.old_irql, new_irql)
            && old != new
        {
            stop(
                Rule::WRONG_IRQL,
                function,
                format_args!("the lock was acquired at {}, released to {}", Name(old), Name(new)),
            );
        }
        held.locks.copy_within(place + 1..count, place);
        held.count = count - 1;
    });
    lock_order::release(lock);
}

/// Whether this thread holds the lock.
pub(crate) fn holds(lock: usize) -> bool {
    HELD.with_borrow(|held| held.locks.iter().take(held.count).any(|entry| entry.lock == lock))
}
