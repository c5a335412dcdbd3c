//! The sending side of an adapter: its buffers, its counters and its log of completions.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nt_sys::ndis::NDIS_STATUS;

use super::send_pool::SendPool;
use super::tuning::Tuning;

/// The sending side of an adapter.
pub(super) struct SendState {
    pub(super) pool: SendPool,
    pub(super) outstanding: AtomicUsize,
    /// Calls of MiniportSendNetBufferLists that have not returned.
    pub(super) in_progress: AtomicUsize,
    /// Whether the edge found no free object.
    pub(super) wants_room: AtomicBool,
    pub(super) calls: AtomicUsize,
    pub(super) sent_packets: AtomicU64,
    pub(super) failed_packets: AtomicU64,
    pub(super) discarded_packets: AtomicU64,
    pub(super) log: CompletionLog,
}

/// A completed send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// `NET_BUFFER_LIST::Status`
    pub status: NDIS_STATUS,
    /// Length of the packet.
    pub bytes: u32,
    /// The number of the call of NdisMSendNetBufferListsComplete, from 0.
    pub call: u64,
}

/// A log of completed sends.
pub struct CompletionLog {
    pub(super) is_on: bool,
    pub(super) calls: AtomicU64,
    pub(super) completions: Mutex<Vec<Completion>>,
}

impl CompletionLog {
    /// Takes the entries since the last call.
    pub fn take(&self) -> Vec<Completion> {
        std::mem::take(&mut *self.completions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SendState {
    pub(super) fn new(tuning: &Tuning) -> Self {
        Self {
            pool: SendPool::new(tuning.outstanding_packets),
            outstanding: AtomicUsize::new(0),
            in_progress: AtomicUsize::new(0),
            wants_room: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            sent_packets: AtomicU64::new(0),
            failed_packets: AtomicU64::new(0),
            discarded_packets: AtomicU64::new(0),
            log: CompletionLog {
                is_on: tuning.log_completions,
                calls: AtomicU64::new(0),
                completions: Mutex::new(Vec::new()),
            },
        }
    }

    /// The number of packets that the miniport has.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    pub(super) fn in_progress(&self) -> usize {
        self.in_progress.load(Ordering::SeqCst)
    }

    /// Stops if a completed list was accessed.
    pub(super) fn check(&self) {
        self.pool.check();
    }

    /// Releases memory, when all sends are completed.
    pub(super) fn release(&self) {
        self.pool.release();
    }
}
