//! What a process does without from its start on.

use anyhow::{Context, Result};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};

/// Forbids core dumps, and hides the process's memory from other processes of its user.
///
/// A change of the user or of capabilities undoes the latter: call it again after one.
pub fn hide_memory() -> Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).context("RLIMIT_CORE")?;
    prctl::set_dumpable(false).context("PR_SET_DUMPABLE")
}

/// Forbids this thread, and the threads and programs that it starts, privileges that it does not
/// have: setuid and file capabilities are without effect.
pub fn forbid_new_privileges() -> Result<()> {
    prctl::set_no_new_privs().context("PR_SET_NO_NEW_PRIVS")
}
