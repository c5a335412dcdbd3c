//! Objects that drivers have pointers to. They stay in memory until the last driver is unloaded, so
//! that a late or repeated use is recognized.

use core::any::Any;
use core::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static GIVEN: Mutex<Vec<Arc<dyn Any + Send + Sync>>> = Mutex::new(Vec::new());

/// Keeps an object to which a driver gets a pointer.
pub(crate) fn keep(object: Arc<impl Any + Send + Sync>) {
    lock().push(object);
}

/// Releases all objects. No driver is loaded.
pub(crate) fn release() {
    let given = mem::take(&mut *lock());
    // The lock is released first: a destructor may run any code.
    drop(given);
}

fn lock() -> MutexGuard<'static, Vec<Arc<dyn Any + Send + Sync>>> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}
