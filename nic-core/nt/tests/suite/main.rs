//! The safe wrappers, on nt-host.

mod kernel;
mod wsk;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One test at a time: leaks and failing allocations are counted in the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
