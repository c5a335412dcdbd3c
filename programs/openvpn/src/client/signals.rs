//! Signals.

use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// The set of handled signals. Create it before any thread starts: threads inherit the mask.
pub struct Signals(SigSet);

impl Signals {
    /// Blocks the signals, so that they do not end the program.
    pub fn block() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1] {
            set.add(signal);
        }
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
