//! Signals of both programs.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, Signal};

/// Receives signals. Returns false if it has not taken the signal and takes no more.
type Receiver = Box<dyn FnMut(Signal) -> bool + Send>;

/// The handled signals. Create it before any thread starts: threads inherit the mask.
///
/// Signals that arrive while nobody receives, as while a configuration is read again, are kept.
pub struct Signals {
    set: SigSet,
    shared: Arc<Mutex<Shared>>,
    is_waiting: bool,
}

#[derive(Default)]
struct Shared {
    receiver: Option<Receiver>,
    kept: Vec<Signal>,
}

impl Signals {
    /// Blocks the signals, so that they do not end the program.
    pub fn block() -> nix::Result<Self> {
        let mut set = SigSet::empty();
        set.extend([Signal::SIGINT, Signal::SIGTERM]);
        set.extend([Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2]);
        set.thread_block()?;
        Ok(Self { set, shared: Arc::default(), is_waiting: false })
    }

    /// Whether a signal is handled.
    pub fn contains(&self, signal: Signal) -> bool {
        self.set.contains(signal)
    }

    /// Passes signals to another receiver from now on, those that were kept first.
    pub(crate) fn forward(&mut self, to: impl FnMut(Signal) -> bool + Send + 'static) {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.receiver = Some(Box::new(to));
        for signal in std::mem::take(&mut shared.kept) {
            shared.pass(signal);
        }
        drop(shared);
        if std::mem::replace(&mut self.is_waiting, true) {
            return;
        }
        let (set, shared) = (self.set, self.shared.clone());
        thread::spawn(move || {
            while let Ok(signal) = set.wait() {
                shared.lock().unwrap_or_else(PoisonError::into_inner).pass(signal);
            }
        });
    }
}

impl Shared {
    fn pass(&mut self, signal: Signal) {
        let is_taken = self.receiver.as_mut().is_some_and(|receiver| receiver(signal));
        if !is_taken {
            self.receiver = None;
            self.kept.push(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_kept_until_someone_receives() {
        let mut shared = Shared::default();
        shared.pass(Signal::SIGHUP);
        let taken = Arc::new(Mutex::new(Vec::new()));
        let into = taken.clone();
        shared.receiver = Some(Box::new(move |signal| {
            into.lock().unwrap().push(signal);
            signal != Signal::SIGINT
        }));
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1] {
            shared.pass(signal);
        }
        assert_eq!(*taken.lock().unwrap(), [Signal::SIGTERM, Signal::SIGINT]);
        assert_eq!(shared.kept, [Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1]);
    }
}
