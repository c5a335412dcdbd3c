//! The system's clocks.

use core::time::Duration;

use nt_sys::ke::{KeQueryInterruptTimePrecise, KeQuerySystemTimePrecise};

/// 1970-01-01 on NT's calendar, which begins in 1601, in 100 ns.
const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

/// Time since the system was started, in nanoseconds. Time that it slept counts.
///
/// # IRQL
/// any
pub fn interrupt_time_nanos() -> u64 {
    let mut performance_counter = 0;
    // SAFETY: the pointer is to the stack.
    let interrupt_time = unsafe { KeQueryInterruptTimePrecise(&raw mut performance_counter) };
    interrupt_time.saturating_mul(100)
}

/// Wall-clock time since 1970-01-01 UTC.
///
/// # IRQL
/// any
pub fn unix_time() -> Duration {
    let mut system_time = 0;
    // SAFETY: the pointer is to the stack.
    unsafe { KeQuerySystemTimePrecise(&raw mut system_time) };
    let since_epoch = system_time.cast_unsigned().saturating_sub(UNIX_EPOCH);
    Duration::from_nanos(since_epoch.saturating_mul(100))
}
