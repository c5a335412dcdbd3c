//! TAI64N time stamps (<https://cr.yp.to/libtai/tai64.html>), which order a peer's initiations.

use core::time::Duration;

/// Length of a time stamp in bytes.
pub(crate) const TIMESTAMP_BYTES: usize = 12;

/// TAI64's label of 1970-01-01 00:00:00 TAI, and the 10 s by which TAI led UTC then. Leap seconds
/// since are not counted: only the order of one sender's stamps matters.
const UNIX_EPOCH_SECONDS: u64 = (1 << 62) + 10;

/// Nanoseconds are rounded down to this, so that an initiation doesn't tell our clock's exact phase
/// (WireGuard paper, section 5.1). The largest power of two within the 20 ms that the responder
/// wants between two initiations.
const GRAIN_NANOS: u32 = 1 << 24;

/// A time stamp. Orders as its bytes do on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp([u8; TIMESTAMP_BYTES]);

impl Timestamp {
    /// The stamp of a time since 1970-01-01 UTC.
    pub(crate) fn new(unix: Duration) -> Self {
        let seconds = UNIX_EPOCH_SECONDS.wrapping_add(unix.as_secs());
        let nanos = unix.subsec_nanos() & !(GRAIN_NANOS - 1);
        Self::from_parts(seconds, nanos)
    }

    /// The stamp as received.
    pub(crate) const fn from_bytes(bytes: [u8; TIMESTAMP_BYTES]) -> Self {
        Self(bytes)
    }

    /// The stamp to send.
    pub(crate) const fn as_bytes(&self) -> &[u8; TIMESTAMP_BYTES] {
        &self.0
    }

    fn from_parts(seconds: u64, nanos: u32) -> Self {
        let mut bytes = [0; TIMESTAMP_BYTES];
        let parts = seconds.to_be_bytes().into_iter().chain(nanos.to_be_bytes());
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = part;
        }
        Self(bytes)
    }

    /// The next stamp that differs by a grain.
    fn successor(self) -> Self {
        let mut parts = (0_u64, 0_u32);
        if let Some((seconds, nanos)) = self.0.split_first_chunk::<8>() {
            parts.0 = u64::from_be_bytes(*seconds);
            parts.1 = nanos.first_chunk().map_or(0, |nanos| u32::from_be_bytes(*nanos));
        }
        match parts.1.checked_add(GRAIN_NANOS) {
            Some(nanos) if nanos < 1_000_000_000 => Self::from_parts(parts.0, nanos),
            _ => Self::from_parts(parts.0.wrapping_add(1), 0),
        }
    }
}

/// Gives out stamps that always grow, also when the wall clock is set back: a peer refuses any
/// other as a replay.
#[derive(Default)]
pub(crate) struct TimestampClock {
    last: Timestamp,
}

impl TimestampClock {
    /// The stamp for an initiation that is sent now.
    pub(crate) fn stamp(&mut self, unix: Duration) -> Timestamp {
        self.last = Timestamp::new(unix).max(self.last.successor());
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_tai64n() {
        let stamp = Timestamp::new(Duration::new(1, GRAIN_NANOS * 3 + 5));
        assert_eq!(stamp.as_bytes(), &[0x40, 0, 0, 0, 0, 0, 0, 11, 3, 0, 0, 0]);
    }

    #[test]
    fn stamps_grow_even_when_the_clock_goes_back() {
        let mut clock = TimestampClock::default();
        let mut last = Timestamp::default();
        for unix in [
            Duration::from_secs(100),
            Duration::from_secs(100),
            Duration::from_millis(100_001),
            Duration::from_secs(40),
            Duration::new(100, 999_999_999),
            Duration::new(100, 999_999_999),
            Duration::new(100, 999_999_999),
            Duration::from_secs(200),
        ] {
            let stamp = clock.stamp(unix);
            assert!(stamp > last);
            last = stamp;
        }
        assert_eq!(last, Timestamp::new(Duration::from_secs(200)));
    }

    #[test]
    fn grain_hides_the_phase() {
        let grain = u64::from(GRAIN_NANOS);
        assert_eq!(
            Timestamp::new(Duration::from_nanos(grain)),
            Timestamp::new(Duration::from_nanos(2 * grain - 1))
        );
        assert!(
            Timestamp::new(Duration::from_millis(20)) > Timestamp::new(Duration::from_millis(0))
        );
    }
}
