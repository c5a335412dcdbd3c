//! Control messages that wait for the control thread.

use nic_memory::Queue;

use crate::protocol::AddressValidation;

/// The maximum number of messages in each of the two queues.
pub const CONTROL_MESSAGES: usize = 4096;

/// Two bounded queues, for messages from validated and unvalidated addresses. They are served in
/// turn, so that a flood of one kind does not displace the other.
pub struct ControlQueue<T> {
    unvalidated: Queue<T>,
    validated: Queue<T>,
    /// The queue that is served next.
    next: AddressValidation,
}

impl<T> ControlQueue<T> {
    /// An empty queue without memory.
    pub const fn new() -> Self {
        Self {
            unvalidated: Queue::new(),
            validated: Queue::new(),
            next: AddressValidation::Validated,
        }
    }

    /// Appends a message. Returns false if its queue is full or memory ran out.
    pub fn push(&mut self, validation: AddressValidation, message: T) -> bool {
        let queue = match validation {
            AddressValidation::Unvalidated => &mut self.unvalidated,
            AddressValidation::Validated => &mut self.validated,
        };
        queue.len() < CONTROL_MESSAGES
            && queue.try_reserve(1).is_ok()
            && queue.push_back(message).is_ok()
    }

    /// Removes the oldest message of the queue that is served next, or of the other if it is empty.
    pub fn pop(&mut self) -> Option<T> {
        let Self { unvalidated, validated, next } = self;
        let (first, second) = match next {
            AddressValidation::Unvalidated => (unvalidated, validated),
            AddressValidation::Validated => (validated, unvalidated),
        };
        *next = match next {
            AddressValidation::Unvalidated => AddressValidation::Validated,
            AddressValidation::Validated => AddressValidation::Unvalidated,
        };
        first.pop_front().or_else(|| second.pop_front())
    }

    /// The number of messages.
    pub const fn len(&self) -> usize {
        self.unvalidated.len() + self.validated.len()
    }

    /// Whether there is no message.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops all messages.
    pub fn clear(&mut self) {
        self.unvalidated.clear();
        self.validated.clear();
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
    fn each_validation_has_its_room_and_its_turn() {
        for (flooded, other) in [
            (AddressValidation::Unvalidated, AddressValidation::Validated),
            (AddressValidation::Validated, AddressValidation::Unvalidated),
        ] {
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
