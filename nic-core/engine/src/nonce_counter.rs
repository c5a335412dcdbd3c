//! The packet counters of a sending key: each is a nonce, and is used once.

/// How much a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimits {
    /// From this counter on a new key is wanted.
    pub renew_after: u64,
    /// No counter from this one on is used or accepted.
    pub reject_after: u64,
}

/// Hands out the counters of a sending key, each once.
#[derive(Debug, Default)]
pub struct NonceCounter {
    next: u64,
}

/// A range of counters for one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The first; the others follow.
    pub first: u64,
    /// A new key is wanted.
    pub renew: bool,
}

impl NonceCounter {
    /// A counter that starts at 0.
    pub const fn new() -> Self {
        Self { next: 0 }
    }

    /// Reserves `count` counters; `None` where they would pass the limit: then none is used up.
    pub fn reserve(&mut self, count: u32, limits: &KeyLimits) -> Option<Reserved> {
        let first = self.next;
        let next = first.checked_add(u64::from(count))?;
        if next > limits.reject_after {
            return None;
        }
        self.next = next;
        Some(Reserved { first, renew: next > limits.renew_after })
    }

    /// How many counters were handed out.
    pub const fn used(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_handed_out_once_and_stop_at_the_limit() {
        let limits = KeyLimits { renew_after: 10, reject_after: 20 };
        let mut counter = NonceCounter::new();
        assert_eq!(counter.reserve(10, &limits), Some(Reserved { first: 0, renew: false }));
        assert_eq!(counter.reserve(1, &limits), Some(Reserved { first: 10, renew: true }));
        assert_eq!(counter.reserve(10, &limits), None);
        assert_eq!(counter.reserve(9, &limits), Some(Reserved { first: 11, renew: true }));
        assert_eq!(counter.reserve(1, &limits), None);
        assert_eq!(counter.used(), 20);
        let mut counter = NonceCounter { next: u64::MAX };
        let limits = KeyLimits { renew_after: u64::MAX, reject_after: u64::MAX };
        assert_eq!(counter.reserve(1, &limits), None);
    }
}
