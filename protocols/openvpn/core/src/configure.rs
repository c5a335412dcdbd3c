//! What the management interface may change. All under the control lock; each call is done whole or
//! not at all.
//!
//! A peer is found by the id that it puts on packets to us; the only one of [`Mode::PointToPoint`]
//! has no id that counts.

use core::net::{Ipv4Addr, Ipv6Addr};

use nic_engine::nic::{self, Configurator};
use nic_engine::routes::{InsertError, Prefix};
use nic_engine::{
    AddPeerError, Endpoint, Instant, PeerCounters, PeerName, System, protocol::PeerId,
};

use crate::control::Control;
use crate::key::{DataKey, Key, SlotInfo};
use crate::mode::Mode;
use crate::packet;
use crate::peer::{PeerControl, PeerData};
use crate::peer_name::peer_name;
use crate::protocol::OpenVpn;
use crate::slots::Slot;

pub use crate::key::InstallKeyError;
pub use crate::peer::PeerChange;
pub use crate::peer_name::receive_id;

type Config<'a, S> = Configurator<'a, OpenVpn, S>;

/// A peer to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPeer {
    /// The id on packets from it; `None` for the only peer of [`Mode::PointToPoint`].
    pub receive_id: Option<u32>,
    /// The id on packets to it; `None` where it comes with the first key. Until then it is the same
    /// as on those from it.
    pub transmit_id: Option<u32>,
    /// Where it is.
    pub endpoint: Endpoint,
    /// Its address within the tunnel. Counts with [`Mode::MultiPeer`].
    pub vpn4: Option<Ipv4Addr>,
    /// Likewise.
    pub vpn6: Option<Ipv6Addr>,
}

/// A peer as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// The id on packets from it; `None` for the only peer of [`Mode::PointToPoint`].
    pub receive_id: Option<u32>,
    /// The id on packets to it; `None` where it isn't known.
    pub transmit_id: Option<u32>,
    /// Where it is.
    pub endpoint: Option<Endpoint>,
    /// Its address within the tunnel.
    pub vpn4: Option<Ipv4Addr>,
    /// Likewise.
    pub vpn6: Option<Ipv6Addr>,
    /// As configured; 0 for never.
    pub keepalive_s: u32,
    /// As configured; 0 for never.
    pub timeout_s: u32,
    /// As configured; 0 for none.
    pub mss_bytes: u16,
    /// What is in the primary slot.
    pub primary: Option<SlotInfo>,
    /// What is in the secondary slot.
    pub secondary: Option<SlotInfo>,
    /// What it has carried.
    pub counters: PeerCounters,
}

/// Why the mode stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetModeError {
    /// The caller's fault: there are peers.
    HasPeers,
}

/// Why there is no new peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPeerError {
    /// The caller's fault: an id in point-to-point mode, or none in multi-peer mode.
    WrongMode,
    /// The caller's fault: an id of more than 24 bits, or the one that stands for none.
    BadId,
    /// The caller's fault: another peer has the id.
    Exists,
    /// There are too many.
    TooManyPeers,
    /// Memory ran out.
    NoMemory,
}

/// Why a route is not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddRouteError {
    /// The peer is gone.
    NoPeer,
    /// The caller's fault: the only peer of point-to-point mode has all routes.
    WrongMode,
    /// The caller's fault: the prefix is longer than its address.
    BadLength,
    /// Memory ran out.
    NoMemory,
}

/// How many peers there may be.
pub fn mode<S: System>(config: &mut Config<'_, S>) -> Mode {
    config.protocol().mode
}

/// Chooses how many peers there may be, while there are none. New adapters have
/// [`Mode::PointToPoint`].
pub fn set_mode<S: System>(config: &mut Config<'_, S>, mode: Mode) -> Result<(), SetModeError> {
    if config.peer_count() > 0 && config.protocol().mode != mode {
        return Err(SetModeError::HasPeers);
    }
    config.protocol().mode = mode;
    Ok(())
}

