//! Commands on peers, keys and routes, as calls of the protocol's configuration.

use core::net::SocketAddr;
use core::sync::atomic::Ordering;

use nic_crypto::Suite;
use nic_engine::protocol::PeerId;
use nic_engine::routes;
use nic_engine::{Endpoint, canonical};
use nic_miniport::time;
use nic_openvpn::configure::{self, PeerChange};
use nic_openvpn::{DirectionKey, Key, Material, Slot};
use nt::Shared;
use nt::wsk::Family;
use tunic_ioctl::data_channel::{
    self, DeleteReason, EventInfo, EventKind, InstallKey, KeyMaterial, Mode, NewPeer, PeerSelector,
    Prefix, SetPeer, Transport,
};

use crate::channel::{Adapter, Config, Sink, State};
use crate::inbox::Sources;
use crate::status::{ChannelRefusal, ChannelResult, PeerUse};
use crate::{answers, link, report};

/// Adds a peer. In point-to-point mode it has a socket of its own and replaces the existing peer.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn add(
    adapter: &Shared<Adapter>,
    state: &mut State,
    sink: &mut Sink<'_>,
    new: &NewPeer,
) -> ChannelResult<()> {
    let mode = state.settings.mode;
    if new.receive_id.is_some() != (mode == Mode::MultiPeer) {
        return Err(ChannelRefusal::WrongMode);
    }
    if new.transport == Transport::Tcp {
        return Err(ChannelRefusal::NoTcp);
    }
    let remote = canonical(new.remote);
    let peer = configure::NewPeer {
        receive_id: new.receive_id,
        transmit_id: new.transmit_id,
        endpoint: Endpoint::new(remote),
        vpn4: new.vpn4,
        vpn6: new.vpn6,
    };
    if mode == Mode::MultiPeer {
        configured(adapter, sink, |config| Ok(configure::new_peer(config, &peer)?))?;
        return Ok(());
    }
    let sockets = link::bind_for_peer(adapter, state, local_address(new.local, &remote)?)?;
    configured(adapter, sink, |config| Ok(configure::new_peer(config, &peer)?))?;
    let extension = &adapter.extension;
    extension.inbox.accept(Sources::OnlyPeer(remote));
    extension.inbox.ring.forget();
    extension.is_disconnected.store(false, Ordering::Release);
    if let Some(sockets) = sockets {
        link::install(adapter, state, sockets);
    }
    state.settings.baseline = answers::baseline(adapter);
    Ok(())
}

/// The address to bind for a peer.
fn local_address(local: Option<SocketAddr>, remote: &SocketAddr) -> ChannelResult<SocketAddr> {
    let family = Family::of(remote);
    match local.map(canonical) {
        None => Ok(family.any(0)),
        Some(local) if Family::of(&local) == family => Ok(local),
        Some(local) if local.ip().is_unspecified() => Ok(family.any(local.port())),
        Some(_) => Err(ChannelRefusal::FamilyMismatch),
    }
}

/// Removes a peer, and reports the removal.
///
/// # IRQL
/// `PASSIVE_LEVEL`
pub(super) fn remove(
    adapter: &Shared<Adapter>,
    state: &mut State,
    sink: &mut Sink<'_>,
    selector: PeerSelector,
) -> ChannelResult<()> {
    let id = receive_id(state, selector)?;
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Delete)?;
        configure::remove_peer(config, peer);
        Ok(())
    })?;
    if id.is_none() {
        link::uninstall(adapter, state);
        adapter.extension.is_disconnected.store(false, Ordering::Release);
    }
    let kind = EventKind::Deleted(DeleteReason::Userspace);
    report::notify(adapter, state, EventInfo { peer: id, kind });
    Ok(())
}

/// Changes a peer's timers and MSS clamping.
pub(super) fn change(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    change: &SetPeer,
) -> ChannelResult<()> {
    let id = receive_id(state, change.peer)?;
    let SetPeer { keepalive_s, timeout_s, mss_bytes, .. } = *change;
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Change)?;
        configure::set_peer(config, peer, &PeerChange { keepalive_s, timeout_s, mss_bytes });
        Ok(())
    })?;
    if timeout_s.is_some() {
        // The timeout restarts.
        adapter.extension.is_disconnected.store(false, Ordering::Release);
    }
    Ok(())
}

