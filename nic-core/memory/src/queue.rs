//! A FIFO queue.

use alloc::vec::Vec;
use core::ptr;

use crate::{NoMemory, Push, wipe};

/// A FIFO queue. It allocates memory on request only, and keeps it.
pub struct Queue<T> {
    /// A ring buffer.
    places: Vec<Option<T>>,
    /// The index of the first item.
    first: usize,
    length: usize,
}

impl<T> Queue<T> {
    /// An empty queue without memory.
    pub const fn new() -> Self {
        Self { places: Vec::new(), first: 0, length: 0 }
    }

    /// The number of items.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether the queue is empty.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reserves capacity for `more` items. If the queue must grow, its capacity at least doubles.
    pub fn try_reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        let needed = self.length.checked_add(more).ok_or(NoMemory)?;
        if needed <= self.places.len() {
            return Ok(());
        }
        let room = needed.max(self.places.len().saturating_mul(2)).max(MIN_PLACES);
        let mut places = Vec::new();
        places.try_reserve_exact(room).map_err(|_| NoMemory)?;
        for ahead in 0..room {
            let item = self.place(ahead).and_then(Option::take);
            places.push_in_capacity(item).map_err(|_| NoMemory)?;
        }
        self.places = places;
        self.first = 0;
        Ok(())
    }

    /// Adds an item at the end, or returns it if the capacity is used up.
    pub fn push_back(&mut self, item: T) -> Result<(), T> {
        match self.place(self.length) {
            Some(place) => *place = Some(item),
            None => return Err(item),
        }
        self.length += 1;
        Ok(())
    }

    /// Removes the first item. Nothing of it stays in its place, as it may hold a key.
    pub fn pop_front(&mut self) -> Option<T> {
        let item = take_and_wipe(self.place(0)?)?;
        self.first = if self.first + 1 < self.places.len() { self.first + 1 } else { 0 };
        self.length -= 1;
        Some(item)
    }

    /// The first item.
    pub fn front(&self) -> Option<&T> {
        self.places.get(self.first)?.as_ref()
    }

    /// The item at index `ahead`, counted from the first.
    pub fn get_mut(&mut self, ahead: usize) -> Option<&mut T> {
        self.place(ahead)?.as_mut()
    }

    /// Drops all items.
    pub fn clear(&mut self) {
        while self.pop_front().is_some() {}
    }

    /// The place of the item at index `ahead`; `None` beyond the capacity.
    fn place(&mut self, ahead: usize) -> Option<&mut Option<T>> {
        let room = self.places.len();
        if ahead >= room {
            return None;
        }
        let to_end = room - self.first;
        let at = if ahead < to_end { self.first + ahead } else { ahead - to_end };
        self.places.get_mut(at)
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Takes an item, and wipes its place.
fn take_and_wipe<T>(place: &mut Option<T>) -> Option<T> {
    let item = place.take();
    let place = ptr::from_mut(place);
    // SAFETY: what is there is `None`, which needs no drop, and is written anew below.
    unsafe { wipe(place.cast(), size_of::<Option<T>>()) };
    // SAFETY: the pointer comes from a reference.
    unsafe { place.write(None) };
    item
}

/// The least room there is once there is any.
const MIN_PLACES: usize = 4;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    #[test]
    fn it_is_as_the_one_of_std() {
        let (mut queue, mut model) = (Queue::new(), VecDeque::new());
        let mut random = 1_u32;
        for number in 0..10_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // It fills up for a while, then empties.
            if random >> 16 & 3 > number >> 11 & 3 {
                queue.try_reserve(1).unwrap();
                assert_eq!(queue.push_back(number), Ok(()));
                model.push_back(number);
            } else {
                assert_eq!(queue.pop_front(), model.pop_front());
            }
            let ahead = (random >> 20) as usize % (model.len() + 2);
            assert_eq!(queue.get_mut(ahead), model.get_mut(ahead));
            assert_eq!(queue.front(), model.front());
            assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
        }
        queue.clear();
        assert_eq!((queue.len(), queue.pop_front()), (0, None));
    }

    #[test]
    fn without_room_an_item_comes_back() {
        let mut queue = Queue::new();
        assert_eq!(queue.push_back(1), Err(1));
        queue.try_reserve(5).unwrap();
        assert!((0..5).all(|number| queue.push_back(number).is_ok()));
        assert_eq!(queue.push_back(5), Err(5));
        assert_eq!(queue.pop_front(), Some(0));
        assert_eq!(queue.push_back(5), Ok(()));
        assert_eq!(queue.try_reserve(usize::MAX), Err(NoMemory));
        assert!((1..=5).all(|number| queue.pop_front() == Some(number)));
    }

    #[test]
    fn nothing_stays_in_a_place_that_an_item_has_left() {
        let mut place = Some([0x5a_u8; 64]);
        assert_eq!(take_and_wipe(&mut place), Some([0x5a; 64]));
        assert_eq!(place, None);
        let bytes: *const u8 = (&raw const place).cast();
        // SAFETY: inside of the option, whose bytes were written before `None` was.
        let read = |offset| unsafe { bytes.wrapping_add(offset).read_volatile() };
        assert!((0..size_of_val(&place)).all(|offset| read(offset) == 0));
    }
}
