//! What an adapter has to tell: lines of text, and events. Each is kept in a short ring until somebody reads it; who reads when there is
//! nothing waits.

use alloc::collections::VecDeque;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use nt::irp::{Dispatched, FileId, Irp, IrpQueue};
use nt::lock::SpinMutex;
use nt::{Result, Status};

/// The most records that are kept; a new one takes the place of the oldest.
const KEPT: usize = 64;

/// The longest line, in bytes: the room of WireGuardNT's log entry, less its NUL.
const LINE_BYTES: usize = 119;

/// How grave a line is; its first character, as WireGuardNT has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Something failed.
    Error,
    /// Something is wrong.
    Warning,
    /// Something happened.
    Information,
}

/// A line of the log.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// When, in 100 ns since 1601-01-01 UTC.
    pub(crate) filetime: u64,
    text: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    /// Formats a line, and cuts it where it is too long.
    pub(crate) fn new(filetime: u64, level: Level, text: fmt::Arguments<'_>) -> Self {
        let mut line = Self { filetime, text: [0; LINE_BYTES], length: 0 };
        let level = match level {
            Level::Error => '1',
            Level::Warning => '2',
            Level::Information => '3',
        };
        // A line that is cut is an error to the formatter, and right to us.
        let _ = line.write_char(level).and_then(|()| line.write_fmt(text));
        line
    }

    /// The text with its level.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE_BYTES.saturating_sub(self.length);
        let fitting = text.as_bytes().get(..room.min(text.len())).unwrap_or_default();
        let end = self.length.saturating_add(fitting.len());
        self.text.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(fitting);
        self.length = end;
        if fitting.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// A ring of records, and the requests that wait for one.
pub(crate) struct Ring<T> {
    records: SpinMutex<VecDeque<T>>,
    waiting: IrpQueue,
    is_closed: AtomicBool,
    /// Writes a record into a request's output; says how many bytes.
    encode: fn(&T, &mut Irp) -> Result<usize>,
}

impl<T> Ring<T> {
    /// An empty ring.
    pub(crate) fn new(encode: fn(&T, &mut Irp) -> Result<usize>) -> Result<Self> {
        let mut records = VecDeque::new();
        records.try_reserve_exact(KEPT).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        Ok(Self {
            records: SpinMutex::new(records),
            waiting: IrpQueue::new()?,
            is_closed: AtomicBool::new(false),
            encode,
        })
    }

    /// Adds a record.
    pub(crate) fn push(&self, record: T) {
        let mut records = self.records.lock();
        let oldest = if records.len() >= KEPT { records.pop_front() } else { None };
        records.push_back(record);
        drop(records);
        drop(oldest);
        self.deliver();
    }

    /// Completes a request with the oldest record, now or when there is one.
    pub(crate) fn read(&self, irp: Irp) -> Dispatched {
        let dispatched = self.waiting.push(irp);
        self.deliver();
        // Looked at after the push: `close` cancels what came before it, and this what came after.
        if self.is_closed.load(Ordering::SeqCst) {
            self.waiting.cancel_all();
        }
        dispatched
    }

    /// Cancels the requests of a file that is closed.
    pub(crate) fn cancel_of(&self, file: FileId) {
        self.waiting.cancel_of(file);
    }

    /// Cancels all requests, from now on, too.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.waiting.cancel_all();
    }

    /// Brings records and requests together while there are both.
    fn deliver(&self) {
        loop {
            let mut records = self.records.lock();
            if records.is_empty() {
                return;
            }
            let Some(mut irp) = self.waiting.pop() else { return };
            let record = records.pop_front();
            drop(records);
            let Some(record) = record else { return };
            let _ = match (self.encode)(&record, &mut irp) {
                Ok(bytes) => irp.complete(Status::SUCCESS, bytes),
                Err(status) => irp.complete(status, 0),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_BYTES, Level, Line};

    #[test]
    fn a_line_begins_with_its_level() {
        let line = Line::new(7, Level::Warning, format_args!("peer {}", 5));
        assert_eq!((line.filetime, line.as_bytes()), (7, &b"2peer 5"[..]));
    }

    #[test]
    fn a_long_line_is_cut() {
        let line = Line::new(0, Level::Information, format_args!("{:0>500}", 1));
        assert_eq!(line.as_bytes().len(), LINE_BYTES);
        assert!(line.as_bytes().starts_with(b"3000"));
    }
}
