//! Requests of a socket that wait for room in Linux's socket buffer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::address::Address;
use super::ancillary::AncillaryData;
use super::datagram::Datagrams;
use super::request::Request;

/// What a socket sends.
#[derive(Default)]
pub(super) struct SendQueue {
    waiting: Mutex<Waiting>,
    pub(super) changed: Condvar,
    /// Requests in `waiting`, and the one that the socket's thread is at: later ones must queue up
    /// behind.
    pub(super) queued: AtomicUsize,
    /// `UDP_SEND_MSG_SIZE`; 0: none.
    pub(super) segment_bytes: AtomicU32,
    /// 1 more than the length from which on Linux refuses to cut messages; 0: it has not refused.
    uncut_from: AtomicUsize,
}

#[derive(Default)]
pub(super) struct Waiting {
    pub(super) requests: VecDeque<Box<Waiter>>,
    pub(super) has_thread: bool,
    pub(super) destination: Option<Address>,
}

/// A request that waits for room in the socket's buffer.
pub(super) struct Waiter {
    pub(super) request: Request,
    pub(super) datagrams: Datagrams,
    pub(super) transmission: Transmission,
}

impl SendQueue {
    /// Sets the destination of requests that name none.
    pub(super) fn set_destination(&self, address: Address) {
        self.waiting().destination = Some(address);
    }

    /// Lets the thread see that the socket is being closed.
    pub(super) fn wake(&self) {
        // With the lock, so that the thread is not between its look and its wait.
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

/// The sending of one request's datagrams.
pub(super) struct Transmission {
    pub(super) remote: Address,
    pub(super) control: AncillaryData,
    /// The first datagram that is not sent.
    pub(super) next: usize,
    /// Bytes sent.
    pub(super) bytes: usize,
    /// Datagrams before this one are not joined for Linux to cut, which it refused.
    pub(super) single_until: usize,
    /// Why: the length that it refused to cut at.
    pub(super) refused_bytes: Option<usize>,
    pub(super) icmp_retries: usize,
}
