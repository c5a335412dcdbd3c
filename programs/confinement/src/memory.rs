//! Memory that is never written to swap.

use std::io;

use caps::{CapSet, Capability};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};

/// How the memory is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// No limit applies: no capability is needed any more.
    WithoutLimit,
    /// CAP_IPC_LOCK overrides the limit, so that the process must keep it.
    ByCapability,
}

/// Locks the memory that the process has and will have. Pages are locked when they are first used,
/// so that address space which is only reserved takes no memory.
///
/// # Errors
///
/// When the process is not permitted to lock memory without a limit. A limit would make later
/// allocations fail, so that nothing is locked then.
pub fn lock() -> io::Result<Locked> {
    let limit = Resource::RLIMIT_MEMLOCK;
    let (soft, hard) = getrlimit(limit)?;
    if hard == RLIM_INFINITY || setrlimit(limit, RLIM_INFINITY, RLIM_INFINITY).is_ok() {
        setrlimit(limit, RLIM_INFINITY, RLIM_INFINITY)?;
        lock_all()?;
        return Ok(Locked::WithoutLimit);
    }
    if !caps::has_cap(None, CapSet::Effective, Capability::CAP_IPC_LOCK).unwrap_or(false) {
        return Err(io::Error::other(format!(
            "RLIMIT_MEMLOCK is {hard} bytes, and the process has neither CAP_IPC_LOCK nor \
             CAP_SYS_RESOURCE"
        )));
    }
    // In a user namespace the process may have the capability, and the limit applies all the same:
    // with a limit of 0 only the effective capability helps.
    setrlimit(limit, 0, hard)?;
    let locked = lock_all();
    setrlimit(limit, soft, hard)?;
    locked.map(|()| Locked::ByCapability)
}

fn lock_all() -> io::Result<()> {
    // MCL_ONFAULT, since Linux 4.4, is not among nix's flags.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault)?;
    Ok(())
}
