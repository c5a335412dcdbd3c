//! Allocation that may fail, in the shapes that the engine needs.

use alloc::{boxed::Box, vec::Vec};

/// Memory ran out; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// A value on the heap.
pub(crate) type Boxed<T> = Box<[T; 1]>;

/// Moves a value to the heap; inlined, so that a large one is not on the stack twice.
#[inline]
pub(crate) fn boxed<T>(value: T) -> Result<Boxed<T>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(1).map_err(|_| NoMemory)?;
    items.push(value);
    Box::try_from(items.into_boxed_slice()).map_err(|_| NoMemory)
}

/// Makes a slice of `length` items on the heap.
pub(crate) fn slice<T>(
    length: usize,
    mut item: impl FnMut(usize) -> T,
) -> Result<Box<[T]>, NoMemory> {
    let mut items = Vec::new();
    items.try_reserve_exact(length).map_err(|_| NoMemory)?;
    for index in 0..length {
        items.push(item(index));
    }
    Ok(items.into_boxed_slice())
}
