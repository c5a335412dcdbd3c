//! Reports events of peers in the adapter's log and as events of the native ABI.

use core::fmt;

use nic_engine::protocol::Event;
use nic_miniport::adapter::Sink;
use nic_miniport::time;
use nt::Shared;
use tunic_ioctl::native::reply::{EventInfo, EventKind};

use crate::Adapter;
use crate::log::{Level, Line};

/// Queues an event and writes a log line for it.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's state lock and the engine's control lock. None may be held.
pub(super) fn report(adapter: &Shared<Adapter>, event: Event) {
    let (peer, kind) = match event {
        Event::HandshakeCompleted(peer) => (peer, EventKind::HandshakeCompleted),
        Event::HandshakeAbandoned(peer) => (peer, EventKind::HandshakeAbandoned),
        Event::EndpointMoved(peer) => (peer, EventKind::EndpointMoved),
        // Events of protocols with the handshake in userspace.
        _ => return,
    };
    let now = time::now();
    let mut sink = Sink::new(adapter);
    let public_key =
        adapter.nic.configure(now, &mut sink, |configuration| configuration.name(peer).copied());
    // The peer is removed already.
    let Some(public_key) = public_key else { return };
    let endpoint = adapter.nic.endpoint(peer).map(|endpoint| endpoint.remote);
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
        _ => return,
    };
    adapter.extension.log.push(line);
    adapter.push_event(EventInfo {
        adapter: adapter.id,
        sequence: adapter.next_event(),
        time_filetime: filetime,
        kind,
        public_key,
        endpoint,
    });
}

/// Displays the first bytes of a public key, to tell peers apart.
struct ShortKey<'a>(&'a [u8; 32]);

impl fmt::Display for ShortKey<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
