//! The machine that the tests of this process share.
//!
//! Leaks are checked when a driver is unloaded, and failing allocations are counted, in the whole
//! process. So every test that uses the machine holds the [`turn`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_host::{Machine, MachineOptions};

use crate::child;

/// Waits until no other test uses the machine.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Boots the machine, which is booted once.
pub(crate) fn boot() -> Machine {
    Machine::boot(options())
}

/// The options with which it is booted. The names of functions are written for perf, except in a
/// child, which exits without removing the file.
pub(crate) fn options() -> MachineOptions {
    let perf_map = std::env::var_os(child::TEST).is_none();
    MachineOptions { perf_map, ..MachineOptions::default() }
}
