//! Requests of a socket that wait for room in Linux's socket buffer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::address::Address;
use super::ancillary::AncillaryData;
use super::datagram::Datagrams;
use super::request::Request;

/// The send requests of a socket.
#[derive(Default)]
pub(super) struct SendQueue {
    waiting: Mutex<Waiting>,
    pub(super) changed: Condvar,
    /// The number of requests in `waiting`, plus the one that the thread is sending. Later requests
    /// must queue behind them.
    pub(super) queued: AtomicUsize,
    /// `UDP_SEND_MSG_SIZE`; 0 for none.
    pub(super) segment_bytes: AtomicU32,
    /// 1 plus the segment size from which on Linux refuses to segment; 0 if it has not refused.
    uncut_from: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) requests: VecDeque<Box<Waiter>>,
    pub(super) has_thread: bool,
    pub(super) destination: Option<Address>,
}

/// A request that waits for room in the socket buffer.
pub(super) struct Waiter {
    pub(super) request: Request,
    pub(super) datagrams: Datagrams,
    pub(super) transmission: Transmission,
}

impl SendQueue {
    /// Sets the destination of requests without one.
    pub(super) fn set_destination(&self, address: Address) {
        self.waiting().destination = Some(address);
    }

    /// Notifies the thread that the socket is being closed.
    pub(super) fn wake(&self) {
        // Takes the lock, so that the thread is not between its check and its wait.
        drop(self.waiting());
        self.changed.notify_all();
    }

    pub(super) fn uncut_bytes(&self) -> usize {
        match self.uncut_from.load(Ordering::Relaxed) {
            0 => usize::MAX,
            more => more - 1,
        }
    }

    pub(super) fn refuse_cutting(&self, from_bytes: usize) {
        let from = from_bytes.min(self.uncut_bytes());
        self.uncut_from.store(from + 1, Ordering::Relaxed);
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The progress of one request.
pub(super) struct Transmission {
    pub(super) remote: Address,
    pub(super) control: AncillaryData,
    /// The index of the first datagram that is not sent.
    pub(super) next: usize,
    /// The number of bytes sent.
    pub(super) bytes: usize,
    /// Datagrams before this index are sent without segmentation, which Linux refused.
    pub(super) single_until: usize,
    /// The segment size that was refused.
    pub(super) refused_bytes: Option<usize>,
    pub(super) icmp_retries: usize,
}
