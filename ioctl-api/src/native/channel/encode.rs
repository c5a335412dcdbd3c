//! Encodes requests of data channels, for the SDK.

use core::mem::offset_of;
use core::net::SocketAddr;

use super::CHANNEL_ONLY_PEER;
use super::flags::{KeyFlags, ListenFlags, NewPeerFlags, SetPeerFlags};
use super::records::{Datagram, Key, Listen, NewPeer, Route, SelectPeer, SetMode, SetPeer};
use crate::bytes::put;
use crate::data_channel::{
    self, ControlDatagram, DirectionKey, InstallKey, KeyMaterial, Mode, PeerSelector, Prefix, Slot,
};
use crate::native::encode::{put_header, start_record};
use crate::native::records::{Kind, Select};
use crate::sockaddr;
use crate::values::AdapterId;

/// Offset of the adapter's GUID in every request.
const ADAPTER: usize = offset_of!(Select, adapter);

/// Chooses the mode.
pub fn encode_set_mode(adapter: AdapterId, mode: Mode) -> [u8; SetMode::SIZE] {
    let mut bytes = start::<{ SetMode::SIZE }>(Kind::ChannelSetMode, adapter);
    put(&mut bytes, offset_of!(SetMode, mode), &(mode as u32).to_le_bytes());
    bytes
}

/// Binds the socket of multi-peer mode; as an answer, has the bound address.
pub fn encode_listen(adapter: AdapterId, listen: &data_channel::Listen) -> [u8; Listen::SIZE] {
    let mut bytes = start::<{ Listen::SIZE }>(Kind::ChannelListen, adapter);
    let flags = if listen.v6_only { ListenFlags::V6_ONLY } else { ListenFlags::empty() };
    put(&mut bytes, offset_of!(Listen, local), &sockaddr::encode(&listen.local));
    put(&mut bytes, offset_of!(Listen, flags), &flags.bits().to_le_bytes());
    bytes
}

/// Creates a peer over UDP; the peer's transport is ignored.
pub fn encode_new_peer(adapter: AdapterId, peer: &data_channel::NewPeer) -> [u8; NewPeer::SIZE] {
    let mut bytes = start::<{ NewPeer::SIZE }>(Kind::ChannelNewPeer, adapter);
    let receive_id = peer.receive_id.unwrap_or(CHANNEL_ONLY_PEER);
    put(&mut bytes, offset_of!(NewPeer, receive_id), &receive_id.to_le_bytes());
    if let Some(id) = peer.transmit_id {
        put(&mut bytes, offset_of!(NewPeer, transmit_id), &id.to_le_bytes());
        let flags = NewPeerFlags::HAS_TRANSMIT_ID.bits();
        put(&mut bytes, offset_of!(NewPeer, flags), &flags.to_le_bytes());
    }
    put_address(&mut bytes, offset_of!(NewPeer, local), peer.local.as_ref());
    put_address(&mut bytes, offset_of!(NewPeer, remote), Some(&peer.remote));
    if let Some(address) = peer.vpn4 {
        put(&mut bytes, offset_of!(NewPeer, vpn4), &address.octets());
    }
    if let Some(address) = peer.vpn6 {
        put(&mut bytes, offset_of!(NewPeer, vpn6), &address.octets());
    }
    bytes
}

/// Names a peer.
pub fn encode_select_peer(adapter: AdapterId, peer: PeerSelector) -> [u8; SelectPeer::SIZE] {
    encode_slot(adapter, peer, Slot::Primary)
}

/// Names a peer's slot.
pub fn encode_slot(adapter: AdapterId, peer: PeerSelector, slot: Slot) -> [u8; SelectPeer::SIZE] {
    let mut bytes = start::<{ SelectPeer::SIZE }>(Kind::ChannelSelectPeer, adapter);
    put(&mut bytes, offset_of!(SelectPeer, peer), &number(peer));
    put(&mut bytes, offset_of!(SelectPeer, slot), &(slot as u32).to_le_bytes());
    bytes
}

/// Changes a peer.
pub fn encode_set_peer(adapter: AdapterId, change: &data_channel::SetPeer) -> [u8; SetPeer::SIZE] {
    let mut bytes = start::<{ SetPeer::SIZE }>(Kind::ChannelSetPeer, adapter);
    let mut flags = SetPeerFlags::empty();
    let mut set = |offset, value: Option<u32>, flag| {
        if let Some(value) = value {
            flags |= flag;
            put(&mut bytes, offset, &value.to_le_bytes());
        }
    };
    set(offset_of!(SetPeer, keepalive), change.keepalive_s, SetPeerFlags::HAS_KEEPALIVE);
    set(offset_of!(SetPeer, timeout), change.timeout_s, SetPeerFlags::HAS_TIMEOUT);
    set(offset_of!(SetPeer, mss), change.mss_bytes.map(u32::from), SetPeerFlags::HAS_MSS);
    put(&mut bytes, offset_of!(SetPeer, peer), &number(change.peer));
    put(&mut bytes, offset_of!(SetPeer, flags), &flags.bits().to_le_bytes());
    bytes
}

