//! Callbacks: calls from the host into the driver.
//!
//! A callback runs on the driver's [`stack`]. It must return at the IRQL at which it was called,
//! with the same locks held and the same number of saved extended processor states.

use core::panic::Location;

use nt_sys::ntdef::KIRQL;

use crate::ex::push_lock;
use crate::irql::{self, Name};
use crate::ke::saved_states;
use crate::ke::spin_lock;
use crate::loaded;
use crate::stack;
use crate::violation::{Rule, stop};

/// Calls driver code on the driver's stack. Stops when the code returns at another IRQL, with other
/// locks held or with extended processor state that it did not restore.
#[track_caller]
pub fn enter_driver<R>(f: impl FnOnce() -> R) -> R {
    enter(f, |entry| entry)
}

/// Calls a cancel routine, which is entered with the cancel spin lock held and releases it. Returns
/// the IRQL at which it returned, which should be that of `Irp->CancelIrql`.
pub(crate) fn enter_cancel_routine(f: impl FnOnce()) -> KIRQL {
    let mut after = irql::current();
    enter(f, |entry| {
        after = irql::current();
        Entry { level: after, spin_locks: entry.spin_locks - 1, ..entry }
    });
    after
}

/// The state of the thread at the call of a callback.
#[derive(Clone, Copy)]
struct Entry {
    level: KIRQL,
    spin_locks: usize,
    push_locks: u32,
    saved_states: usize,
}

/// Calls driver code. `expected` maps the state at the call to the state required at the return.
#[track_caller]
fn enter<R>(f: impl FnOnce() -> R, expected: impl FnOnce(Entry) -> Entry) -> R {
    loaded::require_for_callback();
    let entry = Entry {
        level: irql::current(),
        spin_locks: spin_lock::held(),
        push_locks: push_lock::held(),
        saved_states: saved_states::depth(),
    };
    let result = stack::on_driver_stack(f);
    require_state(&expected(entry), Location::caller());
    result
}

fn require_state(expected: &Entry, caller: &Location<'_>) {
    if irql::current() != expected.level {
        stop(
            Rule::WRONG_IRQL,
            "callback",
            format_args!(
                "called at {}, returned at {} (called from {caller})",
                Name(expected.level),
                Name(irql::current()),
            ),
        );
    }
    if spin_lock::held() != expected.spin_locks {
        stop(
            Rule::SPIN_LOCK_HELD,
            "callback",
            format_args!(
                "called with {} spin locks held, returned with {} (called from {caller})",
                expected.spin_locks,
                spin_lock::held()
            ),
        );
    }
    if push_lock::held() != expected.push_locks {
        stop(
            Rule::SPIN_LOCK_HELD,
            "callback",
            format_args!("returned with a push lock held (called from {caller})"),
        );
    }
    if saved_states::depth() != expected.saved_states {
        stop(
            Rule::EXTENDED_STATE,
            "callback",
            format_args!("returned without a restore (called from {caller})"),
        );
    }
}
