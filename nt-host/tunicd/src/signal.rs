//! The signals that end the daemon, as something to wait for.

use std::io;
use std::mem::MaybeUninit;

/// SIGINT, SIGTERM and SIGHUP, blocked in this thread and all that it starts from now on.
pub struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them. To be called before there are other threads.
    pub fn block() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set that it is given.
        unsafe { libc::sigemptyset(set.as_mut_ptr()) };
        // SAFETY: initialised by sigemptyset, which cannot fail for a valid pointer.
        let mut set = unsafe { set.assume_init() };
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            // SAFETY: `set` is an initialised set.
            unsafe { libc::sigaddset(&raw mut set, signal) };
        }
        // SAFETY: `set` is an initialised set; the old mask is not asked for.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        Ok(Self(set))
    }

    /// Waits for one of them.
    pub fn wait(&self) -> io::Result<i32> {
        let mut signal = 0;
        // SAFETY: the set is initialised, `signal` receives one number.
        match unsafe { libc::sigwait(&raw const self.0, &raw mut signal) } {
            0 => Ok(signal),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}
