//! Reports events of peers to userspace.

use core::sync::atomic::Ordering;

use nic_engine::protocol::{Event, PeerId};
use nic_miniport::time;
use nic_openvpn::configure;
use nt::Shared;
use tunic_ioctl::data_channel::{DeleteReason, EventInfo, EventKind};
use tunic_ioctl::native::channel::reply::StampedEvent;
use tunic_ioctl::{Abi, ovpn_dco};

use crate::channel::{Adapter, Sink, State};
use crate::event::PendingEvent;

/// Reports an event of the engine.
///
/// # IRQL
/// `PASSIVE_LEVEL`
///
/// # Locks
/// Takes the adapter's state lock and the engine's control lock. None may be held.
pub(crate) fn report(adapter: &Shared<Adapter>, event: Event) {
    let (peer, kind) = match event {
        Event::Expired(name) => {
            (configure::receive_id(&name), EventKind::Deleted(DeleteReason::Expired))
        }
        Event::EndpointMoved(peer) => match adapter.nic.endpoint(peer) {
            Some(endpoint) => (receive_id(adapter, peer), EventKind::Floated(endpoint.remote)),
            // The peer is removed already.
            None => return,
        },
        Event::KeyWanted(peer) => (receive_id(adapter, peer), EventKind::KeyWanted),
        Event::KeyLimitNear(peer) => (receive_id(adapter, peer), EventKind::UsageLimitNear),
        Event::TimedOut(peer) => (receive_id(adapter, peer), EventKind::TimedOut),
        // Events of protocols with the handshake in the driver.
        Event::HandshakeCompleted(_) | Event::HandshakeAbandoned(_) => return,
    };
    notify(adapter, &mut adapter.state.lock(), EventInfo { peer, kind });
}

/// Queues an event. An owner by ovpn-dco-win's ABI gets only what that ABI can express.
///
/// # Locks
/// The adapter's state lock is held.
pub(crate) fn notify(adapter: &Shared<Adapter>, state: &mut State, event: EventInfo) {
    let is_ovpn_dco = state.settings.owner.is_some_and(|owner| owner.abi == Abi::OvpnDco);
    if is_ovpn_dco && ovpn_dco::encode_event(&event).is_none() {
        if event.kind == EventKind::TimedOut {
            adapter.extension.is_disconnected.store(true, Ordering::Release);
            adapter.control.wake();
        }
        return;
    }
    state.event_sequence = state.event_sequence.wrapping_add(1);
    let event = StampedEvent {
        adapter: adapter.id,
        sequence: state.event_sequence,
        time_filetime: time::filetime(time::now().unix),
        event,
    };
    let naming = adapter.extension.inbox.naming();
    adapter.extension.events.push(PendingEvent { event, naming });
}

fn receive_id(adapter: &Shared<Adapter>, peer: PeerId) -> Option<u32> {
    let mut sink = Sink::new(adapter);
    adapter
        .nic
        .configure(time::now(), &mut sink, |config| configure::receive_id(config.name(peer)?))
}
