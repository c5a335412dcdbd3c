//! The signals that end the daemon, received synchronously.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// SIGINT, SIGTERM and SIGHUP, blocked in this thread and in the threads that it starts later.
pub struct Signals(SigSet);

impl Signals {
    /// Blocks the signals. Must be called before other threads exist.
    pub fn block() -> io::Result<Self> {
        let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for one of the signals.
    pub fn wait(&self) -> io::Result<i32> {
        Ok(self.0.wait()? as i32)
    }
}
