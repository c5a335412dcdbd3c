//! The signals that end the daemon, as something to wait for.

use std::io;

use nix::sys::signal::{SigSet, Signal};

/// SIGINT, SIGTERM and SIGHUP, blocked in this thread and all that it starts from now on.
pub struct Signals(SigSet);

impl Signals {
    /// Blocks them. To be called before there are other threads.
    pub fn block() -> io::Result<Self> {
        let set = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Waits for one of them.
    pub fn wait(&self) -> io::Result<i32> {
        Ok(self.0.wait()? as i32)
    }
}
