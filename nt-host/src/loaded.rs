//! Whether a driver is loaded, and calls that come after the unload.

use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_sys::io::DRIVER_OBJECT;

use crate::stack;
use crate::violation::{Rule, stop};

/// [`NEVER`], [`LOADED`] or [`UNLOADED`].
static STATE: AtomicU8 = AtomicU8::new(NEVER);
const NEVER: u8 = 0;
const LOADED: u8 = 1;
const UNLOADED: u8 = 2;

/// The driver that was loaded last.
static CURRENT: AtomicPtr<DRIVER_OBJECT> = AtomicPtr::new(ptr::null_mut());

/// A check at unload: what the driver left, one line for each object.
pub(crate) type UnloadCheck = fn() -> Vec<String>;

static CHECKS: Mutex<Vec<UnloadCheck>> = Mutex::new(Vec::new());

/// Registers a check for objects that a driver must not leave at its unload. Registering the same
/// check again has no effect.
pub(crate) fn at_unload(check: UnloadCheck) {
    let mut checks = CHECKS.lock().unwrap_or_else(PoisonError::into_inner);
    if !checks.iter().any(|known| ptr::fn_addr_eq(*known, check)) {
        checks.push(check);
    }
}

/// What the registered checks find.
pub(crate) fn left() -> Vec<String> {
    let checks = CHECKS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    checks.iter().flat_map(|check| check()).collect()
}

/// Notes that a driver is loaded.
pub(crate) fn set_loaded(object: *mut DRIVER_OBJECT) {
    STATE.store(LOADED, Ordering::Release);
    CURRENT.store(object, Ordering::Release);
}

/// Notes that the last driver was unloaded.
pub(crate) fn set_unloaded() {
    CURRENT.store(ptr::null_mut(), Ordering::Release);
    STATE.store(UNLOADED, Ordering::Release);
}

/// The object of the driver that was loaded last; null if none is loaded.
pub(crate) fn current_object() -> *mut DRIVER_OBJECT {
    CURRENT.load(Ordering::Acquire)
}

/// Stops when `function` is called by driver code after the last driver was unloaded.
#[inline]
pub(crate) fn require(function: &str) {
    if STATE.load(Ordering::Relaxed) == UNLOADED && stack::in_driver() {
        gone(function);
    }
}

/// Stops when the host calls driver code after the last driver was unloaded.
#[inline]
pub(crate) fn require_for_callback() {
    if STATE.load(Ordering::Relaxed) == UNLOADED {
        gone("callback");
    }
}

#[cold]
fn gone(function: &str) -> ! {
    stop(Rule::CALL_AFTER_UNLOAD, function, format_args!("the driver was unloaded"))
}
