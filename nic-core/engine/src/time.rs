//! Points in time, as the caller measured them.

use core::time::Duration;

/// A point on the caller's monotonic clock, in nanoseconds. Time that the machine slept counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// A point before every other: never reached as a deadline's opposite, the start of the clock.
    pub const ZERO: Self = Self(0);
    /// A deadline that never comes.
    pub const NEVER: Self = Self(u64::MAX);

    /// The point that lies this many nanoseconds after the clock's start.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This point moved into the future; sticks at [`Instant::NEVER`].
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Time since `earlier`; zero where that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks, read once per batch or event.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// The monotonic clock: timers and ages.
    pub instant: Instant,
    /// Wall-clock time since 1970-01-01 UTC: time stamps on the wire and in statistics.
    pub unix: Duration,
}
