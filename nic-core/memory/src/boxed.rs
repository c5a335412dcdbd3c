//! Boxes whose making can fail.

use alloc::{boxed::Box, vec::Vec};

use crate::{NoMemory, vec::push};

/// A value on the heap.
pub type Boxed<T> = Box<[T; 1]>;

/// Moves a value to the heap; inlined, so that a large one is not on the stack twice.
#[inline]
pub fn boxed<T>(value: T) -> Result<Boxed<T>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(1).map_err(|_| NoMemory)?;
    push(&mut items, value)?;
    Box::try_from(full(items)?).map_err(|_| NoMemory)
}

/// Makes a slice of `length` items on the heap.
pub fn slice<T>(length: usize, mut item: impl FnMut(usize) -> T) -> Result<Box<[T]>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(length).map_err(|_| NoMemory)?;
    for index in 0..length {
        push(&mut items, item(index))?;
    }
    full(items)
}

/// The items of a `Vec` that has exactly the capacity that was asked for, as `alloc`'s do.
fn full<T>(items: Vec<T>) -> Result<Box<[T]>, NoMemory> {
    if size_of::<T>() != 0 && items.capacity() != items.len() {
        return Err(NoMemory);
    }
    let items: *mut [T] = items.leak();
    // SAFETY: the block is of the global allocator, as long as its items, and nobody else's after
    // `leak`.
    Ok(unsafe { Box::from_raw(items) })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn a_slice_holds_what_was_made_for_it_and_drops_it_once() {
        let counted = Rc::new(());
        for length in [0, 1, 1000] {
            let items = slice(length, |index| (index, Rc::clone(&counted))).unwrap();
            assert_eq!((items.len(), Rc::strong_count(&counted)), (length, length + 1));
            assert!(items.iter().enumerate().all(|(at, (index, _))| at == *index));
            drop(items);
            assert_eq!(Rc::strong_count(&counted), 1);
        }
        assert_eq!(slice(3, |_| ()).unwrap().len(), 3);
    }

    #[test]
    fn a_box_holds_its_value() {
        let [value] = *boxed([7; 4096]).unwrap();
        assert_eq!(value, [7; 4096]);
        assert_eq!(*boxed(()).unwrap(), [()]);
    }

    #[test]
    fn more_than_there_is_fails() {
        assert_eq!(slice(usize::MAX / 16, |_| 0_u64).map(drop), Err(NoMemory));
    }
}
