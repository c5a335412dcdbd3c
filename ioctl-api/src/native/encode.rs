//! Encodes requests of the native ABI, for the SDK.

use core::mem::offset_of;
use core::net::IpAddr;

use super::VERSION;
use super::flags::{InterfaceFlags, PeerFlags, RouteFlags};
use super::records::{Header, Interface, Kind, Peer, Route, Select, SetState, SetTimerScale};
use crate::bytes::put;
use crate::change::{KeyChange, PeerAction, PeerChange};
use crate::sockaddr;
use crate::values::{AdapterId, AdapterState};

/// A request that only names an adapter.
pub fn encode_select(adapter: AdapterId) -> [u8; Select::SIZE] {
    let mut bytes = start_record::<{ Select::SIZE }>(Kind::Select);
    put(&mut bytes, offset_of!(Select, adapter), &adapter.0);
    bytes
}

/// Brings an adapter up or down.
pub fn encode_set_state(adapter: AdapterId, state: AdapterState) -> [u8; SetState::SIZE] {
    let mut bytes = start_record::<{ SetState::SIZE }>(Kind::SetState);
    put(&mut bytes, offset_of!(SetState, adapter), &adapter.0);
    put(&mut bytes, offset_of!(SetState, state), &(state as u32).to_le_bytes());
    bytes
}

/// Scales the timers.
pub fn encode_set_timer_scale(adapter: AdapterId, permille: u32) -> [u8; SetTimerScale::SIZE] {
    let mut bytes = start_record::<{ SetTimerScale::SIZE }>(Kind::SetTimerScale);
    put(&mut bytes, offset_of!(SetTimerScale, adapter), &adapter.0);
    put(&mut bytes, offset_of!(SetTimerScale, permille), &permille.to_le_bytes());
    bytes
}

/// A change of an adapter's own configuration; records of peers may follow.
pub fn encode_interface(
    adapter: AdapterId,
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
) -> [u8; Interface::SIZE] {
    let mut bytes = [0; Interface::SIZE];
    write_interface(&mut bytes, adapter, listen_port, private_key, replace_peers);
    bytes
}

/// As [`encode_interface`], in the record's place: no copy of the key is anywhere else.
pub fn write_interface(
    bytes: &mut [u8; Interface::SIZE],
    adapter: AdapterId,
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
) {
    bytes.fill(0);
    put_header(bytes, Kind::Interface, Interface::SIZE);
    let mut flags = InterfaceFlags::empty();
    put(bytes, offset_of!(Interface, adapter), &adapter.0);
    if let Some(port) = listen_port {
        flags |= InterfaceFlags::HAS_LISTEN_PORT;
        put(bytes, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    match private_key {
        Some(KeyChange::Set(key)) => {
            flags |= InterfaceFlags::HAS_PRIVATE_KEY;
            put(bytes, offset_of!(Interface, private_key), key);
        }
        Some(KeyChange::Clear) => flags |= InterfaceFlags::CLEAR_PRIVATE_KEY,
        None => {}
    }
    if replace_peers {
        flags |= InterfaceFlags::REPLACE_PEERS;
    }
    put(bytes, offset_of!(Interface, flags), &flags.bits().to_le_bytes());
}

/// A change of a peer; its routes are to follow as records.
pub fn encode_peer(peer: &PeerChange<'_>) -> [u8; Peer::SIZE] {
    let mut bytes = [0; Peer::SIZE];
    write_peer(&mut bytes, peer);
    bytes
}

/// As [`encode_peer`], in the record's place: no copy of the key is anywhere else.
pub fn write_peer(bytes: &mut [u8; Peer::SIZE], peer: &PeerChange<'_>) {
    bytes.fill(0);
    put_header(bytes, Kind::Peer, Peer::SIZE);
    let mut flags = match peer.action {
        PeerAction::CreateOrUpdate => PeerFlags::empty(),
        PeerAction::UpdateOnly => PeerFlags::UPDATE_ONLY,
        PeerAction::Remove => PeerFlags::REMOVE,
    };
    put(bytes, offset_of!(Peer, public_key), peer.public_key);
    match peer.preshared_key {
        Some(KeyChange::Set(key)) => {
            flags |= PeerFlags::HAS_PRESHARED_KEY;
            put(bytes, offset_of!(Peer, preshared_key), key);
        }
        Some(KeyChange::Clear) => flags |= PeerFlags::CLEAR_PRESHARED_KEY,
        None => {}
    }
    if let Some(seconds) = peer.persistent_keepalive_s {
        flags |= PeerFlags::HAS_PERSISTENT_KEEPALIVE;
        put(bytes, offset_of!(Peer, persistent_keepalive), &seconds.to_le_bytes());
    }
    if let Some(endpoint) = &peer.endpoint {
        flags |= PeerFlags::HAS_ENDPOINT;
        put(bytes, offset_of!(Peer, endpoint), &sockaddr::encode(endpoint));
    }
    if peer.replace_allowed_ips {
        flags |= PeerFlags::REPLACE_ROUTES;
    }
    put(bytes, offset_of!(Peer, flags), &flags.bits().to_le_bytes());
}

/// A route of the peer before it.
pub fn encode_route(address: IpAddr, prefix_length: u8, remove: bool) -> [u8; Route::SIZE] {
    let mut bytes = start_record::<{ Route::SIZE }>(Kind::Route);
    let family = sockaddr::put_ip(&mut bytes, offset_of!(Route, address), address);
    put(&mut bytes, offset_of!(Route, address_family), &family.to_le_bytes());
    put(&mut bytes, offset_of!(Route, prefix_length), &[prefix_length]);
    let flags = if remove { RouteFlags::REMOVE } else { RouteFlags::empty() };
    put(&mut bytes, offset_of!(Route, flags), &flags.bits().to_le_bytes());
    bytes
}

/// A record of zeroes with its header.
pub(super) fn start_record<const N: usize>(kind: Kind) -> [u8; N] {
    let mut bytes = [0; N];
    put_header(&mut bytes, kind, N);
    bytes
}

/// Writes the header of a record of this size.
pub(super) fn put_header(bytes: &mut [u8], kind: Kind, size_bytes: usize) {
    let size = u32::try_from(size_bytes).unwrap_or(u32::MAX);
    put(bytes, offset_of!(Header, size), &size.to_le_bytes());
    put(bytes, offset_of!(Header, version), &VERSION.to_le_bytes());
    put(bytes, offset_of!(Header, kind), &(kind as u16).to_le_bytes());
}
