//! What happened to an adapter's peers, for its log and for those who read events.

use core::fmt;

use nic_engine::protocol::Event;
use nt::irp::Irp;
use nt::{Result, Shared, Status};
use tunic_ioctl::native::reply::{self, EventInfo, EventKind};
use tunic_ioctl::wireguard_nt;

use super::Adapter;
use crate::control_thread::Sink;
use crate::log::{Level, Line};
use crate::time;

/// An event as it is read.
pub(crate) type EventRecord = EventInfo;

/// Bytes of WireGuardNT's log entry.
const LOG_ENTRY_BYTES: usize = 128;

/// More than any event record has.
const EVENT_BYTES: usize = 512;

/// Writes an event and a line for it.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's and the engine's.
pub(crate) fn report(adapter: &Shared<Adapter>, event: Event) {
    let (peer, kind) = match event {
        Event::HandshakeCompleted(peer) => (peer, EventKind::HandshakeCompleted),
        Event::HandshakeAbandoned(peer) => (peer, EventKind::HandshakeAbandoned),
        Event::EndpointMoved(peer) => (peer, EventKind::EndpointMoved),
    };
    let now = time::now();
    let mut sink = Sink::new(adapter);
    let public_key = adapter
        .device
        .configure(now, &mut sink, |configuration| configuration.public_key(peer).copied());
    // Gone already.
    let Some(public_key) = public_key else { return };
    let endpoint = adapter.device.endpoint(peer).map(|endpoint| endpoint.remote);
    let filetime = time::filetime(now.unix);
    let name = ShortKey(&public_key);
    let line = match (event, endpoint) {
        (Event::HandshakeCompleted(_), _) => {
            Line::new(filetime, Level::Information, format_args!("Keys agreed with peer {name}"))
        }
        (Event::HandshakeAbandoned(_), _) => {
            Line::new(filetime, Level::Warning, format_args!("Peer {name} does not answer"))
        }
        (Event::EndpointMoved(_), Some(endpoint)) => Line::new(
            filetime,
            Level::Information,
            format_args!("Peer {name} is at {endpoint} now"),
        ),
        (Event::EndpointMoved(_), None) => return,
    };
    adapter.log.push(line);
    adapter.events.push(EventInfo {
        adapter: adapter.id,
        sequence: adapter.next_event(),
        time_filetime: filetime,
        kind,
        public_key,
        endpoint,
    });
}

/// Writes a line.
pub(super) fn log(adapter: &Adapter, level: Level, text: fmt::Arguments<'_>) {
    adapter.log.push(Line::new(time::filetime(time::now().unix), level, text));
}

/// Answers WireGuardNT's READ_LOG_LINE.
pub(super) fn encode_line(line: &Line, irp: &mut Irp) -> Result<usize> {
    let mut entry = [0; LOG_ENTRY_BYTES];
    if !wireguard_nt::encode_log_entry(line.filetime, line.as_bytes(), &mut entry) {
        return Err(Status::BUFFER_TOO_SMALL);
    }
    irp.write_output(&entry)?;
    Ok(entry.len())
}

/// Answers the native ABI's READ_EVENT.
pub(super) fn encode_event(event: &EventRecord, irp: &mut Irp) -> Result<usize> {
    let mut record = [0; EVENT_BYTES];
    let bytes = reply::event(event, &mut record).ok_or(Status::BUFFER_TOO_SMALL)?;
    irp.write_output(record.get(..bytes).unwrap_or_default())?;
    Ok(bytes)
}

/// The first bytes of a public key: enough to tell peers apart by eye.
struct ShortKey<'a>(&'a [u8; 32]);

impl fmt::Display for ShortKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
