//! Requests of the native ABI, for the SDK.

use core::mem::offset_of;
use core::net::IpAddr;

use super::records::{Header, Interface, Kind, Peer, Route, Select, SetState, SetTimerScale};
use super::{
    INTERFACE_CLEAR_PRIVATE_KEY, INTERFACE_HAS_LISTEN_PORT, INTERFACE_HAS_PRIVATE_KEY,
    INTERFACE_REPLACE_PEERS, PEER_CLEAR_PRESHARED_KEY, PEER_HAS_ENDPOINT,
    PEER_HAS_PERSISTENT_KEEPALIVE, PEER_HAS_PRESHARED_KEY, PEER_REMOVE, PEER_REPLACE_ROUTES,
    PEER_UPDATE_ONLY, ROUTE_REMOVE, VERSION,
};
use crate::bytes::put;
use crate::command::{AdapterId, AdapterState, KeyChange, PeerAction, PeerChange};
use crate::wireguard_nt::{AF_INET, AF_INET6, encode_sockaddr};

/// Names an adapter in a request.
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
    let mut bytes = start_record::<{ Interface::SIZE }>(Kind::Interface);
    let mut flags = 0;
    put(&mut bytes, offset_of!(Interface, adapter), &adapter.0);
    if let Some(port) = listen_port {
        flags |= INTERFACE_HAS_LISTEN_PORT;
        put(&mut bytes, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    match private_key {
        Some(KeyChange::Set(key)) => {
            flags |= INTERFACE_HAS_PRIVATE_KEY;
            put(&mut bytes, offset_of!(Interface, private_key), key);
        }
        Some(KeyChange::Clear) => flags |= INTERFACE_CLEAR_PRIVATE_KEY,
        None => {}
    }
    if replace_peers {
        flags |= INTERFACE_REPLACE_PEERS;
    }
    put(&mut bytes, offset_of!(Interface, flags), &flags.to_le_bytes());
    bytes
}

/// A change of a peer; its routes are to follow as records.
pub fn encode_peer(peer: &PeerChange<'_>) -> [u8; Peer::SIZE] {
    let mut bytes = start_record::<{ Peer::SIZE }>(Kind::Peer);
    let mut flags = match peer.action {
        PeerAction::CreateOrUpdate => 0,
        PeerAction::UpdateOnly => PEER_UPDATE_ONLY,
        PeerAction::Remove => PEER_REMOVE,
    };
    put(&mut bytes, offset_of!(Peer, public_key), peer.public_key);
    match peer.preshared_key {
        Some(KeyChange::Set(key)) => {
            flags |= PEER_HAS_PRESHARED_KEY;
            put(&mut bytes, offset_of!(Peer, preshared_key), key);
        }
        Some(KeyChange::Clear) => flags |= PEER_CLEAR_PRESHARED_KEY,
        None => {}
    }
    if let Some(seconds) = peer.persistent_keepalive_s {
        flags |= PEER_HAS_PERSISTENT_KEEPALIVE;
        put(&mut bytes, offset_of!(Peer, persistent_keepalive), &seconds.to_le_bytes());
    }
    if let Some(endpoint) = &peer.endpoint {
        flags |= PEER_HAS_ENDPOINT;
        put(&mut bytes, offset_of!(Peer, endpoint), &encode_sockaddr(endpoint));
    }
    if peer.replace_allowed_ips {
        flags |= PEER_REPLACE_ROUTES;
    }
    put(&mut bytes, offset_of!(Peer, flags), &flags.to_le_bytes());
    bytes
}

/// A route of the peer before it.
pub fn encode_route(address: IpAddr, prefix_length: u8, remove: bool) -> [u8; Route::SIZE] {
    let mut bytes = start_record::<{ Route::SIZE }>(Kind::Route);
    let family = match address {
        IpAddr::V4(v4) => {
            put(&mut bytes, offset_of!(Route, address), &v4.octets());
            AF_INET
        }
        IpAddr::V6(v6) => {
            put(&mut bytes, offset_of!(Route, address), &v6.octets());
            AF_INET6
        }
    };
    put(&mut bytes, offset_of!(Route, address_family), &family.to_le_bytes());
    put(&mut bytes, offset_of!(Route, prefix_length), &[prefix_length]);
    let flags = if remove { ROUTE_REMOVE } else { 0 };
    put(&mut bytes, offset_of!(Route, flags), &flags.to_le_bytes());
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