/// A key for a slot. The caller must zeroize the returned secrets.
pub fn encode_key(adapter: AdapterId, key: &InstallKey<'_>) -> [u8; Key::SIZE] {
    let mut bytes = [0; Key::SIZE];
    write_key(&mut bytes, adapter, key);
    bytes
}

/// As [`encode_key`], in the record's place: no copy of the secrets is anywhere else.
pub fn write_key(bytes: &mut [u8; Key::SIZE], adapter: AdapterId, key: &InstallKey<'_>) {
    bytes.fill(0);
    put_header(bytes, Kind::ChannelKey, Key::SIZE);
    put(bytes, ADAPTER, &adapter.0);
    let mut flags = KeyFlags::empty();
    put(bytes, offset_of!(Key, peer), &number(key.peer));
    put(bytes, offset_of!(Key, slot), &(key.slot as u32).to_le_bytes());
    put(bytes, offset_of!(Key, suite), &(key.suite as u32).to_le_bytes());
    put(bytes, offset_of!(Key, key_id), &u32::from(key.key_id).to_le_bytes());
    if let Some(id) = key.transmit_id {
        flags |= KeyFlags::HAS_TRANSMIT_ID;
        put(bytes, offset_of!(Key, transmit_id), &id.to_le_bytes());
    }
    let limit = key.packet_limit.map_or(0, u64::from);
    put(bytes, offset_of!(Key, packet_limit), &limit.to_le_bytes());
    let (encrypt_key, decrypt_key) = (offset_of!(Key, encrypt_key), offset_of!(Key, decrypt_key));
    match &key.material {
        KeyMaterial::Epoch { encrypt, decrypt } => {
            flags |= KeyFlags::EPOCH;
            put(bytes, encrypt_key, encrypt.as_slice());
            put(bytes, decrypt_key, decrypt.as_slice());
        }
        KeyMaterial::Fixed { encrypt, decrypt } => {
            put_key(bytes, encrypt_key, offset_of!(Key, encrypt_nonce_tail), encrypt);
            put_key(bytes, decrypt_key, offset_of!(Key, decrypt_nonce_tail), decrypt);
        }
    }
    put(bytes, offset_of!(Key, flags), &flags.bits().to_le_bytes());
}

/// A route to a peer, to add or to remove; a removal ignores the peer.
pub fn encode_route(adapter: AdapterId, peer: PeerSelector, prefix: Prefix) -> [u8; Route::SIZE] {
    let mut bytes = start::<{ Route::SIZE }>(Kind::ChannelRoute, adapter);
    let family = sockaddr::put_ip(&mut bytes, offset_of!(Route, address), prefix.address);
    put(&mut bytes, offset_of!(Route, peer), &number(peer));
    put(&mut bytes, offset_of!(Route, address_family), &family.to_le_bytes());
    put(&mut bytes, offset_of!(Route, prefix_length), &[prefix.length]);
    bytes
}

/// Writes a control datagram; `None` if it does not fit. Returns the number of bytes written.
pub fn encode_datagram(
    adapter: AdapterId,
    datagram: &ControlDatagram<'_>,
    output: &mut [u8],
) -> Option<usize> {
    let end = Datagram::SIZE.checked_add(datagram.data.len())?;
    let size = end.checked_next_multiple_of(8)?;
    let count = u32::try_from(datagram.data.len()).ok()?;
    let record = output.get_mut(..size)?;
    record.fill(0);
    put_header(record, Kind::ChannelDatagram, size);
    put(record, ADAPTER, &adapter.0);
    put_address(record, offset_of!(Datagram, address), datagram.address.as_ref());
    put(record, offset_of!(Datagram, data_bytes), &count.to_le_bytes());
    put(record, Datagram::SIZE, datagram.data);
    Some(size)
}

fn start<const N: usize>(kind: Kind, adapter: AdapterId) -> [u8; N] {
    let mut bytes = start_record::<N>(kind);
    put(&mut bytes, ADAPTER, &adapter.0);
    bytes
}

fn put_address(bytes: &mut [u8], offset: usize, address: Option<&SocketAddr>) {
    if let Some(address) = address {
        put(bytes, offset, &sockaddr::encode(address));
    }
}

fn put_key(bytes: &mut [u8], key_offset: usize, tail_offset: usize, key: &DirectionKey<'_>) {
    put(bytes, key_offset, key.key.get(..32).unwrap_or(key.key));
    put(bytes, tail_offset, key.nonce_tail);
}

fn number(peer: PeerSelector) -> [u8; 4] {
    match peer {
        PeerSelector::Only => CHANNEL_ONLY_PEER,
        PeerSelector::Id(id) | PeerSelector::ByMode(id) => id,
    }
    .to_le_bytes()
}
