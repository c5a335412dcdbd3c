//! The log of an adapter, for WireGuardNT's READ_LOG_LINE.

use core::fmt::{self, Write};

use nic_miniport::ring::Record;
use nic_miniport::time;
use nt::irp::{Dispatched, Irp};
use nt::{Result, Shared, Status};
use tunic_ioctl::wireguard_nt;

use crate::Adapter;

/// Bytes of WireGuardNT's log entry.
const LOG_ENTRY_BYTES: usize = 128;

/// The longest line, in bytes: the room of WireGuardNT's log entry, less its NUL.
const LINE_BYTES: usize = 119;

/// The severity of a line: its first character, as in WireGuardNT.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Something failed.
    Error,
    /// Something is wrong, and the adapter continues.
    Warning,
    /// Something happened.
    Information,
}

/// A line of the log.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    /// The time, in 100 ns units since 1601-01-01 UTC.
    pub(crate) filetime: u64,
    text: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    /// Formats a line, and truncates it if it is too long.
    pub(crate) fn new(filetime: u64, level: Level, text: fmt::Arguments<'_>) -> Self {
        let mut line = Self { filetime, text: [0; LINE_BYTES], length: 0 };
        let level = match level {
            Level::Error => '1',
            Level::Warning => '2',
            Level::Information => '3',
        };
        // The formatter reports a truncated line as an error; it is not one here.
        let _ = line.write_char(level).and_then(|()| line.write_fmt(text));
        line
    }

    /// The text with its level.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}

impl Record for Line {
    const MAX_ENTRIES: usize = 64;

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let mut entry = [0; LOG_ENTRY_BYTES];
        if !wireguard_nt::encode_log_entry(self.filetime, self.as_bytes(), &mut entry) {
            return Err(Status::BUFFER_TOO_SMALL);
        }
        irp.write_output(&entry)?;
        Ok(entry.len())
    }
}

/// Writes a line.
pub(crate) fn write(adapter: &Shared<Adapter>, level: Level, text: fmt::Arguments<'_>) {
    adapter.extension.log.push(Line::new(time::filetime(time::now().unix), level, text));
}

/// Completes a request with a line, or pends it until there is one.
pub(crate) fn read(adapter: &Shared<Adapter>, irp: Irp) -> Dispatched {
    if irp.output_bytes() < LOG_ENTRY_BYTES {
        return irp.complete(Status::BUFFER_TOO_SMALL, 0);
    }
    adapter.extension.log.read(irp)
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
