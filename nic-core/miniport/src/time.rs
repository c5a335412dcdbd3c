//! NT's clocks, as the engine's types.

use core::time::Duration;

use nic_engine::{Instant, Now};
use nt::clock;

/// The monotonic clock.
pub fn instant() -> Instant {
    Instant::from_nanos(clock::interrupt_time_nanos())
}

/// Both clocks.
pub fn now() -> Now {
    Now { instant: instant(), unix: clock::unix_time() }
}

/// Converts wall-clock time to a FILETIME: 100 ns units since 1601-01-01 UTC.
pub fn filetime(unix: Duration) -> u64 {
    /// 1970-01-01.
    const UNIX_EPOCH: u64 = 116_444_736_000_000_000;
    let since_epoch = u64::try_from(unix.as_nanos() / 100).unwrap_or(u64::MAX);
    since_epoch.saturating_add(UNIX_EPOCH)
}
