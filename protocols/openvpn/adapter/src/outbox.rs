//! Control datagrams that userspace sends, in the order of their requests. A request is completed
//! when its datagram is copied and handed to WSK. With too many sends in flight, requests pend.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use nt::Result;
use nt::irp::{Irp, IrpQueue, Origin};
use nt::lock::SpinMutex;

/// The maximum number of sends in flight.
const MAX_IN_FLIGHT: usize = 64;

/// The sends in flight, and the pending requests.
pub(crate) struct Outbox {
    in_flight: AtomicUsize,
    pub(crate) waiting: IrpQueue,
    /// A thread is sending for pending requests, and checks again before it stops.
    pub(crate) is_sending: SpinMutex<bool>,
    pub(crate) is_closed: AtomicBool,
    pub(crate) sent: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Outbox {
    /// No sends and no requests.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            in_flight: AtomicUsize::new(0),
            waiting: IrpQueue::new()?,
            is_sending: SpinMutex::new(false),
            is_closed: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    /// Cancels the pending requests of a file, or of a device.
    pub(crate) fn cancel_of(&self, origin: Origin) {
        self.waiting.cancel_of(origin);
    }

    /// Cancels all pending requests.
    pub(crate) fn clear(&self) {
        self.waiting.cancel_all();
    }

    /// Cancels all pending requests, and every later one.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// The number of sent datagrams.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The number of datagrams that could not be sent.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Reserves a send. Returns false if too many are in flight.
    pub(crate) fn reserve(&self) -> bool {
        let one_more = |in_flight: usize| (in_flight < MAX_IN_FLIGHT).then(|| in_flight + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// Removes the oldest pending request and reserves its send, if there is room.
    pub(crate) fn next(&self) -> Option<Irp> {
        if !self.reserve() {
            return None;
        }
        let irp = self.waiting.pop();
        if irp.is_none() {
            self.release();
        }
        irp
    }

    /// Releases a send. Returns true if requests may be pending for it.
    pub(crate) fn release(&self) -> bool {
        self.in_flight.fetch_sub(1, Ordering::SeqCst) >= MAX_IN_FLIGHT
    }
}
