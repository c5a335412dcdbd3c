//! Sockets and the state of the link.

use core::net::SocketAddr;
use core::sync::atomic::Ordering;

use nic_engine::canonical;
use nic_miniport::adapter::{
    self, ActiveSockets, BITS_PER_SECOND, NewSockets, SocketReceiver, Sockets,
};
use nic_miniport::status::Refusal;
use nic_miniport::time;
use nic_openvpn::configure;
use nt::{Shared, Status};
use tunic_ioctl::data_channel::{Listen, Mode};

use crate::address::Naming;
use crate::channel::{Adapter, OpenVpnAdapter, Sink, State};
use crate::inbox::Sources;
use crate::status::{ChannelRefusal, ChannelResult};

/// Binds the sockets of multi-peer mode; returns the bound address.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn listen(
    adapter: &Shared<Adapter>,
    state: &mut State,
    listen: &Listen,
) -> ChannelResult<SocketAddr> {
    if state.settings.mode != Mode::MultiPeer {
        return Err(ChannelRefusal::WrongMode);
    }
    if state.is_up {
        return Err(Status::ALREADY_INITIALIZED.into());
    }
    let local = canonical(listen.local);
    let is_for_both = local.is_ipv6() && local.ip().is_unspecified() && !listen.v6_only;
    let client = adapter.wsk.client()?;
    let receiver = SocketReceiver::new(adapter);
    let sockets = if is_for_both {
        Sockets::bind_both(&client, local.port(), &receiver)
    } else {
        Sockets::bind_one(&client, local, &receiver)
    };
    let sockets = ActiveSockets::prepare(sockets?)?;
    let bound = sockets.bound();
    adapter.extension.inbox.accept(Sources::Any(Naming::of(&listen.local)));
    install(adapter, state, sockets);
    Ok(bound)
}

/// Binds a socket for the only peer of point-to-point mode. `None` if the current socket has that
/// address already. A socket on the same port of another address is closed first, because it could
/// conflict: if the bind then fails, the peer has no socket.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn bind_for_peer(
    adapter: &Shared<Adapter>,
    state: &mut State,
    local: SocketAddr,
) -> ChannelResult<Option<NewSockets<OpenVpnAdapter>>> {
    if let Some(bound) = adapter.sockets.bound().filter(|_| local.port() != 0) {
        if bound == local {
            return Ok(None);
        }
        if bound.port() == local.port() && bound.is_ipv4() == local.is_ipv4() {
            uninstall(adapter, state);
        }
    }
    let client = adapter.wsk.client()?;
    let receiver = SocketReceiver::new(adapter);
    let sockets = Sockets::bind_one(&client, local, &receiver)?;
    Ok(Some(ActiveSockets::prepare(sockets)?))
}

/// Replaces the current sockets, and lets packets through.
pub(super) fn install(
    adapter: &Shared<Adapter>,
    state: &mut State,
    sockets: NewSockets<OpenVpnAdapter>,
) {
    adapter.sockets.replace(Some(sockets));
    state.is_up = true;
    adapter.nic.set_up(!state.is_paused);
}

/// Closes the sockets, and stops packets.
pub(super) fn uninstall(adapter: &Shared<Adapter>, state: &mut State) {
    state.is_up = false;
    adapter.nic.set_up(false);
    adapter.extension.inbox.accept(Sources::None);
    adapter.sockets.replace(None);
}

/// Indicates the link as connected.
pub(super) fn connect(adapter: &Shared<Adapter>, state: &mut State) {
    if !core::mem::replace(&mut state.is_connected, true) {
        adapter.handle.indicate_link(true, BITS_PER_SECOND);
    }
}

/// Indicates the link as disconnected.
pub(super) fn disconnect(adapter: &Shared<Adapter>, state: &mut State) {
    if core::mem::replace(&mut state.is_connected, false) {
        adapter.handle.indicate_link(false, BITS_PER_SECOND);
    }
}

/// Resets everything except the link state: removes peers, closes sockets, resets the mode, drops
/// queued datagrams and events, and cancels pending requests.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn stop(adapter: &Shared<Adapter>, state: &mut State) {
    state.settings.mode = Mode::default();
    // What the reset sends is discarded with its sink.
    adapter.nic.configure(time::now(), &mut Sink::new(adapter), configure::reset);
    uninstall(adapter, state);
    let extension = &adapter.extension;
    extension.is_disconnected.store(false, Ordering::Relaxed);
    extension.inbox.ring.clear();
    extension.outbox.clear();
    extension.events.clear();
}

/// Brings an adapter up: connects the link, if there is a peer or the mode is multi-peer.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn up(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    adapter.poll_mtu();
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if state.is_connected {
        return Ok(Status::ALREADY_COMPLETE);
    }
    if !can_start(adapter, &state) {
        return Err(Status::INVALID_DEVICE_STATE.into());
    }
    connect(adapter, &mut state);
    drop(state);
    adapter.control.wake();
    Ok(Status::SUCCESS)
}

/// Brings an adapter down: disconnects the link. Peers, keys and sockets stay, and control
/// datagrams still pass.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn down(adapter: &Shared<Adapter>) -> Result<Status, Refusal> {
    let mut state = adapter.state.lock();
    if state.is_removed {
        return Err(Status::DEVICE_REMOVED.into());
    }
    if !state.is_connected {
        return Ok(Status::ALREADY_COMPLETE);
    }
    disconnect(adapter, &mut state);
    Ok(Status::SUCCESS)
}

/// Whether the link may be connected: there is a peer, or the mode is multi-peer.
pub(super) fn can_start(adapter: &Shared<Adapter>, state: &State) -> bool {
    state.settings.mode == Mode::MultiPeer || adapter::peer_count(adapter) > 0
}
