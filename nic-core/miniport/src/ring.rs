//! A bounded queue of records for userspace (log lines, events, datagrams), and the read requests
//! that are pending on it.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nic_memory::Queue;
use nt::irp::{Dispatched, Irp, IrpQueue, Origin};
use nt::lock::SpinMutex;
use nt::{Result, Status};

/// A record of a ring.
pub trait Record: Send {
    /// The maximum number of records. A new record replaces the oldest.
    const MAX_ENTRIES: usize;
    /// The maximum of the sum of [`Record::bytes`].
    const MAX_BYTES: usize = usize::MAX;

    /// The bytes that the record counts as.
    fn bytes(&self) -> usize {
        0
    }

    /// Writes the record as the answer to a request, and returns the answer's length. If that
    /// fails, the record is lost.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn answer(&self, irp: &mut Irp) -> Result<usize>;
}

/// Records, and pending requests for one.
pub struct Ring<T: Record> {
    records: SpinMutex<Records<T>>,
    waiting: IrpQueue,
    is_closed: AtomicBool,
    /// Records that were dropped unread.
    lost: AtomicU64,
}

struct Records<T> {
    queue: Queue<T>,
    bytes: usize,
    /// A thread is completing requests, and checks again before it stops.
    is_delivering: bool,
}

impl<T: Record> Ring<T> {
    /// An empty ring.
    pub fn new() -> Result<Self> {
        Ok(Self {
            records: SpinMutex::new(Records {
                queue: Queue::new(),
                bytes: 0,
                is_delivering: false,
            }),
            waiting: IrpQueue::new()?,
            is_closed: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        })
    }

    /// Adds a record. The record is lost if there is no memory; the oldest records are lost if
    /// there is no room. Returns how many were lost.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn push(&self, record: T) -> u64 {
        let mut record = Some(record);
        let mut lost = 0;
        loop {
            let mut records = self.records.lock();
            let dropped = records.make_room(record.as_ref()).or_else(|| records.push(&mut record));
            drop(records);
            // Dropped after the lock is released.
            match dropped {
                Some(_) => lost += 1,
                None => break,
            }
        }
        self.lost.fetch_add(lost, Ordering::Relaxed);
        self.deliver();
        lost
    }

    /// Completes a request with the oldest record, or pends it until there is one.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn read(&self, irp: Irp) -> Dispatched {
        let dispatched = self.waiting.push(irp);
        // Checked after the request is queued. `push` checks for requests after it has queued its
        // record, so one of the two sees both.
        self.deliver();
        if self.is_closed.load(Ordering::SeqCst) {
            self.waiting.cancel_all();
        }
        dispatched
    }

    /// Completes the oldest pending request with an error. Returns false if none is pending.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn fail_one(&self, status: Status) -> bool {
        let waiting = self.waiting.pop();
        waiting.map(|irp| irp.complete(status, 0)).is_some()
    }

    /// The number of lost records.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Cancels the pending requests of a file, or of a device.
    pub fn cancel_of(&self, origin: Origin) {
        self.waiting.cancel_of(origin);
    }

    /// Drops all records.
    pub fn forget(&self) {
        let mut records = self.records.lock();
        let queue = core::mem::take(&mut records.queue);
        records.bytes = 0;
        drop(records);
        // Dropped after the lock is released.
        drop(queue);
    }

    /// Drops all records, and cancels all pending requests.
    pub fn clear(&self) {
        self.forget();
        self.waiting.cancel_all();
    }

    /// Cancels all pending requests, and every later one.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// Completes requests while there are both requests and records. One thread at a time does so,
    /// which keeps completions in the order of records; it also handles what other threads add.
    fn deliver(&self) {
        let mut records = self.records.lock();
        if core::mem::replace(&mut records.is_delivering, true) {
            return;
        }
        while !records.queue.is_empty()
            && let Some(irp) = self.waiting.pop()
        {
            let record = records.pop();
            drop(records);
            if let Some(record) = record {
                self.end(irp, &record);
            }
            records = self.records.lock();
        }
        records.is_delivering = false;
    }

    /// Completes a request with a record.
    fn end(&self, mut irp: Irp, record: &T) {
        let _ = match record.answer(&mut irp) {
            Ok(bytes) => irp.complete(Status::SUCCESS, bytes),
            Err(status) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
                irp.complete(status, 0)
            }
        };
    }
}

impl<T: Record> Records<T> {
    /// Removes the oldest record if a new one would not fit.
    fn make_room(&mut self, new: Option<&T>) -> Option<T> {
        let bytes = self.bytes.saturating_add(new?.bytes());
        if self.queue.len() >= T::MAX_ENTRIES || bytes > T::MAX_BYTES { self.pop() } else { None }
    }

    /// Adds a record; returns it if there is no memory.
    fn push(&mut self, record: &mut Option<T>) -> Option<T> {
        let new = record.take()?;
        if self.queue.try_reserve(1).is_err() {
            return Some(new);
        }
        let bytes = new.bytes();
        if let Err(new) = self.queue.push_back(new) {
            return Some(new);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        None
    }

    fn pop(&mut self) -> Option<T> {
        let record = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(record.bytes());
        Some(record)
    }
}
