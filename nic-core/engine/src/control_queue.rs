//! Control messages that wait for the control thread.

use nic_memory::Queue;

use crate::protocol::Standing;

/// The most messages of a standing that wait.
pub const CONTROL_MESSAGES: usize = 4096;

/// A bounded queue for each standing; they take turns, so that a flood of one keeps nothing of the
/// other out.
pub struct ControlQueue<T> {
    unproven: Queue<T>,
    proven: Queue<T>,
    /// Whose turn it is.
    next: Standing,
}

impl<T> ControlQueue<T> {
    /// None waits; without memory.
    pub const fn new() -> Self {
        Self { unproven: Queue::new(), proven: Queue::new(), next: Standing::Proven }
    }

    /// Adds a message behind those of its standing. False where there is no room or memory ran out.
    pub fn push(&mut self, standing: Standing, message: T) -> bool {
        let queue = match standing {
            Standing::Unproven => &mut self.unproven,
            Standing::Proven => &mut self.proven,
        };
        queue.len() < CONTROL_MESSAGES
            && queue.try_reserve(1).is_ok()
            && queue.push_back(message).is_ok()
    }

    /// Takes the oldest of the standing whose turn it is, or else of the other.
    pub fn pop(&mut self) -> Option<T> {
        let Self { unproven, proven, next } = self;
        let (first, second) = match next {
            Standing::Unproven => (unproven, proven),
            Standing::Proven => (proven, unproven),
        };
        *next = match next {
            Standing::Unproven => Standing::Proven,
            Standing::Proven => Standing::Unproven,
        };
        first.pop_front().or_else(|| second.pop_front())
    }

    /// How many messages wait.
    pub const fn len(&self) -> usize {
        self.unproven.len() + self.proven.len()
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all of them.
    pub fn clear(&mut self) {
        self.unproven.clear();
        self.proven.clear();
    }
}

impl<T> Default for ControlQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;

    #[test]
    fn each_standing_has_its_room_and_its_turn() {
        for (flooded, other) in
            [(Standing::Unproven, Standing::Proven), (Standing::Proven, Standing::Unproven)]
        {
            let mut queue = ControlQueue::new();
            let taken = (0..2 * CONTROL_MESSAGES).filter(|&n| queue.push(flooded, n)).count();
            assert_eq!(taken, CONTROL_MESSAGES);
            assert!(queue.push(other, usize::MAX), "the flood keeps it out");
            assert_eq!(queue.len(), CONTROL_MESSAGES + 1);
            let all: Vec<_> = core::iter::from_fn(|| queue.pop()).collect();
            assert!(all[..2].contains(&usize::MAX), "it waits for the flood");
            assert!(all.iter().filter(|n| **n != usize::MAX).copied().eq(0..CONTROL_MESSAGES));
        }
    }
}
