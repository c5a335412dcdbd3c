//! Additions to a `Vec`.

use alloc::vec::Vec;

use crate::NoMemory;

/// `Vec::push`, without its infallible allocation.
pub trait Push<T> {
    /// Adds an item at the end, or returns it if the capacity is used up.
    fn push_in_capacity(&mut self, item: T) -> Result<(), T>;

    /// Adds an item at the end. It allocates if the capacity is used up; without memory, the item
    /// is dropped.
    fn try_push(&mut self, item: T) -> Result<(), NoMemory>;
}

impl<T> Push<T> for Vec<T> {
    #[inline]
    fn push_in_capacity(&mut self, item: T) -> Result<(), T> {
        if self.len() == self.capacity() {
            return Err(item);
        }
        let _ = push(self, item);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, item: T) -> Result<(), NoMemory> {
        self.try_reserve(1).map_err(|_| NoMemory)?;
        push(self, item)
    }
}

/// Adds an item at the end, or drops it if the capacity is used up. It is moved only once.
#[inline]
pub(crate) fn push<T>(items: &mut Vec<T>, item: T) -> Result<(), NoMemory> {
    let length = items.len();
    items.spare_capacity_mut().first_mut().ok_or(NoMemory)?.write(item);
    // SAFETY: the capacity exceeds the length, and the next item has been written.
    unsafe { items.set_len(length + 1) };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_added_in_order_and_no_further_than_the_capacity() {
        let mut items = Vec::new();
        assert_eq!(items.push_in_capacity("none"), Err("none"));
        items.try_reserve_exact(2).unwrap();
        let room = items.capacity();
        for _ in 0..room {
            assert_eq!(items.push_in_capacity("in"), Ok(()));
        }
        assert_eq!(items.push_in_capacity("beyond"), Err("beyond"));
        assert_eq!(items.try_push("more"), Ok(()));
        assert_eq!((items.len(), items.last()), (room + 1, Some(&"more")));
    }

    #[test]
    fn items_without_a_size_are_counted() {
        let mut items = Vec::new();
        assert_eq!(items.push_in_capacity(()), Ok(()));
        assert_eq!(items.try_push(()), Ok(()));
        assert_eq!(items.len(), 2);
    }
}
