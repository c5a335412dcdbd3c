//! Controlled delay: keeps a standing queue from becoming latency (RFC 8289).

use core::time::Duration;

use crate::Instant;

/// Judges packets, as they leave a queue, by how long they were in it.
#[derive(Debug, Default)]
pub(crate) struct Codel {
    /// When packets will have waited too long for a whole interval; `None` while they don't.
    above_since: Option<Instant>,
    /// When the next packet is dropped, while dropping.
    drop_next: Instant,
    /// Packets dropped since dropping began.
    count: u32,
    /// `count` when dropping last began.
    last_count: u32,
    is_dropping: bool,
}

/// What to do with a packet that leaves the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send it.
    Pass,
    /// Drop it, so that its sender slows down, and on_dequeue the next.
    Drop,
}

impl Codel {
    /// Judges the packet that leaves the queue now: how long it was there, and whether more than
    /// one packet's worth is left behind it. The last packet always passes.
    pub(crate) fn on_dequeue(
        &mut self,
        sojourn: Duration,
        more_waits: bool,
        now: Instant,
    ) -> Action {
        let is_late = self.is_late(sojourn, more_waits, now);
        if self.is_dropping {
            if !is_late {
                self.is_dropping = false;
            } else if now >= self.drop_next {
                self.count = self.count.saturating_add(1);
                self.drop_next = control_law(self.drop_next, self.count);
                return Action::Drop;
            }
            return Action::Pass;
        }
        if !is_late {
            return Action::Pass;
        }
        self.is_dropping = true;
        // Where dropping stopped only a moment ago, it goes on at the rate that it had (RFC 8289,
        // section 5.5).
        let dropped = self.count.saturating_sub(self.last_count);
        let is_recent = now.since(self.drop_next) < INTERVAL * 16;
        self.count = if dropped > 1 && is_recent { dropped } else { 1 };
        self.drop_next = control_law(now, self.count);
        self.last_count = self.count;
        Action::Drop
    }

    /// Whether packets have been late for a whole interval.
    fn is_late(&mut self, sojourn: Duration, more_waits: bool, now: Instant) -> bool {
        if sojourn < TARGET || !more_waits {
            self.above_since = None;
            return false;
        }
        match self.above_since {
            Some(late_from) => now >= late_from,
            None => {
                self.above_since = Some(now.after(INTERVAL));
                false
            }
        }
    }
}

/// The time of the next drop: the interval shrinks with the root of the count, so that the drop
/// rate rises linearly.
fn control_law(from: Instant, count: u32) -> Instant {
    // In fixed point: isqrt(count << 16) = 256 * sqrt(count), and never 0.
    let root = (u64::from(count.max(1)) << 16).isqrt().max(1);
    let nanos = (INTERVAL.as_nanos() as u64).saturating_mul(256) / root;
    from.after(Duration::from_nanos(nanos))
}

/// RFC 8289, section 4.3: acceptable standing delay.
const TARGET: Duration = Duration::from_millis(5);
/// RFC 8289, section 4.2: about a round-trip time.
const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    const LATE: Duration = Duration::from_millis(20);

    #[test]
    fn a_burst_shorter_than_an_interval_passes() {
        let mut codel = Codel::default();
        assert!((0..100).all(|ms| codel.on_dequeue(LATE, true, at(ms)) == Action::Pass));
        assert_eq!(codel.on_dequeue(Duration::from_millis(4), true, at(100)), Action::Pass);
        assert!((101..201).all(|ms| codel.on_dequeue(LATE, true, at(ms)) == Action::Pass));
    }

    #[test]
    fn a_standing_queue_is_dropped_from_ever_faster() {
        let mut codel = Codel::default();
        let mut drops = std::vec::Vec::new();
        for ms in 0..1000 {
            while codel.on_dequeue(LATE, true, at(ms)) == Action::Drop {
                drops.push(ms);
            }
        }
        assert_eq!(&drops[..4], [100, 200, 271, 329]);
        let gaps: std::vec::Vec<_> = drops.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{gaps:?}");
        assert!(drops.len() > 15);
    }

    #[test]
    fn the_last_packet_always_passes() {
        let mut codel = Codel::default();
        let late = Duration::from_secs(60);
        assert!((0..10_000).all(|ms| codel.on_dequeue(late, false, at(ms)) == Action::Pass));
    }

    #[test]
    fn dropping_ends_with_the_delay_and_resumes_where_it_was() {
        let mut codel = Codel::default();
        for ms in 0..1000 {
            while codel.on_dequeue(LATE, true, at(ms)) == Action::Drop {}
        }
        let count = codel.count;
        assert_eq!(codel.on_dequeue(Duration::ZERO, true, at(1000)), Action::Pass);
        let drops = (1001..1201).filter(|&ms| codel.on_dequeue(LATE, true, at(ms)) == Action::Drop);
        assert!(drops.count() > 2, "it had dropped {count}");
    }

    #[test]
    fn no_time_or_count_breaks_it() {
        let mut codel = Codel { count: u32::MAX, is_dropping: true, ..Codel::default() };
        codel.above_since = Some(Instant::ZERO);
        assert_eq!(codel.on_dequeue(Duration::MAX, true, Instant::NEVER), Action::Drop);
        assert_eq!(codel.on_dequeue(Duration::MAX, true, Instant::ZERO), Action::Pass);
    }
}
