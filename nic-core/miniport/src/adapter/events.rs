//! What an adapter has to tell: its log, and events for those who read them.

use core::fmt;

use nt::irp::Irp;
use nt::{Result, Status};
use tunic_ioctl::native::reply::{self, EventInfo};
use tunic_ioctl::wireguard_nt;

use super::{Adapter, AdapterProtocol};
use crate::log::{Level, Line};
use crate::ring::Record;
use crate::time;

/// An event as it is read.
pub(crate) type EventRecord = EventInfo;

/// Bytes of WireGuardNT's log entry.
const LOG_ENTRY_BYTES: usize = 128;

/// More than any event record has.
const EVENT_BYTES: usize = 512;

/// Writes a line.
pub(crate) fn log<P: AdapterProtocol>(
    adapter: &Adapter<P>,
    level: Level,
    text: fmt::Arguments<'_>,
) {
    adapter.log.push(Line::new(time::filetime(time::now().unix), level, text));
}

impl Record for Line {
    const MAX_ENTRIES: usize = 64;

    /// Answers WireGuardNT's READ_LOG_LINE.
    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let mut entry = [0; LOG_ENTRY_BYTES];
        if !wireguard_nt::encode_log_entry(self.filetime, self.as_bytes(), &mut entry) {
            return Err(Status::BUFFER_TOO_SMALL);
        }
        irp.write_output(&entry)?;
        Ok(entry.len())
    }
}

impl Record for EventRecord {
    const MAX_ENTRIES: usize = 64;

    /// Answers the native ABI's READ_EVENT.
    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let mut record = [0; EVENT_BYTES];
        let bytes = reply::event(self, &mut record).ok_or(Status::BUFFER_TOO_SMALL)?;
        irp.write_output(record.get(..bytes).unwrap_or_default())?;
        Ok(bytes)
    }
}
