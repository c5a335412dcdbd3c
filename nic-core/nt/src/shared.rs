//! Objects with several owners.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use crate::pool::PoolBox;
use crate::status::Result;

/// An object in the non-paged pool that lives until its last owner is dropped: an `Arc` that is
/// allocated fallibly.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`; for dropping the last owner, the IRQL that the object's own drop allows.
pub struct Shared<T: ?Sized> {
    inner: NonNull<SharedInner<T>>,
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

impl<T> Shared<T> {
    /// Moves `object` into the pool, with one owner.
    pub fn new(object: T) -> Result<Self> {
        // Written in place: an object may be too large for a stack frame.
        let mut block = PoolBox::new(MaybeUninit::<Counted<T>>::uninit())?;
        let counted = block.as_mut_ptr();
        // SAFETY: the block is ours.
        let owners = unsafe { &raw mut (*counted).owners };
        // SAFETY: the block is ours, and holds no value yet.
        unsafe { owners.write(AtomicUsize::new(1)) };
        // SAFETY: the block is ours.
        let place = unsafe { &raw mut (*counted).object };
        // SAFETY: the block is ours, and holds no value yet.
        unsafe { place.write(object) };
        // `SharedInner` has the same layout as `Counted` (UnsafeCell, "Memory layout").
        Ok(Self { inner: PoolBox::into_raw(block).cast() })
    }

    /// Converts to an unsized type, as a rule a trait object. `coerce` is `|inner| inner`, in which
    /// the compiler converts the reference.
    ///
    /// It can return nothing else: code outside this module can't get another reference to a
    /// [`SharedInner`] of that lifetime.
    pub fn unsize<U: ?Sized>(
        self,
        coerce: for<'a> fn(&'a SharedInner<T>) -> &'a SharedInner<U>,
    ) -> Shared<U> {
        // SAFETY: the object lives as long as its owner, `self`.
        let inner = NonNull::from(coerce(unsafe { self.inner.as_ref() }));
        // The new owner takes the place of this one.
        core::mem::forget(self);
        Shared { inner }
    }
}

impl<T: ?Sized> Shared<T> {
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

impl<T: ?Sized> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed is enough: an owner exists already, so nobody is about to free the object. The
        // count can't overflow: each owner takes at least the 8 bytes of its pointer.
        self.counted().owners.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner }
    }
}

impl<T: ?Sized> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.counted().object
    }
}

impl<T: ?Sized> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.counted().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // All accesses by other owners happen before the object is dropped.
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner, and `PoolBox::into_raw` returned the pointer.
        drop(unsafe { PoolBox::from_raw(self.inner) });
    }
}

// SAFETY: owners on any thread read the object, and the last one drops it.
unsafe impl<T: Send + Sync + ?Sized> Send for Shared<T> {}
// SAFETY: owners on any thread read the object, and the last one drops it.
unsafe impl<T: Send + Sync + ?Sized> Sync for Shared<T> {}