/// The peer with this id on packets from it, or the only one (`None`).
pub fn find_peer<S: System>(config: &Config<'_, S>, receive_id: Option<u32>) -> Option<PeerId> {
    config.peer_by_name(&peer_name(receive_id))
}

/// Makes what a peer is to the engine.
pub fn make_peer(
    control: &Control,
    new: &NewPeer,
    now: Instant,
) -> Result<(PeerName, PeerControl, PeerData), NewPeerError> {
    let mode = control.mode;
    if new.receive_id.is_some() != (mode == Mode::MultiPeer) {
        return Err(NewPeerError::WrongMode);
    }
    if new.transmit_id.is_some_and(|id| id > packet::UNDEFINED_PEER_ID)
        || new.receive_id.is_some_and(|id| id >= packet::UNDEFINED_PEER_ID)
    {
        return Err(NewPeerError::BadId);
    }
    let data = PeerData::new(mode, new.transmit_id.or(new.receive_id), now);
    Ok((peer_name(new.receive_id), PeerControl { vpn4: new.vpn4, vpn6: new.vpn6 }, data))
}

/// Makes a peer. In point-to-point mode it takes the place of the one that there is, and all
/// packets are its own; in multi-peer mode those for its addresses within the tunnel, which another
/// that had them loses.
pub fn new_peer<S: System>(
    config: &mut Config<'_, S>,
    new: &NewPeer,
) -> Result<PeerId, NewPeerError> {
    let now = config.now().instant;
    let (name, control, data) = make_peer(config.protocol(), new, now)?;
    let mode = config.protocol().mode;
    let prefixes = match mode {
        Mode::PointToPoint => [
            Some(Prefix { address: Ipv4Addr::UNSPECIFIED.into(), length: 0 }),
            Some(Prefix { address: Ipv6Addr::UNSPECIFIED.into(), length: 0 }),
        ],
        Mode::MultiPeer => [
            new.vpn4.map(|address| Prefix { address: address.into(), length: 32 }),
            new.vpn6.map(|address| Prefix { address: address.into(), length: 128 }),
        ],
    };
    let state = nic::NewPeer::new(name, control, data).map_err(|_| NewPeerError::NoMemory)?;
    let old = find_peer(config, new.receive_id);
    if old.is_some() && mode == Mode::MultiPeer {
        return Err(NewPeerError::Exists);
    }
    config.reserve(1, 1, 1)?;
    if let Some(old) = old {
        config.remove_peer(old);
    }
    let peer = config.add_peer(state)?;
    config.set_endpoint(peer, new.endpoint);
    for prefix in prefixes.into_iter().flatten() {
        // There is room for both.
        if config.add_route(peer, prefix).is_err() {
            config.remove_peer(peer);
            return Err(NewPeerError::NoMemory);
        }
    }
    Ok(peer)
}

/// Removes a peer with its keys, its routes and what it has queued. False where it is gone already.
pub fn remove_peer<S: System>(config: &mut Config<'_, S>, peer: PeerId) -> bool {
    config.remove_peer(peer)
}

/// Removes all peers. The mode is point-to-point again.
pub fn reset<S: System>(config: &mut Config<'_, S>) {
    while let Some(peer) = config.next_peer(None) {
        config.remove_peer(peer);
    }
    config.protocol().mode = Mode::default();
}

/// Changes a peer. False where it is gone.
pub fn set_peer<S: System>(config: &mut Config<'_, S>, peer: PeerId, change: &PeerChange) -> bool {
    let now = config.now().instant;
    config.with_peer_data(peer, |data| data.change(change, now))
}

