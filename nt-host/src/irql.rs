//! The IRQL, which belongs to a thread here.

use core::cell::Cell;

use nt_sys::ntdef::{DISPATCH_LEVEL, KIRQL, PASSIVE_LEVEL};

use crate::loaded;
use crate::violation::{Rule, stop};

thread_local! {
    static IRQL: Cell<KIRQL> = const { Cell::new(PASSIVE_LEVEL) };
}

/// The IRQL of this thread.
#[inline]
#[must_use]
pub fn current() -> KIRQL {
    IRQL.get()
}

/// Sets the IRQL of this thread. For the functions that raise and lower it.
#[inline]
pub(crate) fn set(level: KIRQL) {
    IRQL.set(level);
}

/// Stops unless the caller of `function` runs at `level` or below.
#[inline]
pub fn require_at_most(function: &str, level: KIRQL) {
    loaded::require(function);
    if current() > level {
        wrong(function, "at most", level);
    }
}

/// Stops unless the caller of `function` runs at `level` or above.
#[inline]
pub fn require_at_least(function: &str, level: KIRQL) {
    loaded::require(function);
    if current() < level {
        wrong(function, "at least", level);
    }
}

/// Stops unless the caller of `function` runs at `level`.
#[inline]
pub fn require_exactly(function: &str, level: KIRQL) {
    loaded::require(function);
    if current() != level {
        wrong(function, "exactly", level);
    }
}

/// Runs `f` at `level` and restores the previous level. The host calls a driver at DISPATCH_LEVEL
/// this way.
#[inline]
pub fn raised<R>(level: KIRQL, f: impl FnOnce() -> R) -> R {
    let before = current();
    set(level);
    let result = f();
    if current() != level {
        stop(
            Rule::WRONG_IRQL,
            "callback",
            format_args!("called at {} and returned at {}", Name(level), Name(current())),
        );
    }
    set(before);
    result
}

/// A level, displayed by its name.
pub(crate) struct Name(pub(crate) KIRQL);

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            PASSIVE_LEVEL => f.write_str("PASSIVE_LEVEL"),
            1 => f.write_str("APC_LEVEL"),
            DISPATCH_LEVEL => f.write_str("DISPATCH_LEVEL"),
            other => write!(f, "IRQL {other}"),
        }
    }
}

#[cold]
fn wrong(function: &str, bound: &str, level: KIRQL) -> ! {
    stop(
        Rule::WRONG_IRQL,
        function,
        format_args!(
            "called at {}, the documentation allows {bound} {}",
            Name(current()),
            Name(level)
        ),
    )
}
