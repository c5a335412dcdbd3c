//! A binary min-heap.

use alloc::vec::Vec;

use crate::{NoMemory, Push};

/// A binary heap whose root is the smallest item.
pub struct MinHeap<T> {
    /// No item is less than the one at `(index - 1) / 2`.
    items: Vec<T>,
}

impl<T: Copy + Ord> MinHeap<T> {
    /// An empty heap without memory.
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// The number of items.
    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether the heap is empty.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The number of items that it has memory for.
    pub const fn capacity(&self) -> usize {
        self.items.capacity()
    }

    /// Reserves capacity for `more` items.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        self.items.try_reserve(more).map_err(|_| NoMemory)
    }

    /// The smallest item.
    pub fn peek(&self) -> Option<T> {
        self.items.first().copied()
    }

    /// Adds an item, or returns it if the capacity is used up.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        let mut at = self.items.len();
        self.items.push_in_capacity(item)?;
        while let Some(above) = at.checked_sub(1).map(|below| below / 2) {
            if self.items.get(above).is_none_or(|above| *above <= item) {
                break;
            }
            self.items.swap(above, at);
            at = above;
        }
        Ok(())
    }

    /// Removes the smallest item.
    pub fn pop(&mut self) -> Option<T> {
        let last = self.items.pop()?;
        let Some(first) = self.items.first_mut() else {
            return Some(last);
        };
        let smallest = core::mem::replace(first, last);
        let mut at = 0;
        loop {
            let [left, right] = [2 * at + 1, 2 * at + 2];
            let below = match (self.items.get(left), self.items.get(right)) {
                (Some(one), Some(other)) if other < one => right,
                (Some(_), _) => left,
                (None, _) => break,
            };
            if self.items.get(below).is_none_or(|below| *below >= last) {
                break;
            }
            self.items.swap(at, below);
            at = below;
        }
        Some(smallest)
    }
}

impl<T: Copy + Ord> Default for MinHeap<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use core::cmp::Reverse;
    use std::collections::BinaryHeap;

    use super::*;

    #[test]
    fn it_is_as_the_one_of_std() {
        let (mut heap, mut model) = (MinHeap::new(), BinaryHeap::new());
        assert_eq!(heap.push(1), Err(1));
        let mut random = 1_u32;
        for round in 0..10_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 16 & 3 > round >> 11 & 3 {
                let number = random >> 22;
                heap.try_reserve(1).unwrap();
                assert_eq!(heap.push(number), Ok(()));
                model.push(Reverse(number));
            } else {
                assert_eq!(heap.pop(), model.pop().map(|Reverse(number)| number));
            }
            assert_eq!(heap.peek(), model.peek().map(|&Reverse(number)| number));
            assert_eq!(heap.len(), model.len());
        }
    }
}
