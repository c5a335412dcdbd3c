//! What an adapter has to tell: log lines, events, datagrams for userspace. Each is kept until
//! somebody reads it; who reads when there is nothing waits.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nic_memory::Queue;
use nt::irp::{Dispatched, FileId, Irp, IrpQueue};
use nt::lock::SpinMutex;
use nt::{Result, Status};

/// What a ring keeps.
pub trait Record: Send {
    /// How many records are kept at most; a new one takes the place of the oldest.
    const MAX_ENTRIES: usize;
    /// How many bytes of [`Record::bytes`] they have at most.
    const MAX_BYTES: usize = usize::MAX;

    /// What it counts for, in bytes.
    fn bytes(&self) -> usize {
        0
    }

    /// Writes it as the answer to a request; says how many bytes that has. Where it fails, the
    /// record is lost.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    fn answer(&self, irp: &mut Irp) -> Result<usize>;
}

/// Records, and the requests that wait for one.
pub struct Ring<T: Record> {
    records: SpinMutex<Records<T>>,
    waiting: IrpQueue,
    is_closed: AtomicBool,
    /// Records that nobody read.
    lost: AtomicU64,
}

struct Records<T> {
    queue: Queue<T>,
    bytes: usize,
    /// Somebody ends requests with records, and will look again.
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

    /// Adds a record. Without memory it is lost; without room the oldest are. Says how many were
    /// lost.
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
            // Dropped here, under no lock.
            match dropped {
                Some(_) => lost += 1,
                None => break,
            }
        }
        self.lost.fetch_add(lost, Ordering::Relaxed);
        self.deliver();
        lost
    }

    /// Completes a request with the oldest record, now or when there is one.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn read(&self, irp: Irp) -> Dispatched {
        let dispatched = self.waiting.push(irp);
        // Looked at after the push, as whoever adds a record looks for requests after that: one of
        // the two sees both.
        self.deliver();
        if self.is_closed.load(Ordering::SeqCst) {
            self.waiting.cancel_all();
        }
        dispatched
    }

    /// Ends one of the requests that wait. False where none does.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn fail_one(&self, status: Status) -> bool {
        let waiting = self.waiting.pop();
        waiting.map(|irp| irp.complete(status, 0)).is_some()
    }

    /// How many records were lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Cancels the requests of a file that is closed.
    pub fn cancel_of(&self, file: FileId) {
        self.waiting.cancel_of(file);
    }

    /// Forgets all records.
    pub fn forget(&self) {
        let mut records = self.records.lock();
        let queue = core::mem::take(&mut records.queue);
        records.bytes = 0;
        drop(records);
        // Dropped here, under no lock.
        drop(queue);
    }

    /// Forgets all records, and cancels all requests that wait.
    pub fn clear(&self) {
        self.forget();
        self.waiting.cancel_all();
    }

    /// Cancels all requests, from now on, too.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// Brings records and requests together while there are both. One thread at a time does, so
    /// that requests end in the order of their records; what others bring meanwhile, it finds.
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

    /// Ends a request with a record.
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
    /// Takes the oldest record where a new one would not fit.
    fn make_room(&mut self, new: Option<&T>) -> Option<T> {
        let bytes = self.bytes.saturating_add(new?.bytes());
        if self.queue.len() >= T::MAX_ENTRIES || bytes > T::MAX_BYTES { self.pop() } else { None }
    }

    /// Adds a record; gives it back where there is no memory.
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
