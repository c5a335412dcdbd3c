//! A value that is set once, while other threads read it.
//!
//! # Safety conditions
//! 1. A pointer that is not null comes from `Box::into_raw`. After it is published the value does
//!    not change, and lives as long as the [`OnceBox`].

use alloc::boxed::Box;
use core::marker::PhantomData;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};

/// A cell for a box. A reader needs one load, and never waits.
pub struct OnceBox<T> {
    /// From `Box::into_raw`, or null.
    value: AtomicPtr<T>,
    /// It owns the value. The pointer prevents automatic `Send` and `Sync`, which are declared
    /// below.
    owns: PhantomData<(*mut T, Box<T>)>,
}

impl<T> OnceBox<T> {
    /// An empty cell.
    pub const fn new() -> Self {
        Self { value: AtomicPtr::new(ptr::null_mut()), owns: PhantomData }
    }

    /// The value, if it has been set.
    pub fn get(&self) -> Option<&T> {
        let value = self.value.load(Ordering::Acquire);
        // SAFETY: 1.
        unsafe { value.as_ref() }
    }

    /// Sets the value, or returns it if the cell has one.
    pub fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
        let value = Box::into_raw(value);
        let (from, none) = (ptr::null_mut(), Ordering::Relaxed);
        match self.value.compare_exchange(from, value, Ordering::Release, none) {
            Ok(_) => Ok(()),
            // SAFETY: the pointer comes from `into_raw` and has not been published.
            Err(_) => Err(unsafe { Box::from_raw(value) }),
        }
    }
}

// SAFETY: it owns a box, or nothing.
unsafe impl<T: Send> Send for OnceBox<T> {}
// SAFETY: one thread sets the value, others read it, and another one may drop it.
unsafe impl<T: Send + Sync> Sync for OnceBox<T> {}

impl<T> Default for OnceBox<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let value = *self.value.get_mut();
        if !value.is_null() {
            // SAFETY: 1. No reference to the value exists any more.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;
    use crate::boxed;

    #[test]
    fn one_of_many_sets_it_and_all_see_that_one() {
        let counted = Arc::new(());
        let place = OnceBox::new();
        assert!(place.get().is_none());
        let winners = thread::scope(|scope| {
            let threads = [0, 1, 2, 3].map(|number| {
                let (place, value) = (&place, boxed((number, Arc::clone(&counted))).unwrap());
                scope.spawn(move || {
                    let won = place.set(value).is_ok();
                    (won.then_some(number), place.get().map(|value| value.0))
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let winner = place.get().map(|value| value.0);
        assert_eq!(winners.iter().filter(|(won, _)| won.is_some()).count(), 1);
        assert!(
            winners.iter().all(|(won, seen)| *seen == winner && (won.is_none() || *won == winner))
        );
        assert_eq!(Arc::strong_count(&counted), 2);
        drop(place);
        assert_eq!(Arc::strong_count(&counted), 1);
    }
}
