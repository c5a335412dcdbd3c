//! Completion ports: queues of completed requests.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nt_sys::ntdef::NTSTATUS;
use zeroize::Zeroizing;

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The status of the IRP.
    pub status: NTSTATUS,
    /// `IoStatus.Information`: as a rule the number of bytes.
    pub information: usize,
    /// The whole output buffer of a device control or a read, as the driver left it. It is user
    /// mode's own, which wipes it.
    pub output: Zeroizing<Vec<u8>>,
}

/// A queue of completions. Each has the key with which its request was sent.
#[derive(Debug, Default)]
pub struct CompletionPort {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    arrived: VecDeque<(u64, Completed)>,
    is_closed: bool,
}

impl Completed {
    /// The completion of a request that was refused before its dispatch.
    pub(crate) fn failed(status: NTSTATUS) -> Self {
        Self { status, information: 0, output: Zeroizing::default() }
    }
}

impl CompletionPort {
    /// An empty port.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Waits for the next completion, in the order of arrival. Returns none once the port is closed
    /// and empty.
    #[must_use]
    pub fn wait(&self) -> Option<(u64, Completed)> {
        let mut queue = self
            .changed
            .wait_while(self.lock(), |queue| queue.arrived.is_empty() && !queue.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        queue.arrived.pop_front()
    }

    /// Adds a completion.
    pub fn post(&self, key: u64, completed: Completed) {
        self.lock().arrived.push_back((key, completed));
        self.changed.notify_one();
    }

    /// Closes the port: ends all waits. Later completions are still queued.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
