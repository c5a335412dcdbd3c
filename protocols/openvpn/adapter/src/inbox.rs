//! Control datagrams on their way up: each goes to a request that waits for it, or waits for one.

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use nic_engine::Instant;
use nic_engine::protocol::Discard;
use nt::irp::{Irp, RequestKind};
use nt::lock::SpinMutex;
use nt::pool::PoolBytes;
use nt::wsk::Datagram;
use nt::{Result, Shared, Status};
use tunic_ioctl::AdapterId;
use tunic_ioctl::data_channel::{ControlDatagram, MAX_CONTROL_BYTES};
use tunic_ioctl::native::channel;
use tunic_ioctl::ovpn_dco;

use super::Adapter;
use super::link::canonical;
use nic_miniport::ring::{Record, Ring};
use nic_miniport::time;

/// How soon another read is looked for by which to tell that the peer is gone.
const RETRY: Duration = Duration::from_secs(1);

/// Datagrams that wait to be read, and from whom they may come.
pub(super) struct Inbox {
    pub(super) ring: Ring<Received>,
    sources: SpinMutex<Sources>,
    received: AtomicU64,
}

/// From whom datagrams are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sources {
    /// There is no peer.
    Nobody,
    /// From the only peer of point-to-point mode.
    Only(SocketAddr),
    /// Multi-peer mode: each is told with its source.
    Anybody,
}

/// A datagram.
pub(super) struct Received {
    adapter: AdapterId,
    /// `None` for the only peer of point-to-point mode.
    from: Option<SocketAddr>,
    data: PoolBytes,
}

impl Inbox {
    /// Takes datagrams from nobody.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            ring: Ring::new()?,
            sources: SpinMutex::new(Sources::Nobody),
            received: AtomicU64::new(0),
        })
    }

    /// Takes datagrams from others than before.
    pub(super) fn accept(&self, sources: Sources) {
        *self.sources.lock() = sources;
    }

    /// From whom datagrams are taken.
    pub(super) fn sources(&self) -> Sources {
        *self.sources.lock()
    }

    /// How many datagrams were received.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Takes a datagram from a socket.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub(super) fn receive(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
    let length = datagram.len();
    let Some(from) = datagram.remote().filter(|_| (1..=MAX_CONTROL_BYTES).contains(&length)) else {
        adapter.nic.count(Discard::Malformed, 1);
        return;
    };
    let Some(sender) = accepted(adapter, from) else {
        return adapter.nic.count(Discard::ForeignControl, 1);
    };
    let Ok(mut data) = PoolBytes::zeroed(length) else {
        return adapter.nic.count(Discard::NoMemory, 1);
    };
    if datagram.copy_to(&mut data).is_ok() {
        push(adapter, sender, data);
    }
}

/// Takes a datagram that the protocol has looked at. False where there is no memory for it.
pub(super) fn hand_up(adapter: &Shared<Adapter>, from: SocketAddr, datagram: &[u8]) -> bool {
    let Some(sender) = accepted(adapter, from) else { return true };
    let Ok(mut data) = PoolBytes::zeroed(datagram.len()) else { return false };
    data.copy_from_slice(datagram);
    push(adapter, sender, data);
    true
}

/// Who it is told to be from; the outer `None` where it is from nobody that counts.
fn accepted(adapter: &Shared<Adapter>, from: SocketAddr) -> Option<Option<SocketAddr>> {
    match adapter.extension.inbox.sources() {
        Sources::Anybody => Some(Some(canonical(from))),
        Sources::Only(peer) if is_same_address(&peer, &canonical(from)) => Some(None),
        Sources::Only(_) | Sources::Nobody => None,
    }
}

fn push(adapter: &Shared<Adapter>, from: Option<SocketAddr>, data: PoolBytes) {
    adapter.extension.inbox.received.fetch_add(1, Ordering::Relaxed);
    let lost = adapter.extension.inbox.ring.push(Received { adapter: adapter.id, from, data });
    adapter.nic.count(Discard::QueueFull, lost);
}

/// A flow label makes no other address.
fn is_same_address(a: &SocketAddr, b: &SocketAddr) -> bool {
    match (a, b) {
        (SocketAddr::V6(a), SocketAddr::V6(b)) => {
            let scopes = (a.scope_id(), b.scope_id());
            a.ip() == b.ip()
                && a.port() == b.port()
                && (scopes.0 == scopes.1 || scopes.0 == 0 || scopes.1 == 0)
        }
        (a, b) => a == b,
    }
}

/// Tells the adapter's owner that the only peer is gone, by a read that waits. Where none does, it
/// is tried again a second later; says when.
pub(super) fn tell_disconnected(adapter: &Shared<Adapter>) -> Instant {
    let extension = &adapter.extension;
    if !extension.is_disconnected.load(Ordering::Acquire) {
        return Instant::NEVER;
    }
    if extension.inbox.ring.fail_one(Status::CONNECTION_DISCONNECTED) {
        extension.is_disconnected.store(false, Ordering::Release);
        return Instant::NEVER;
    }
    time::instant().after(RETRY)
}

impl Record for Received {
    const MAX_ENTRIES: usize = 1024;
    const MAX_BYTES: usize = 1 << 20;

    fn bytes(&self) -> usize {
        self.data.len()
    }

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        let datagram = ControlDatagram { address: self.from, data: &self.data };
        // An address, or a record's header, and up to seven zeroes behind.
        let mut output = PoolBytes::zeroed(channel::Datagram::SIZE + self.data.len() + 8)?;
        let written = match irp.kind() {
            RequestKind::Read => ovpn_dco::encode_read(&datagram, &mut output),
            _ => channel::encode_datagram(self.adapter, &datagram, &mut output),
        };
        let bytes = written.and_then(|length| output.get(..length));
        let bytes = bytes.ok_or(Status::BUFFER_TOO_SMALL)?;
        irp.write_output(bytes)?;
        Ok(bytes.len())
    }
}
