//! What drivers were given pointers to: it stays until the last driver is unloaded, so that a
//! pointer that is used too late, or a second time, is told as what it is.

use core::any::Any;
use core::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

static GIVEN: Mutex<Vec<Arc<dyn Any + Send + Sync>>> = Mutex::new(Vec::new());

/// Keeps an object that a driver gets a pointer to.
pub(crate) fn keep(object: Arc<impl Any + Send + Sync>) {
    lock().push(object);
}

/// Lets go of all of them: no driver is loaded any more.
pub(crate) fn release() {
    let given = mem::take(&mut *lock());
    // Without the lock: what goes may be anything.
    drop(given);
}

fn lock() -> MutexGuard<'static, Vec<Arc<dyn Any + Send + Sync>>> {
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner)
}