/// Puts a key into a slot; counters and replay windows begin anew, and what was in the slot is
/// erased. What waits for a key is sent where the slot is the primary one.
pub fn install_key<S: System>(
    config: &mut Config<'_, S>,
    peer: PeerId,
    slot: Slot,
    key: &Key<'_>,
) -> Result<(), InstallKeyError> {
    if key.transmit_id.is_some_and(|id| id > packet::UNDEFINED_PEER_ID) {
        return Err(InstallKeyError::BadId);
    }
    let serial = config.protocol().next_serial();
    let made = DataKey::new(key, serial)?;
    let mut made = Some(made);
    let is_there = config.with_peer_data(peer, |data| {
        if let Some(id) = key.transmit_id {
            data.transmit_id = Some(id);
        }
        data.put_key(slot, &mut made);
    });
    // What was in the slot is erased here, under no spin lock.
    drop(made);
    if !is_there {
        return Err(InstallKeyError::NoPeer);
    }
    config.with_protocol(|_, host| host.send_queued(peer));
    Ok(())
}

/// Exchanges the slots, also where one is empty. False where the peer is gone.
pub fn swap_keys<S: System>(config: &mut Config<'_, S>, peer: PeerId) -> bool {
    let is_there = config.with_peer_data(peer, PeerData::swap_keys);
    if is_there {
        config.with_protocol(|_, host| host.send_queued(peer));
    }
    is_there
}

/// Erases the key in a slot. False where the peer is gone or the slot is empty.
pub fn delete_key<S: System>(config: &mut Config<'_, S>, peer: PeerId, slot: Slot) -> bool {
    let mut removed = None;
    config.with_peer_data(peer, |data| data.put_key(slot, &mut removed));
    // It is erased here, under no spin lock.
    removed.is_some()
}

/// Gives a prefix to a peer: packets for it go there, and none may come from it elsewhere. Another
/// peer that had it loses it.
pub fn add_route<S: System>(
    config: &mut Config<'_, S>,
    peer: PeerId,
    prefix: Prefix,
) -> Result<(), AddRouteError> {
    if config.protocol().mode != Mode::MultiPeer {
        return Err(AddRouteError::WrongMode);
    }
    if config.name(peer).is_none() {
        return Err(AddRouteError::NoPeer);
    }
    config.add_route(peer, prefix).map_err(|error| match error {
        InsertError::BadLength => AddRouteError::BadLength,
        InsertError::NoMemory => AddRouteError::NoMemory,
    })
}

/// Takes a prefix from whoever has it. False where nobody has exactly this one.
pub fn remove_route<S: System>(config: &mut Config<'_, S>, prefix: Prefix) -> bool {
    config.route_owner(prefix).is_some_and(|peer| config.remove_route(peer, prefix))
}

/// A peer as it is; `None` where it is gone.
pub fn peer_state<S: System>(config: &mut Config<'_, S>, peer: PeerId) -> Option<PeerState> {
    let receive_id = receive_id(config.name(peer)?);
    let (vpn4, vpn6) = config.peer_control(peer).map(|control| (control.vpn4, control.vpn6))?;
    let mut state = PeerState {
        receive_id,
        transmit_id: None,
        endpoint: config.endpoint(peer),
        vpn4,
        vpn6,
        keepalive_s: 0,
        timeout_s: 0,
        mss_bytes: 0,
        primary: None,
        secondary: None,
        counters: config.peer_counters(peer)?,
    };
    config.with_peer_data(peer, |data| {
        state.transmit_id = data.transmit_id;
        (state.keepalive_s, state.timeout_s) = data.timers.configured_s();
        state.mss_bytes = data.mss_bytes;
        state.primary = data.slots.get(Slot::Primary).map(|key| key.info);
        state.secondary = data.slots.get(Slot::Secondary).map(|key| key.info);
    });
    Some(state)
}

impl From<AddPeerError> for NewPeerError {
    fn from(error: AddPeerError) -> Self {
        match error {
            AddPeerError::Exists => Self::Exists,
            AddPeerError::TooManyPeers => Self::TooManyPeers,
            _ => Self::NoMemory,
        }
    }
}
