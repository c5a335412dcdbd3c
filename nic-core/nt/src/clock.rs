//! The system's clocks.

use core::time::Duration;

use nt_sys::ke::{KeQueryInterruptTimePrecise, KeQuerySystemTimePrecise};

/// 1970-01-01 in units of 100 ns since 1601-01-01, where NT time begins.
const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

/// Time since the system was started, in nanoseconds, including the time that it slept.
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
