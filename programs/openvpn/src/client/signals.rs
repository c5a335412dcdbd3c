//! Signals.

use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// The set of handled signals. Create it before any thread starts: threads inherit the mask.
pub struct Signals(SigSet);

impl Signals {
    /// Blocks the signals, so that they do not end the program.
    pub fn block() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        set.extend([Signal::SIGINT, Signal::SIGTERM]);
        set.extend([Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2]);
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Calls `tell` for each signal on a thread of its own, until it returns false.
    pub(super) fn forward(self, mut tell: impl FnMut(Signal) -> bool + Send + 'static) {
        thread::spawn(move || {
            while let Ok(signal) = self.0.wait() {
                if !tell(signal) {
                    return;
                }
            }
        });
    }
}
