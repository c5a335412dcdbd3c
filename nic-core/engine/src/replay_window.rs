//! The replay window of a receiving key.

/// Remembers which counters of a receiving key have been seen: a bitmap of `WORDS` words used as a
/// ring (RFC 6479).
///
/// One word is always being cleared ahead, so that counters up to `(WORDS - 1) * 64` behind the
/// highest can be told. `WORDS` must be a power of two, as the RFC asks.
#[derive(Debug)]
pub struct ReplayWindow<const WORDS: usize> {
    words: [u64; WORDS],
    /// One more than the highest counter seen; 0 before the first.
    end: u64,
}

impl<const WORDS: usize> ReplayWindow<WORDS> {
    /// How far behind the highest counter one may be.
    pub const USABLE: u64 = {
        assert!(WORDS.is_power_of_two() && WORDS >= 2);
        (WORDS as u64 - 1) * WORD_BITS
    };

    /// A window that has seen nothing.
    pub const fn new() -> Self {
        Self { words: [0; WORDS], end: 0 }
    }

    /// The highest counter seen.
    pub const fn highest(&self) -> Option<u64> {
        self.end.checked_sub(1)
    }

    /// Notes an authentic packet's counter. False where it was seen before or is too old to tell.
    pub fn accept(&mut self, counter: u64) -> bool {
        let Some(end) = counter.checked_add(1) else {
            return false;
        };
        let word = counter / WORD_BITS;
        if end > self.end {
            // The ring moves on: what its words meant is forgotten.
            let last = self.end.saturating_sub(1) / WORD_BITS;
            for ahead in (last + 1..=word).take(WORDS) {
                if let Some(bits) = self.words.get_mut(Self::position(ahead)) {
                    *bits = 0;
                }
            }
            self.end = end;
        } else if self.end - end > Self::USABLE {
            return false;
        }
        let bit = 1 << (counter % WORD_BITS);
        let Some(bits) = self.words.get_mut(Self::position(word)) else {
            return false;
        };
        let is_new = *bits & bit == 0;
        *bits |= bit;
        is_new
    }

    /// Where a word lies in the ring.
    const fn position(word: u64) -> usize {
        (word % WORDS as u64) as usize
    }
}

impl<const WORDS: usize> Default for ReplayWindow<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

const WORD_BITS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    type Window = ReplayWindow<128>;

    #[test]
    fn a_counter_is_accepted_once() {
        let mut window = Window::new();
        for counter in [0, 1, 9, 8, 7, 63, 64, 65, 2, Window::USABLE] {
            assert!(window.accept(counter), "{counter}");
            assert!(!window.accept(counter), "{counter} again");
        }
    }

    #[test]
    fn the_window_ends_where_it_says() {
        assert_eq!(Window::USABLE, 8128);
        let mut window = Window::new();
        assert!(window.accept(Window::USABLE + 5));
        assert!(window.accept(5));
        assert!(!window.accept(4));
        assert!(window.accept(6));
        assert!(window.accept(Window::USABLE + 6));
        assert!(!window.accept(5));
    }

    #[test]
    fn every_counter_of_a_window_in_reverse() {
        let mut window = Window::new();
        for counter in (0..=Window::USABLE).rev() {
            assert!(window.accept(counter));
        }
        assert!((0..=Window::USABLE).all(|counter| !window.accept(counter)));
        for counter in (1..=Window::USABLE + 1).rev() {
            assert_eq!(window.accept(counter), counter == Window::USABLE + 1);
        }
    }

    #[test]
    fn a_leap_forgets_the_past() {
        for leap in [8127, 8128, 8192, 8193, 16384, 1 << 40, u64::MAX - 2] {
            let mut window = Window::new();
            assert!(window.accept(0));
            assert!(window.accept(1));
            assert!(window.accept(leap));
            assert!(!window.accept(leap));
            assert!(window.accept(leap - 1));
            assert!(window.accept(leap + 1));
            assert!(!window.accept(leap - 1));
            let oldest = (leap + 1).saturating_sub(Window::USABLE).max(2);
            assert!(window.accept(oldest), "leap {leap}");
            assert!(!window.accept(0));
        }
        assert!(!Window::new().accept(u64::MAX));
    }

    #[test]
    fn it_agrees_with_a_set_of_all_counters() {
        let mut window = ReplayWindow::<4>::new();
        let mut seen = std::collections::HashSet::new();
        let mut highest = 0_u64;
        let mut random = 88172645463325252_u64;
        for _ in 0..100_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let counter = (highest + random % 8).saturating_sub((random >> 32) % 400);
            let expected = highest.saturating_sub(counter) <= ReplayWindow::<4>::USABLE
                && seen.insert(counter);
            assert_eq!(window.accept(counter), expected);
            highest = highest.max(counter);
        }
    }
}
