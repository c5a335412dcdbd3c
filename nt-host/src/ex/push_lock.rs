//! Push locks: here the exclusive half, which is what the driver uses.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ex::EX_PUSH_LOCK;
use nt_sys::ntdef::{APC_LEVEL, ULONG};

use crate::irql::{self, Name};
use crate::ke::critical_region;
use crate::ke::spin_lock::{futex_wait, futex_wake_one, thread_word};
use crate::violation::{Rule, stop};

/// Set in the word when somebody sleeps on the lock; the rest is the owner's.
const PARKED: u32 = 1;

thread_local! {
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// Push locks that this thread holds.
pub(crate) fn held() -> u32 {
    HELD.get()
}

export! {
    /// ntifs.h, ExAcquirePushLockExclusiveEx (`ExAcquirePushLockExclusive`): in a critical region; not recursive.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// `push_lock` was set to 0 once.
    pub unsafe fn ExAcquirePushLockExclusiveEx(push_lock: *mut EX_PUSH_LOCK, _flags: ULONG) {
        let function = "ExAcquirePushLockExclusiveEx";
        require_level(function);
        // SAFETY: as the caller promises; the low half of an aligned word.
        let word = unsafe { AtomicU32::from_ptr(push_lock.cast()) };
        let me = thread_word();
        if word.load(Ordering::Relaxed) & !PARKED == me {
            stop(
                Rule::SPIN_LOCK_RECURSION,
                function,
                format_args!("the thread holds the push lock at {push_lock:p} already"),
            );
        }
        if word.compare_exchange(0, me, Ordering::Acquire, Ordering::Relaxed).is_err() {
            acquire_contended(word, me);
        }
        HELD.set(HELD.get() + 1);
    }

    /// ntifs.h, ExReleasePushLockExclusiveEx.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// As for the acquire.
    pub unsafe fn ExReleasePushLockExclusiveEx(push_lock: *mut EX_PUSH_LOCK, _flags: ULONG) {
        let function = "ExReleasePushLockExclusiveEx";
        require_level(function);
        // SAFETY: as the caller promises; the low half of an aligned word.
        let word = unsafe { AtomicU32::from_ptr(push_lock.cast()) };
        if word.load(Ordering::Relaxed) & !PARKED != thread_word() {
            stop(
                Rule::SPIN_LOCK_NOT_OWNED,
                function,
                format_args!("the thread does not hold the push lock at {push_lock:p}"),
            );
        }
        HELD.set(HELD.get().saturating_sub(1));
        if word.swap(0, Ordering::Release) & PARKED != 0 {
            futex_wake_one(word);
        }
    }
}

fn require_level(function: &str) {
    if irql::current() > APC_LEVEL {
        stop(
            Rule::WAIT_AT_DISPATCH,
            function,
            format_args!("can block, and was called at {}", Name(irql::current())),
        );
    }
    irql::require_at_most(function, APC_LEVEL);
    if !critical_region::inside() {
        stop(
            Rule::WRONG_IRQL,
            function,
            format_args!("called outside of a critical region, with normal kernel APCs enabled"),
        );
    }
}

fn acquire_contended(word: &AtomicU32, me: u32) {
    loop {
        let now = word.load(Ordering::Relaxed);
        if now == 0 {
            // Others may sleep on the word as well.
            if word.compare_exchange(0, me | PARKED, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                return;
            }
        } else if now & PARKED != 0
            || word
                .compare_exchange(now, now | PARKED, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            futex_wait(word, now | PARKED);
        }
    }
}
