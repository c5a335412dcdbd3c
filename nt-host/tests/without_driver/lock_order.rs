//! Drivers that acquire locks in opposite orders: reported before they deadlock.

use core::cell::UnsafeCell;

use nt_host::MachineOptions;
use nt_sys::ex::{
    EX_PUSH_LOCK, ExAcquirePushLockExclusiveEx, ExAcquireSpinLockShared,
    ExReleasePushLockExclusiveEx, ExReleaseSpinLockShared,
};
use nt_sys::ke::{
    KSPIN_LOCK, KeAcquireSpinLockRaiseToDpc, KeEnterCriticalRegion, KeLeaveCriticalRegion,
    KeReleaseSpinLock,
};

use crate::child;
use crate::driver::{Routines, load};

/// Locks of the driver.
struct Lock(UnsafeCell<u64>);

// SAFETY: only the functions of locks touch the word.
unsafe impl Sync for Lock {}

impl Lock {
    const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }
}

static A: Lock = Lock::new();
static B: Lock = Lock::new();
static C: Lock = Lock::new();

fn with_spin_lock(lock: *mut KSPIN_LOCK, f: impl FnOnce()) {
    // SAFETY: the lock was set to 0 once.
    let before = unsafe { KeAcquireSpinLockRaiseToDpc(lock) };
    f();
    // SAFETY: acquired above.
    unsafe { KeReleaseSpinLock(lock, before) };
}

fn nested(first: &Lock, second: &Lock) {
    with_spin_lock(first.0.get().cast(), || with_spin_lock(second.0.get().cast(), || ()));
}

/// Loads a driver with this entry point, and unloads it.
fn in_entry(lock_order: bool, entry: fn()) {
    let options = MachineOptions { lock_order, ..MachineOptions::default() };
    load(options, Routines { entry, ..Routines::idle() }).1.unload();
}

/// Does something in a child process. Returns the line with which it was stopped; none if it ended
/// normally.
fn stopped(test: &str, act: fn()) -> Option<String> {
    let (code, errors) = child::run(&format!("lock_order::{test}"), None, act);
    let line = errors.lines().find(|line| line.contains("nt-host: STOP ")).map(str::to_owned);
    let expected = if line.is_some() { nt_host::violation::EXIT_CODE } else { 0 };
    assert_eq!(code, Some(expected), "{errors}");
    line
}

#[test]
fn two_locks_in_both_orders() {
    let line = stopped("two_locks_in_both_orders", || {
        in_entry(true, || {
            nested(&A, &B);
            nested(&A, &B);
            nested(&B, &A);
        });
    });
    let line = line.expect("it is stopped");
    assert!(line.contains("STOP LOCK ORDER: KeAcquireSpinLockRaiseToDpc: the lock at "), "{line}");
    assert_eq!(line.matches(", then 0x").count(), 1, "{line}");
}

#[test]
fn three_locks_in_a_circle_on_two_threads() {
    let line = stopped("three_locks_in_a_circle_on_two_threads", || {
        in_entry(true, || {
            let other = std::thread::spawn(|| {
                nested(&A, &B);
                nested(&B, &C);
            });
            other.join().expect("no panic");
            nested(&C, &A);
        });
    });
    let line = line.expect("it is stopped");
    assert_eq!(line.matches(", then 0x").count(), 2, "{line}");
}

#[test]
fn locks_of_different_kinds() {
    let line = stopped("locks_of_different_kinds", || {
        in_entry(true, || {
            let push_lock: *mut EX_PUSH_LOCK = A.0.get().cast();
            let exclusive = |f: fn()| {
                // SAFETY: the lock was set to 0 once.
                unsafe { KeEnterCriticalRegion() };
                // SAFETY: the lock was set to 0 once, and normal kernel APCs are disabled.
                unsafe { ExAcquirePushLockExclusiveEx(push_lock, 0) };
                f();
                // SAFETY: acquired above.
                unsafe { ExReleasePushLockExclusiveEx(push_lock, 0) };
                // SAFETY: entered above.
                unsafe { KeLeaveCriticalRegion() };
            };
            let shared = |lock: &Lock, f: fn()| {
                // SAFETY: the lock was set to 0 once.
                let before = unsafe { ExAcquireSpinLockShared(lock.0.get().cast()) };
                f();
                // SAFETY: acquired above.
                unsafe { ExReleaseSpinLockShared(lock.0.get().cast(), before) };
            };
            exclusive(|| with_spin_lock(B.0.get().cast(), || ()));
            shared(&C, || with_spin_lock(B.0.get().cast(), || ()));
            with_spin_lock(B.0.get().cast(), || {
                // SAFETY: the lock was set to 0 once.
                unsafe { ExAcquireSpinLockShared(C.0.get().cast()) };
            });
        });
    });
    let line = line.expect("it is stopped");
    assert!(line.contains("STOP LOCK ORDER: ExAcquireSpinLockShared: "), "{line}");
}

/// One order is no cycle. Freed locks have no order. Without the option, nothing is reported.
#[test]
fn what_cannot_deadlock_is_not_stopped() {
    let fine = stopped("what_cannot_deadlock_is_not_stopped", || {
        in_entry(true, || {
            nested(&A, &B);
            nested(&B, &C);
            nested(&A, &C);
            // The allocator returns a block that was just freed, and a frame has the address of an
            // earlier one.
            let mut last = 0;
            for number in 0..100 {
                let (allocated, on_stack) = (Box::new(Lock::new()), Lock::new());
                assert!(number < 2 || allocated.0.get().addr() == last, "it is the same block");
                last = allocated.0.get().addr();
                for lock in [&*allocated, &on_stack] {
                    if number % 2 == 0 { nested(lock, &A) } else { nested(&A, lock) }
                }
            }
        });
    });
    assert_eq!(fine, None);
}

#[test]
fn nothing_is_watched_unless_asked_for() {
    let unasked = stopped("nothing_is_watched_unless_asked_for", || {
        in_entry(false, || {
            nested(&A, &B);
            nested(&B, &A);
        });
    });
    assert_eq!(unasked, None);
}
