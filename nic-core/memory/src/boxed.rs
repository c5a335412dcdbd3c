//! Fallible allocation of boxes.
//!
//! # Safety conditions
//! 1. The layout is that of the value's type, and its size is not zero.
//! 2. The block was allocated by the global allocator with the layout of its type, and is freed
//!    only by the box that is made of it.

use alloc::{alloc::alloc, boxed::Box, vec::Vec};
use core::alloc::Layout;
use core::ptr::NonNull;

use crate::{NoMemory, vec::push};

/// Moves a value to the heap.
///
/// It is inlined and writes the value directly to the heap, so that a large value is not on the
/// stack twice.
#[inline]
pub fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    let layout = Layout::new::<T>();
    let block = if layout.size() == 0 {
        NonNull::dangling()
    } else {
        // SAFETY: 1.
        NonNull::new(unsafe { alloc(layout) }.cast::<T>()).ok_or(NoMemory)?
    };
    // SAFETY: the block is aligned and large enough for a value, and holds none.
    unsafe { block.write(value) };
    // SAFETY: 2, or the type has no size and needs no block.
    Ok(unsafe { Box::from_raw(block.as_ptr()) })
}

/// Makes a slice of `length` items on the heap; `item` gets the index of each.
pub fn slice<T>(length: usize, mut item: impl FnMut(usize) -> T) -> Result<Box<[T]>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(length).map_err(|_| NoMemory)?;
    for index in 0..length {
        push(&mut items, item(index))?;
    }
    full(items)
}

/// The items of a `Vec` as a box. It fails if the `Vec` has spare capacity; those of `alloc` that
/// are filled to the capacity that was reserved have none.
fn full<T>(items: Vec<T>) -> Result<Box<[T]>, NoMemory> {
    if size_of::<T>() != 0 && items.capacity() != items.len() {
        return Err(NoMemory);
    }
    let items: *mut [T] = items.leak();
    // SAFETY: 2. The items fill the block, which nobody else owns after `leak`.
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
        assert_eq!(*boxed([7; 4096]).unwrap(), [7; 4096]);
        assert_eq!(*boxed(()).unwrap(), ());
    }

    #[test]
    fn a_box_drops_its_value_once() {
        let counted = Rc::new(());
        let value = boxed(Rc::clone(&counted)).unwrap();
        assert_eq!(Rc::strong_count(&counted), 2);
        drop(value);
        assert_eq!(Rc::strong_count(&counted), 1);
    }

    #[test]
    fn a_box_is_aligned_as_its_type() {
        #[repr(align(256))]
        struct Aligned(u8);
        let value = boxed(Aligned(7)).unwrap();
        assert_eq!((value.0, (&raw const *value).addr() % 256), (7, 0));
    }

    #[test]
    fn a_value_without_size_is_dropped_once() {
        use core::sync::atomic::{AtomicUsize, Ordering};
        static DROPS: AtomicUsize = AtomicUsize::new(0);
        struct Empty;
        impl Drop for Empty {
            fn drop(&mut self) {
                DROPS.fetch_add(1, Ordering::Relaxed);
            }
        }
        let value = boxed(Empty).unwrap();
        assert_eq!(DROPS.load(Ordering::Relaxed), 0);
        drop(value);
        assert_eq!(DROPS.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn more_than_there_is_fails() {
        assert_eq!(slice(usize::MAX / 16, |_| 0_u64).map(drop), Err(NoMemory));
    }
}
