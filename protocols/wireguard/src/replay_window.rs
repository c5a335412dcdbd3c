//! Which counters were received already (RFC 6479).

/// Counters that are remembered, in bits.
const WINDOW_BITS: usize = 8192;
const WORD_BITS: u64 = u64::BITS as u64;
const WORDS: usize = WINDOW_BITS / u64::BITS as usize;

/// How far a counter may lie behind the greatest one: one word is always in transition.
pub(crate) const USABLE: u64 = WINDOW_BITS as u64 - WORD_BITS;

/// A sliding window over a session's counters.
pub(crate) struct ReplayWindow {
    greatest: u64,
    words: [u64; WORDS],
}

impl ReplayWindow {
    /// A window that has seen nothing.
    pub(crate) const fn new() -> Self {
        Self { greatest: 0, words: [0; WORDS] }
    }

    /// Notes a counter of an authentic packet. False where it was seen before or is too old to tell.
    pub(crate) fn accept(&mut self, counter: u64) -> bool {
        if counter > self.greatest {
            let old = self.greatest / WORD_BITS;
            let steps = (counter / WORD_BITS - old).min(WORDS as u64);
            for step in 1..=steps {
                if let Some(word) = self.word(old.wrapping_add(step)) {
                    *word = 0;
                }
            }
            self.greatest = counter;
        } else if self.greatest - counter > USABLE {
            return false;
        }
        let mask = 1_u64 << (counter % WORD_BITS);
        let Some(word) = self.word(counter / WORD_BITS) else {
            return false;
        };
        let is_new = *word & mask == 0;
        *word |= mask;
        is_new
    }

    fn word(&mut self, number: u64) -> Option<&mut u64> {
        usize::try_from(number % WORDS as u64).ok().and_then(|index| self.words.get_mut(index))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn edges() {
        let mut window = ReplayWindow::new();
        assert!(window.accept(0));
        assert!(!window.accept(0));
        assert!(window.accept(1));
        assert!(!window.accept(1));
        assert!(window.accept(9));
        assert!(window.accept(8));
        assert!(window.accept(7));
        assert!(!window.accept(7));
        assert!(window.accept(USABLE + 9));
        assert!(!window.accept(9), "seen");
        assert!(!window.accept(8), "too old");
        assert!(window.accept(10), "just young enough");
        assert!(window.accept(u64::MAX - 1));
        assert!(window.accept(u64::MAX));
        assert!(!window.accept(u64::MAX));
        assert!(!window.accept(0));
        assert!(window.accept(u64::MAX - USABLE));
        assert!(!window.accept(u64::MAX - USABLE - 1));
    }

    #[test]
    fn agrees_with_a_set() {
        let mut window = ReplayWindow::new();
        let mut seen = HashSet::new();
        let (mut greatest, mut state) = (0_u64, 1_u64);
        for _ in 0..200_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = state >> 33;
            let counter = match random % 100 {
                0 => greatest + random % 20_000,
                1..=40 => greatest + random % 80,
                _ => greatest.saturating_sub(random % 9000),
            };
            let expected =
                (counter > greatest || greatest - counter <= USABLE) && seen.insert(counter);
            assert_eq!(window.accept(counter), expected, "{counter} after {greatest}");
            greatest = greatest.max(counter);
        }
    }
}