/// Installs a key in a slot.
pub(super) fn install_key(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    install: &InstallKey<'_>,
) -> ChannelResult<()> {
    let id = receive_id(state, install.peer)?;
    let key = Key {
        key_id: install.key_id,
        suite: suite(install.suite),
        material: match install.material {
            KeyMaterial::Fixed { encrypt, decrypt } => {
                Material::Classic { seal: direction_key(&encrypt), open: direction_key(&decrypt) }
            }
            KeyMaterial::Epoch { encrypt, decrypt } => {
                Material::Epoch { seal: encrypt, open: decrypt }
            }
        },
        transmit_id: install.transmit_id,
        packet_limit: install.packet_limit,
    };
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Key)?;
        configure::install_key(config, peer, slot(install.slot), &key)?;
        Ok(())
    })
}

/// Exchanges a peer's slots.
pub(super) fn swap_keys(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    selector: PeerSelector,
) -> ChannelResult<()> {
    let id = receive_id(state, selector)?;
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Change)?;
        configure::swap_keys(config, peer);
        Ok(())
    })
}

/// Empties a slot.
pub(super) fn delete_key(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    selector: PeerSelector,
    key_slot: data_channel::Slot,
) -> ChannelResult<()> {
    let id = receive_id(state, selector)?;
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Change)?;
        let was_there = configure::delete_key(config, peer, slot(key_slot));
        if was_there { Ok(()) } else { Err(ChannelRefusal::NotFound) }
    })
}

/// Routes a prefix to a peer.
pub(super) fn add_route(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    selector: PeerSelector,
    prefix: Prefix,
) -> ChannelResult<()> {
    let id = receive_id(state, selector)?;
    configured(adapter, sink, |config| {
        let peer = find(config, id, PeerUse::Change)?;
        configure::add_route(config, peer, route(prefix))?;
        Ok(())
    })
}

/// Removes the route of a prefix, whichever peer has it.
pub(super) fn remove_route(
    adapter: &Shared<Adapter>,
    state: &State,
    sink: &mut Sink<'_>,
    prefix: Prefix,
) -> ChannelResult<()> {
    if state.settings.mode != Mode::MultiPeer {
        return Err(ChannelRefusal::WrongMode);
    }
    configured(adapter, sink, |config| {
        let was_there = configure::remove_route(config, route(prefix));
        if was_there { Ok(()) } else { Err(ChannelRefusal::NotFound) }
    })
}

/// Calls `f` with the engine under its control lock.
pub(super) fn configured<R>(
    adapter: &Shared<Adapter>,
    sink: &mut Sink<'_>,
    f: impl FnOnce(&mut Config<'_>) -> ChannelResult<R>,
) -> ChannelResult<R> {
    adapter.nic.configure(time::now(), sink, f)
}

/// The receive ID that a selector names; `None` for the only peer of point-to-point mode.
pub(super) fn receive_id(state: &State, selector: PeerSelector) -> ChannelResult<Option<u32>> {
    match (state.settings.mode, selector) {
        (Mode::PointToPoint, PeerSelector::Only | PeerSelector::ByMode(_)) => Ok(None),
        (Mode::MultiPeer, PeerSelector::Id(id) | PeerSelector::ByMode(id)) => Ok(Some(id)),
        _ => Err(ChannelRefusal::WrongMode),
    }
}

/// The peer with this receive ID.
pub(super) fn find(
    config: &Config<'_>,
    id: Option<u32>,
    what_for: PeerUse,
) -> ChannelResult<PeerId> {
    configure::find_peer(config, id).ok_or(ChannelRefusal::NoPeer(what_for))
}

fn route(prefix: Prefix) -> routes::Prefix {
    routes::Prefix { address: prefix.address, length: prefix.length }
}

fn slot(slot: data_channel::Slot) -> Slot {
    match slot {
        data_channel::Slot::Primary => Slot::Primary,
        data_channel::Slot::Secondary => Slot::Secondary,
    }
}

fn suite(suite: data_channel::Suite) -> Suite {
    match suite {
        data_channel::Suite::Aes128Gcm => Suite::Aes128Gcm,
        data_channel::Suite::Aes192Gcm => Suite::Aes192Gcm,
        data_channel::Suite::Aes256Gcm => Suite::Aes256Gcm,
        data_channel::Suite::ChaCha20Poly1305 => Suite::ChaCha20Poly1305,
    }
}

fn direction_key<'a>(key: &data_channel::DirectionKey<'a>) -> DirectionKey<'a> {
    DirectionKey { key: key.key, nonce_tail: key.nonce_tail }
}
