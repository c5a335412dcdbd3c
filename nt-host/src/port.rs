//! Completion ports: where the completions of requests that nobody waits for are collected.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nt_sys::ntdef::NTSTATUS;

/// The result of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The status of the IRP.
    pub status: NTSTATUS,
    /// How many bytes, or what else the driver says.
    pub information: usize,
    /// The output buffer of a device control or a read, whole, as the driver left it.
    pub output: Vec<u8>,
}

/// Where completions go, each with the key under which its request was sent.
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
    /// A request that was refused before its dispatch.
    pub(crate) fn failed(status: NTSTATUS) -> Self {
        Self { status, information: 0, output: Vec::new() }
    }
}

impl CompletionPort {
    /// An empty port.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Waits for the next completion, in the order of their coming; none once the port is closed
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

    /// Ends the waits: what comes later is collected, but not awaited.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
