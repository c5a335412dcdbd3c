//! The clocks, in NT's unit of 100 ns.

use std::time::Duration;

/// 100 ns in a second.
pub const PER_SECOND: u64 = 10_000_000;

/// From 1601 (NT) to 1970 (Unix), in 100 ns.
pub const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

/// Time since the boot, including sleep of the machine, in 100 ns.
#[inline]
#[must_use]
pub fn interrupt_time() -> u64 {
    hundred_ns(read(libc::CLOCK_BOOTTIME))
}

/// Time since the boot, excluding sleep of the machine, in 100 ns. Relative timeouts use this
/// clock.
#[inline]
#[must_use]
pub fn unbiased_time() -> u64 {
    hundred_ns(read(libc::CLOCK_MONOTONIC))
}

/// Time of day in UTC, in 100 ns since 1601.
#[inline]
#[must_use]
pub fn system_time() -> u64 {
    hundred_ns(read(libc::CLOCK_REALTIME)).wrapping_add(UNIX_EPOCH)
}

/// The performance counter. Its frequency is [`PER_SECOND`], as on current Windows.
#[inline]
#[must_use]
pub fn performance_counter() -> u64 {
    unbiased_time()
}

/// The [`unbiased_time`] at which an NT timeout ends. A negative timeout is relative; otherwise it
/// is a time of day.
#[must_use]
pub fn deadline(due_time: i64) -> u64 {
    if due_time < 0 {
        unbiased_time().saturating_add(due_time.unsigned_abs())
    } else {
        unbiased_time().saturating_add(due_time.unsigned_abs().saturating_sub(system_time()))
    }
}

/// Converts a count of 100 ns to a duration.
#[must_use]
pub fn duration(hundred_ns: u64) -> Duration {
    Duration::new(hundred_ns / PER_SECOND, (hundred_ns % PER_SECOND * 100) as u32)
}

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time
}

fn hundred_ns(time: libc::timespec) -> u64 {
    time.tv_sec
        .cast_unsigned()
        .wrapping_mul(PER_SECOND)
        .wrapping_add(time.tv_nsec.cast_unsigned() / 100)
}
