//! Objects with several owners.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use crate::NoMemory;

/// The memory that a [`Shared`] lies in.
///
/// # Safety
///
/// A block has the size and alignment of its layout, and stays until it is freed.
pub unsafe trait Memory {
    /// The error if there is none left.
    type Error;

    /// Allocates a block.
    fn allocate(layout: Layout) -> Result<NonNull<u8>, Self::Error>;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// It was allocated here with this layout, and is not used any more.
    unsafe fn free(block: NonNull<u8>, layout: Layout);
}

/// The memory of the global allocator.
pub enum Heap {}

// SAFETY: a global allocator's blocks are so.
unsafe impl Memory for Heap {
    type Error = NoMemory;

    fn allocate(layout: Layout) -> Result<NonNull<u8>, NoMemory> {
        // SAFETY: no layout of this module has the size 0.
        NonNull::new(unsafe { alloc::alloc::alloc(layout) }).ok_or(NoMemory)
    }

    unsafe fn free(block: NonNull<u8>, layout: Layout) {
        // SAFETY: as this function.
        unsafe { alloc::alloc::dealloc(block.as_ptr(), layout) };
    }
}

/// An object that lives until its last owner is dropped: an `Arc` that is allocated fallibly.
pub struct Shared<T: ?Sized, M: Memory = Heap> {
    inner: NonNull<SharedInner<T>>,
    memory: PhantomData<fn() -> M>,
}

/// The allocation that the owners of a [`Shared`] have in common. It is public for
/// [`Shared::unsize`] only: code outside this module can't make one, access it or keep it.
///
/// The cell allows the last owner to drop the object by a pointer that was a shared reference.
#[repr(transparent)]
pub struct SharedInner<T: ?Sized>(UnsafeCell<Counted<T>>);

struct Counted<T: ?Sized> {
    owners: AtomicUsize,
    object: T,
}

impl<T, M: Memory> Shared<T, M> {
    /// Moves `object` to the memory, with one owner.
    pub fn new(object: T) -> Result<Self, M::Error> {
        let block = M::allocate(Layout::new::<Counted<T>>())?;
        // Written in place: an object may be too large for a stack frame.
        let counted = block.as_ptr().cast::<Counted<T>>();
        // SAFETY: the block is ours.
        let owners = unsafe { &raw mut (*counted).owners };
        // SAFETY: the block is ours, and holds no value yet.
        unsafe { owners.write(AtomicUsize::new(1)) };
        // SAFETY: the block is ours.
        let place = unsafe { &raw mut (*counted).object };
        // SAFETY: the block is ours, and holds no value yet.
        unsafe { place.write(object) };
        // `SharedInner` has the same layout as `Counted` (UnsafeCell, "Memory layout").
        Ok(Self { inner: block.cast(), memory: PhantomData })
    }

    /// Converts to an unsized type, as a rule a trait object. `coerce` is `|inner| inner`, in which
    /// the compiler converts the reference.
    ///
    /// It can return nothing else: code outside this module can't get another reference to a
    /// `SharedInner` of that lifetime.
    pub fn unsize<U: ?Sized>(
        self,
        coerce: for<'a> fn(&'a SharedInner<T>) -> &'a SharedInner<U>,
    ) -> Shared<U, M> {
        // SAFETY: the object lives as long as its owner, `self`.
        let inner = NonNull::from(coerce(unsafe { self.inner.as_ref() }));
        // The new owner takes the place of this one.
        core::mem::forget(self);
        Shared { inner, memory: PhantomData }
    }
}

impl<T: ?Sized, M: Memory> Shared<T, M> {
    /// Whether both own the same object.
    pub fn is_same(&self, other: &Self) -> bool {
        ptr::addr_eq(self.inner.as_ptr(), other.inner.as_ptr())
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the object lives as long as it has an owner.
        let inner = unsafe { self.inner.as_ref() };
        // SAFETY: no exclusive reference exists before the last owner is dropped.
        unsafe { &*inner.0.get() }
    }
}

impl<T: ?Sized, M: Memory> Clone for Shared<T, M> {
    fn clone(&self) -> Self {
        // Relaxed is enough: an owner exists already, so nobody is about to free the object. The
        // count can't overflow: each owner takes at least the 8 bytes of its pointer.
        self.counted().owners.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner, memory: PhantomData }
    }
}

impl<T: ?Sized, M: Memory> Deref for Shared<T, M> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().object
    }
}

impl<T: ?Sized, M: Memory> Drop for Shared<T, M> {
    fn drop(&mut self) {
        if self.counted().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // All accesses by other owners happen before the object is dropped.
        fence(Ordering::Acquire);
        let layout = Layout::for_value::<Counted<T>>(self.counted());
        let counted = self.inner.as_ptr() as *mut Counted<T>;
        // SAFETY: the block is there until it is freed below.
        let object = unsafe { &raw mut (*counted).object };
        // SAFETY: this was the last owner; the cell allows access by a shared pointer.
        unsafe { ptr::drop_in_place(object) };
        // SAFETY: `new` allocated the block with the layout of the sized object.
        unsafe { M::free(self.inner.cast(), layout) };
    }
}

// SAFETY: owners on any thread read the object, and the last one drops it.
unsafe impl<T: Send + Sync + ?Sized, M: Memory> Send for Shared<T, M> {}
// SAFETY: owners on any thread read the object, and the last one drops it.
unsafe impl<T: Send + Sync + ?Sized, M: Memory> Sync for Shared<T, M> {}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn the_last_owner_drops_the_object() {
        let counted = Rc::new(());
        let first: Shared<_> = Shared::new(Rc::clone(&counted)).unwrap();
        let second = first.clone();
        assert!(first.is_same(&second));
        drop(first);
        assert_eq!(Rc::strong_count(&counted), 2);
        let unsized_: Shared<dyn AsRef<()>> = second.unsize(|inner| inner);
        assert_eq!(Rc::strong_count(&counted), 2);
        drop(unsized_);
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
