//! Receives control datagrams, from the sockets or the engine, into the inbox.

use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;

use nic_engine::protocol::Discard;
use nic_engine::{Instant, canonical};
use nic_miniport::time;
use nt::pool::PoolBytes;
use nt::wsk::Datagram;
use nt::{Shared, Status};
use tunic_ioctl::data_channel::MAX_CONTROL_BYTES;

use crate::address::is_same_address;
use crate::channel::Adapter;
use crate::inbox::{Received, Source, Sources};

/// The interval between attempts to fail a read for a disconnect.
const RETRY: Duration = Duration::from_secs(1);

/// Receives a control datagram from a socket.
///
/// # IRQL
/// `<= DISPATCH_LEVEL`
pub(crate) fn receive(adapter: &Shared<Adapter>, datagram: &Datagram<'_>) {
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

/// Receives a control datagram from the control plane. Returns false if memory runs out.
pub(crate) fn hand_up(adapter: &Shared<Adapter>, from: SocketAddr, datagram: &[u8]) -> bool {
    let Some(sender) = accepted(adapter, from) else { return true };
    let Ok(mut data) = PoolBytes::zeroed(datagram.len()) else { return false };
    data.copy_from_slice(datagram);
    push(adapter, sender, data);
    true
}

/// The source to deliver with the datagram; the outer `None` if the source is not accepted.
fn accepted(adapter: &Shared<Adapter>, from: SocketAddr) -> Option<Option<Source>> {
    let address = canonical(from);
    match adapter.extension.inbox.sources() {
        Sources::Any(naming) => Some(Some(Source { address, naming })),
        Sources::OnlyPeer(peer) if is_same_address(&peer, &address) => Some(None),
        Sources::OnlyPeer(_) | Sources::None => None,
    }
}

fn push(adapter: &Shared<Adapter>, from: Option<Source>, data: PoolBytes) {
    adapter.extension.inbox.received.fetch_add(1, Ordering::Relaxed);
    let lost = adapter.extension.inbox.ring.push(Received { adapter: adapter.id, from, data });
    adapter.nic.count(Discard::QueueFull, lost);
}

/// Notifies the adapter's owner that the only peer timed out: fails a pending read. If none is
/// pending, returns when to try again.
pub(crate) fn notify_disconnected(adapter: &Shared<Adapter>) -> Instant {
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
