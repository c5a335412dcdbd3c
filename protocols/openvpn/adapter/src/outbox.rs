//! Control datagrams on their way down, in the order of their requests. A request is done as soon
//! as its datagram is copied; where too many are on their way already, it waits for its turn.

use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use nt::Result;
use nt::irp::{FileId, Irp, IrpQueue};
use nt::lock::SpinMutex;

/// The most datagrams that are on their way.
const MAX_IN_FLIGHT: usize = 64;

/// What is on its way, and the requests that wait.
pub(crate) struct Outbox {
    in_flight: AtomicUsize,
    pub(crate) waiting: IrpQueue,
    /// Somebody sends what waits, and will look again.
    pub(crate) is_sending: SpinMutex<bool>,
    pub(crate) is_closed: AtomicBool,
    pub(crate) sent: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Outbox {
    /// Nothing on its way.
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

    /// Cancels the requests of a file that is closed.
    pub(crate) fn cancel_of(&self, file: FileId) {
        self.waiting.cancel_of(file);
    }

    /// Cancels all requests that wait.
    pub(crate) fn clear(&self) {
        self.waiting.cancel_all();
    }

    /// Cancels all requests, from now on, too.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// How many datagrams were sent.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// How many datagrams could not be sent.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Counts one more on its way. False where there are too many.
    pub(crate) fn reserve(&self) -> bool {
        let one_more = |in_flight: usize| (in_flight < MAX_IN_FLIGHT).then(|| in_flight + 1);
        self.in_flight.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
    }

    /// The oldest request that waits, where there is room for its datagram, which is counted.
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

    /// Counts one less. True where requests may wait for that.
    pub(crate) fn release(&self) -> bool {
        self.in_flight.fetch_sub(1, Ordering::SeqCst) >= MAX_IN_FLIGHT
    }
}
