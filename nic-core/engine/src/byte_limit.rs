//! A dynamic limit of the bytes in flight below the engine.

use core::time::Duration;

use crate::Instant;

/// A dynamic limit of the bytes between the backlog and the wire, after the idea of Linux' dynamic
/// queue limits. It is large enough that the network never idles while packets wait, and no larger,
/// so that packets wait in the backlog, where CoDel manages them.
#[derive(Debug)]
pub(crate) struct ByteLimit {
    limit: usize,
    in_flight: usize,
    /// A packet was held back since the last completion that left nothing in flight.
    held_back: bool,
    /// The minimum number of bytes in flight after a completion in this period: they were not
    /// needed.
    min_slack: usize,
    period_end: Instant,
}

impl ByteLimit {
    /// A limit with nothing in flight.
    pub(crate) const fn new() -> Self {
        Self {
            limit: INITIAL_LIMIT,
            in_flight: 0,
            held_back: false,
            min_slack: usize::MAX,
            period_end: Instant::ZERO,
        }
    }

    /// The number of bytes that may be sent now. If nothing is in flight, one packet of any length
    /// may be sent.
    pub(crate) const fn room(&self) -> usize {
        self.limit.saturating_sub(self.in_flight)
    }

    /// Whether nothing is in flight.
    pub(crate) const fn is_idle(&self) -> bool {
        self.in_flight == 0
    }

    /// Notes that a packet had to wait for room.
    pub(crate) const fn hold_back(&mut self) {
        self.held_back = true;
    }

    /// Notes bytes handed to the network.
    pub(crate) const fn queued(&mut self, bytes: usize) {
        self.in_flight = self.in_flight.saturating_add(bytes);
    }

    /// Notes bytes that were sent or abandoned.
    pub(crate) fn completed(&mut self, bytes: usize, now: Instant) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        if self.in_flight == 0 {
            if self.held_back {
                // The network idled while packets waited: the limit was too low.
                self.limit = self.limit.saturating_add(bytes).min(MAX_LIMIT);
            }
            self.held_back = false;
            self.start_period(now);
            return;
        }
        self.min_slack = self.min_slack.min(self.in_flight);
        if now >= self.period_end {
            if self.held_back {
                // These bytes were not needed during a whole period: take back half of them.
                self.limit = self.limit.saturating_sub(self.min_slack / 2).max(MIN_LIMIT);
            }
            self.start_period(now);
        }
    }

    fn start_period(&mut self, now: Instant) {
        self.min_slack = usize::MAX;
        self.period_end = now.after(PERIOD);
    }
}

impl Default for ByteLimit {
    fn default() -> Self {
        Self::new()
    }
}

/// A batch of full packets.
const INITIAL_LIMIT: usize = 128 * 1024;
/// One datagram of the largest size.
const MIN_LIMIT: usize = 64 * 1024;
/// 10 Gbit/s for 12 ms.
const MAX_LIMIT: usize = 16 * 1024 * 1024;
/// How long bytes must have been unneeded before the limit is lowered.
const PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends for a while over a wire that takes `per_millisecond` bytes and completes `delay`
    /// later; returns the limit reached.
    fn run(limit: &mut ByteLimit, per_millisecond: usize, from_ms: u64, ms: u64) -> usize {
        const PACKET: usize = 1500;
        for tick in from_ms..from_ms + ms {
            while limit.room() >= PACKET {
                limit.queued(PACKET);
            }
            limit.hold_back();
            let mut budget = per_millisecond.min(limit.in_flight);
            while budget > 0 {
                let bytes = budget.min(PACKET);
                limit.completed(bytes, Instant::from_nanos(tick * 1_000_000));
                budget -= bytes;
            }
        }
        limit.limit
    }

    #[test]
    fn a_fast_wire_raises_it_and_a_slow_one_lowers_it() {
        let mut limit = ByteLimit::new();
        let fast = run(&mut limit, 1_000_000, 0, 1000);
        assert!((1_000_000..1_500_000).contains(&fast), "{fast}");
        let slow = run(&mut limit, 1_500, 1000, 60_000);
        assert!(slow <= fast / 8, "{slow}");
        assert!(slow >= MIN_LIMIT);
    }

    #[test]
    fn it_stays_put_while_nothing_is_held_back() {
        let mut limit = ByteLimit::new();
        for ms in 0..5000 {
            limit.queued(1000);
            limit.completed(1000, Instant::from_nanos(ms * 1_000_000));
        }
        assert_eq!((limit.limit, limit.is_idle()), (INITIAL_LIMIT, true));
    }

    #[test]
    fn completions_of_nothing_do_no_harm() {
        let mut limit = ByteLimit::new();
        limit.hold_back();
        limit.completed(usize::MAX, Instant::NEVER);
        assert_eq!(limit.limit, MAX_LIMIT);
        assert_eq!(limit.room(), MAX_LIMIT);
    }
}
