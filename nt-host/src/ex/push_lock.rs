//! Push locks: the exclusive half only.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ex::EX_PUSH_LOCK;
use nt_sys::ntdef::{APC_LEVEL, ULONG};

use crate::irql::{self, Name};
use crate::ke::{critical_region, lock_order, owner_word};
use crate::violation::{Rule, stop};

thread_local! {
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// The number of push locks that this thread holds.
pub(crate) fn held() -> u32 {
    HELD.get()
}

export! { "ntoskrnl.exe";
    /// ntifs.h, ExAcquirePushLockExclusiveEx (`ExAcquirePushLockExclusive`): the caller is in a
    /// critical region. Not recursive.
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
        if owner_word::is_mine(word.load(Ordering::Relaxed)) {
            stop(
                Rule::SPIN_LOCK_RECURSION,
                function,
                format_args!("the thread holds the push lock at {push_lock:p} already"),
            );
        }
        lock_order::acquire(function, push_lock.addr());
        if !owner_word::try_acquire(word) {
            owner_word::acquire_asleep(word);
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
        if !owner_word::is_mine(word.load(Ordering::Relaxed)) {
            stop(
                Rule::SPIN_LOCK_NOT_OWNED,
                function,
                format_args!("the thread does not hold the push lock at {push_lock:p}"),
            );
        }
        HELD.set(HELD.get().saturating_sub(1));
        lock_order::release(push_lock.addr());
        owner_word::release(word);
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
