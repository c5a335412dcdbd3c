//! Which packets of a key were seen.

use core::time::Duration;

use nic_engine::Instant;
use nic_engine::replay_window::ReplayWindow;

/// How far behind the highest packet one may be.
pub(crate) const WINDOW_PACKETS: u64 = 2048;

/// After so long without a packet, nothing old is accepted any more.
const IDLE: Duration = Duration::from_secs(30);

/// The counters that one key has seen, and when the last was.
#[derive(Debug)]
pub(crate) struct Window {
    seen: ReplayWindow<64>,
    last: Instant,
}

impl Window {
    /// A window that has seen nothing.
    pub(crate) const fn new() -> Self {
        Self { seen: ReplayWindow::new(), last: Instant::ZERO }
    }

    /// Forgets all.
    pub(crate) const fn clear(&mut self) {
        *self = Self::new();
    }

    /// Notes an authentic packet. False where it was seen before or is too old to tell; 0 is no
    /// packet's counter.
    pub(crate) fn accept(&mut self, counter: u64, now: Instant) -> bool {
        if counter == 0 {
            return false;
        }
        if let Some(behind) = self.seen.highest().and_then(|highest| highest.checked_sub(counter))
            && (behind >= WINDOW_PACKETS || now.since(self.last) >= IDLE)
        {
            return false;
        }
        let is_new = self.seen.accept(counter);
        if is_new {
            self.last = now;
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::random::Random;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO.after(Duration::from_secs(seconds))
    }

    #[test]
    fn it_reaches_back_2048_packets() {
        let mut window = Window::new();
        assert!(!window.accept(0, at(1)));
        assert!(window.accept(5000, at(1)));
        assert!(window.accept(5000 - 2047, at(1)));
        assert!(!window.accept(5000 - 2048, at(1)));
        assert!(!window.accept(5000, at(1)));
        assert!(window.accept(5000 + 2048, at(1)));
        assert!(!window.accept(5000, at(1)));
        assert!(window.accept(5001, at(1)));
    }

    #[test]
    fn after_30_s_of_silence_nothing_old_is_accepted() {
        let mut window = Window::new();
        assert!(window.accept(100, at(1)));
        assert!(window.accept(90, at(30)));
        assert!(window.accept(91, at(59)));
        assert!(!window.accept(92, at(89)));
        assert!(!window.accept(100, at(89)));
        assert!(window.accept(101, at(89)));
        assert!(window.accept(92, at(89)), "the silence has ended");
    }

    #[test]
    fn it_agrees_with_a_set_of_all_counters() {
        let mut random = Random(3);
        let (mut window, mut seen) = (Window::new(), HashSet::new());
        let (mut now, mut last, mut highest) = (at(1), at(1), 0);
        for _ in 0..300_000 {
            if random.below(1000) == 0 {
                now = now.after(Duration::from_secs(random.below(40)));
            }
            let counter = (highest + random.below(6)).saturating_sub(random.below(2200));
            let is_old = counter <= highest
                && (highest - counter >= 2048 || now.since(last) >= Duration::from_secs(30));
            let expected = counter > 0 && !is_old && seen.insert(counter);
            assert_eq!(window.accept(counter, now), expected, "{counter} after {highest}");
            if expected {
                last = now;
                highest = highest.max(counter);
            }
        }
    }
}
