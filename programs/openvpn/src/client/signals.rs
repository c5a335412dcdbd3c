//! What people tell the program by signals.

use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// Signals that are waited for. To be made before any other thread is: those inherit what is
/// blocked.
pub struct Signals(SigSet);

impl Signals {
    /// Keeps the signals from ending the program.
    pub fn block() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1] {
            set.add(signal);
        }
        set.thread_block()?;
        Ok(Self(set))
    }

    /// Tells each signal on a thread of its own, until told to end.
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
