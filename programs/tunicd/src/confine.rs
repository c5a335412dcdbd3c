//! What the daemon gives up.

use std::path::Path;

use anyhow::{Context, Result};
use tunic_confinement::capabilities::{self, Capability};
use tunic_confinement::filter::{Action, Program};
use tunic_confinement::memory::{self, Locked};
use tunic_confinement::process;

use crate::log;

/// What interfaces, firewall marks, the buffers of sockets and ports below 1024 need.
const KEPT: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_BIND_SERVICE];

/// Does without core dumps, swap, new privileges, and all capabilities but those that are needed.
/// Call it before the process starts threads. `driver` is the driver's image, if it is one.
pub fn at_start(driver: Option<&Path>) -> Result<()> {
    let mut kept = KEPT.to_vec();
    match memory::lock() {
        Ok(Locked::WithoutLimit) => {}
        Ok(Locked::ByCapability) => kept.push(Capability::CAP_IPC_LOCK),
        Err(error) => {
            log::error(format_args!("keys may be written to swap: {error}"));
        }
    }
    // The driver's image may lie in a folder of another user.
    if driver.is_some_and(capabilities::are_needed_for) {
        kept.push(Capability::CAP_DAC_READ_SEARCH);
    }
    capabilities::keep(&kept)?;
    process::forbid_new_privileges()?;
    process::hide_memory()
}

/// Does without the system calls that the daemon does not use, once the driver is loaded.
///
/// # Errors
///
/// When the kernel has no filters. An administrator may rely on the filter: only the option does
/// without one.
pub fn after_start(action: Action) -> Result<()> {
    Program::Tunicd.filter(action).context("--seccomp off does without a filter")
}
