//! What happened to peers, for those who wait for it.

use core::sync::atomic::Ordering;

use nic_engine::protocol::{Event, PeerId};
use nic_openvpn::configure;
use nt::irp::Irp;
use nt::{Result, Shared, Status};
use tunic_ioctl::Abi;
use tunic_ioctl::data_channel::{DeleteReason, EventInfo, EventKind};
use tunic_ioctl::native::channel::reply::{self, StampedEvent};
use tunic_ioctl::ovpn_dco;

use super::{Adapter, State};
use crate::Sink;
use nic_miniport::ring::Record;
use nic_miniport::time;

/// An event that waits to be read.
pub(super) struct Notice(StampedEvent);

/// Tells what the engine saw.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's and the engine's.
pub(super) fn report(adapter: &Shared<Adapter>, event: Event) {
    let (peer, kind) = match event {
        Event::Expired(name) => {
            (configure::receive_id(&name), EventKind::Deleted(DeleteReason::Expired))
        }
        Event::EndpointMoved(peer) => match adapter.nic.endpoint(peer) {
            Some(endpoint) => (receive_id(adapter, peer), EventKind::Floated(endpoint.remote)),
            // Gone already.
            None => return,
        },
        Event::KeyWanted(peer) => (receive_id(adapter, peer), EventKind::KeyWanted),
        Event::KeyLimitNear(peer) => (receive_id(adapter, peer), EventKind::UsageLimitNear),
        Event::TimedOut(peer) => (receive_id(adapter, peer), EventKind::TimedOut),
        // Of protocols that have their handshake here.
        Event::HandshakeCompleted(_) | Event::HandshakeAbandoned(_) => return,
    };
    tell(adapter, &mut adapter.state.lock(), EventInfo { peer, kind });
}

/// Tells an event; the owner in its ABI's way.
///
/// # Locks
/// The adapter's state lock is held.
pub(super) fn tell(adapter: &Shared<Adapter>, state: &mut State, event: EventInfo) {
    let is_ovpn_dco = state.settings.owner.is_some_and(|owner| owner.form == Abi::OvpnDco);
    if is_ovpn_dco && ovpn_dco::encode_event(&event).is_none() {
        if event.kind == EventKind::TimedOut {
            adapter.extension.is_disconnected.store(true, Ordering::Release);
            adapter.control.wake();
        }
        return;
    }
    state.event_sequence = state.event_sequence.wrapping_add(1);
    adapter.extension.notices.push(Notice(StampedEvent {
        adapter: adapter.id,
        sequence: state.event_sequence,
        time_filetime: time::filetime(time::now().unix),
        event,
    }));
}

fn receive_id(adapter: &Shared<Adapter>, peer: PeerId) -> Option<u32> {
    let mut sink = Sink::new(adapter);
    adapter
        .nic
        .configure(time::now(), &mut sink, |config| configure::receive_id(config.name(peer)?))
}

impl Record for Notice {
    /// A server's peers may all expire at once.
    const MAX_ENTRIES: usize = 8192;

    fn answer(&self, irp: &mut Irp) -> Result<usize> {
        if irp.control_code() == ovpn_dco::IOCTL_NOTIFY_EVENT {
            let event =
                ovpn_dco::encode_event(&self.0.event).ok_or(Status::INVALID_DEVICE_STATE)?;
            irp.write_output(&event)?;
            return Ok(event.len());
        }
        let event = reply::event(&self.0);
        irp.write_output(&event)?;
        Ok(event.len())
    }
}
