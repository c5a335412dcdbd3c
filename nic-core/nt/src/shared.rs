//! An object with several owners.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicUsize, Ordering, fence};

use crate::pool::PoolBox;
use crate::status::Result;

/// An object in the non-paged pool that lives until its last owner is gone: an `Arc` whose making
/// can fail.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`; dropping the last one at what the object's own drop allows.
pub struct Shared<T: ?Sized> {
    inner: NonNull<SharedInner<T>>,
}

/// What the owners of a [`Shared`] have in common. It is public for [`Shared::unsize`] alone:
/// nobody else can make one, look into it or keep it.
///
/// The cell lets the last owner drop the object by a pointer that was a shared reference before.
pub struct SharedInner<T: ?Sized>(UnsafeCell<Counted<T>>);

struct Counted<T: ?Sized> {
    owners: AtomicUsize,
    object: T,
}

impl<T> Shared<T> {
    /// Moves `object` into the pool, with one owner.
    pub fn new(object: T) -> Result<Self> {
        // Written where it stays: an object may be larger than what a frame should have.
        let mut block = PoolBox::new(MaybeUninit::<Counted<T>>::uninit())?;
        let counted = block.as_mut_ptr();
        // SAFETY: the block is ours.
        let owners = unsafe { &raw mut (*counted).owners };
        // SAFETY: as above.
        unsafe { owners.write(AtomicUsize::new(1)) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*counted).object };
        // SAFETY: as above.
        unsafe { place.write(object) };
        // `SharedInner` is a cell around it, which has the same layout (UnsafeCell, "Memory
        // layout").
        Ok(Self { inner: PoolBox::into_raw(block).cast() })
    }

    /// Makes an owner of the same object as what it implements: a trait's object, as a rule.
    /// `coerce` is `|inner| inner`, where the compiler converts.
    ///
    /// It can do nothing else: it is given a reference that only it can have, and nothing but the
    /// compiler makes another one of that lifetime out of it.
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
        // SAFETY: it lives for as long as an owner does.
        let inner = unsafe { self.inner.as_ref() };
        // SAFETY: nobody has it exclusively before the last owner is gone.
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
        // What the other owners did happens before the object goes.
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner, and the pointer is of `PoolBox::into_raw`.
        drop(unsafe { PoolBox::from_raw(self.inner) });
    }
}

// SAFETY: owners on any thread read the object and the last drops it.
unsafe impl<T: Send + Sync + ?Sized> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync + ?Sized> Sync for Shared<T> {}
