//! An object with several owners.

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
pub struct Shared<T> {
    inner: NonNull<Inner<T>>,
}

struct Inner<T> {
    owners: AtomicUsize,
    object: T,
}

impl<T> Shared<T> {
    /// Moves `object` into the pool, with one owner.
    pub fn new(object: T) -> Result<Self> {
        // Written where it stays: an object may be larger than what a frame should have.
        let mut block = PoolBox::new(MaybeUninit::<Inner<T>>::uninit())?;
        let inner = block.as_mut_ptr();
        // SAFETY: the block is ours.
        let owners = unsafe { &raw mut (*inner).owners };
        // SAFETY: as above.
        unsafe { owners.write(AtomicUsize::new(1)) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*inner).object };
        // SAFETY: as above.
        unsafe { place.write(object) };
        Ok(Self { inner: PoolBox::into_raw(block).cast() })
    }

    /// Whether both own the same object.
    pub fn is_same(&self, other: &Self) -> bool {
        ptr::eq(self.inner.as_ptr(), other.inner.as_ptr())
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: it lives for as long as an owner does.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        // Relaxed is enough: an owner exists already, so nobody is about to free the object. The
        // count can't overflow: each owner takes at least the 8 bytes of its pointer.
        self.inner().owners.fetch_add(1, Ordering::Relaxed);
        Self { inner: self.inner }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().object
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        if self.inner().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // What the other owners did happens before the object goes.
        fence(Ordering::Acquire);
        // SAFETY: this was the last owner, and the pointer is of `PoolBox::into_raw`.
        drop(unsafe { PoolBox::from_raw(self.inner) });
    }
}

// SAFETY: owners on any thread read the object and the last drops it.
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}
