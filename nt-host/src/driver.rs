//! Loading and unloading a driver.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::stack;
use crate::violation::{Rule, stop};

/// Whether a driver is in this process: [`NEVER`], [`LOADED`] or [`UNLOADED`].
static STATE: AtomicU8 = AtomicU8::new(NEVER);
const NEVER: u8 = 0;
const LOADED: u8 = 1;
const UNLOADED: u8 = 2;

/// A check at unload: what is left, one line for each.
pub type UnloadCheck = fn() -> Vec<String>;

static CHECKS: Mutex<Vec<UnloadCheck>> = Mutex::new(Vec::new());

/// Registers a check for things that a driver must not leave at its unload. Once for each check.
pub fn at_unload(check: UnloadCheck) {
    let mut checks = CHECKS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !checks.iter().any(|known| core::ptr::fn_addr_eq(*known, check)) {
        checks.push(check);
    }
}

/// Stops when the caller of `function` is driver code that should be gone.
#[inline]
pub(crate) fn require_loaded(function: &str) {
    if STATE.load(Ordering::Relaxed) == UNLOADED && stack::in_driver() {
        gone(function);
    }
}

/// Stops when the host calls a driver that should be gone.
#[inline]
pub(crate) fn require_loaded_for_callback() {
    if STATE.load(Ordering::Relaxed) == UNLOADED {
        gone("callback");
    }
}

#[cold]
fn gone(function: &str) -> ! {
    stop(Rule::CALL_AFTER_UNLOAD, function, format_args!("the driver was unloaded"))
}
