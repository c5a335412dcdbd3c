//! Locks: implementations of `lock_api::RawMutex`.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use lock_api::{GuardNoSend, RawMutex};
use nt_sys::ex::{
    EX_DEFAULT_PUSH_LOCK_FLAGS, EX_PUSH_LOCK, ExAcquirePushLockExclusiveEx,
    ExReleasePushLockExclusiveEx,
};
use nt_sys::ke::{
    KSPIN_LOCK, KeAcquireSpinLockRaiseToDpc, KeEnterCriticalRegion, KeLeaveCriticalRegion,
    KeReleaseSpinLock,
};
use nt_sys::ntdef::{KIRQL, PASSIVE_LEVEL};

/// A spin lock. It is held at DISPATCH_LEVEL, for a short time.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`. Holders run at DISPATCH_LEVEL.
pub struct SpinLock {
    lock: UnsafeCell<KSPIN_LOCK>,
    /// Whether the lock is held, for [`RawMutex::try_lock`].
    is_held: AtomicBool,
    /// The IRQL before the lock was acquired; it belongs to the holder.
    old_irql: AtomicU8,
}

/// A mutex with a [`SpinLock`].
pub type SpinMutex<T> = lock_api::Mutex<SpinLock, T>;

// SAFETY: a KSPIN_LOCK excludes all others, and it belongs to the processor that acquired it, hence
// the guard's marker.
unsafe impl RawMutex for SpinLock {
    const INIT: Self = Self {
        // KeInitializeSpinLock (wdm.h) sets it to 0.
        lock: UnsafeCell::new(0),
        is_held: AtomicBool::new(false),
        old_irql: AtomicU8::new(PASSIVE_LEVEL),
    };
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // SAFETY: the lock is initialized and stays where it is while it is held.
        let old_irql: KIRQL = unsafe { KeAcquireSpinLockRaiseToDpc(self.lock.get()) };
        self.old_irql.store(old_irql, Ordering::Relaxed);
        self.is_held.store(true, Ordering::Relaxed);
    }

    /// It may spin for a moment if another thread acquires the lock after the check.
    fn try_lock(&self) -> bool {
        if self.is_held.load(Ordering::Relaxed) {
            return false;
        }
        self.lock();
        true
    }

    unsafe fn unlock(&self) {
        self.is_held.store(false, Ordering::Relaxed);
        let old_irql = self.old_irql.load(Ordering::Relaxed);
        // SAFETY: the caller holds the lock, and this is the level that it was acquired at.
        unsafe { KeReleaseSpinLock(self.lock.get(), old_irql) };
    }
}

// SAFETY: the fields are used by the Ke functions and as atomics only.
unsafe impl Send for SpinLock {}
// SAFETY: the fields are used by the Ke functions and as atomics only.
unsafe impl Sync for SpinLock {}

/// A push lock, which is held with normal kernel APCs disabled; acquiring it may wait.
///
/// # IRQL
/// `<= APC_LEVEL`. Holders may wait.
pub struct SleepLock {
    lock: UnsafeCell<EX_PUSH_LOCK>,
    is_held: AtomicBool,
}

/// A mutex with a [`SleepLock`].
pub type SleepMutex<T> = lock_api::Mutex<SleepLock, T>;

// SAFETY: an exclusively acquired push lock excludes all others, and it belongs to the thread that
// acquired it, hence the guard's marker.
unsafe impl RawMutex for SleepLock {
    const INIT: Self = Self {
        // ExInitializePushLock (wdm.h) sets it to 0.
        lock: UnsafeCell::new(0),
        is_held: AtomicBool::new(false),
    };
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        // SAFETY: no condition; paired with KeLeaveCriticalRegion in `unlock`.
        unsafe { KeEnterCriticalRegion() };
        // SAFETY: the lock is initialized, stays where it is while it is held, and kernel APCs are
        // disabled.
        unsafe { ExAcquirePushLockExclusiveEx(self.lock.get(), EX_DEFAULT_PUSH_LOCK_FLAGS) };
        self.is_held.store(true, Ordering::Relaxed);
    }

    /// It may wait for a moment if another thread acquires the lock after the check.
    fn try_lock(&self) -> bool {
        if self.is_held.load(Ordering::Relaxed) {
            return false;
        }
        self.lock();
        true
    }

    unsafe fn unlock(&self) {
        self.is_held.store(false, Ordering::Relaxed);
        // SAFETY: the caller holds the lock.
        unsafe { ExReleasePushLockExclusiveEx(self.lock.get(), EX_DEFAULT_PUSH_LOCK_FLAGS) };
        // SAFETY: `lock` entered it on this thread.
        unsafe { KeLeaveCriticalRegion() };
    }
}

// SAFETY: the fields are used by the Ex functions and as atomics only.
unsafe impl Send for SleepLock {}
// SAFETY: the fields are used by the Ex functions and as atomics only.
unsafe impl Sync for SleepLock {}
