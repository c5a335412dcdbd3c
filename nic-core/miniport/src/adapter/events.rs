//! Events of the native ABI that wait for READ_EVENT.

use nt::irp::Irp;
use nt::{Result, Status};
use tunic_ioctl::native::reply::{self, EventInfo};

use crate::ring::Record;

/// An upper bound of an event record.
const EVENT_BYTES: usize = 512;

impl Record for EventInfo {
    const MAX_ENTRIES: usize = 64;

    /// Writes the answer to READ_EVENT.
    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let mut record = [0; EVENT_BYTES];
        let bytes = reply::event(self, &mut record).ok_or(Status::BUFFER_TOO_SMALL)?;
        irp.write_output(record.get(..bytes).unwrap_or_default())?;
        Ok(bytes)
    }
}
