//! Encodes records of WireGuardNT's ABI: requests for the SDK, answers for the driver.

use core::mem::offset_of;
use core::net::IpAddr;

use super::flags::{AllowedIpFlags, InterfaceFlags, PeerFlags};
use super::{AllowedIp, Interface, LogEntry, Peer};
use crate::bytes::{is_zero, put};
use crate::change::{KeyChange, PeerAction, PeerChange};
use crate::sockaddr;
use crate::values::{InterfaceInfo, PeerInfo};

/// A change of an interface as a record, for [`IOCTL_SET`](super::IOCTL_SET); `peers_count` records
/// of peers are to follow.
pub fn encode_interface(
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
    peers_count: u32,
) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    write_interface(&mut record, listen_port, private_key, replace_peers, peers_count);
    record
}

/// As [`encode_interface`], in the record's place: no copy of the key is anywhere else.
pub fn write_interface(
    record: &mut [u8; Interface::SIZE],
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
    peers_count: u32,
) {
    record.fill(0);
    let mut flags = InterfaceFlags::empty();
    if let Some(port) = listen_port {
        flags |= InterfaceFlags::HAS_LISTEN_PORT;
        put(record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(change) = private_key {
        flags |= InterfaceFlags::HAS_PRIVATE_KEY;
        put_key(record, offset_of!(Interface, private_key), change);
    }
    if replace_peers {
        flags |= InterfaceFlags::REPLACE_PEERS;
    }
    put(record, offset_of!(Interface, flags), &flags.bits().to_le_bytes());
    put(record, offset_of!(Interface, peers_count), &peers_count.to_le_bytes());
}

/// A change of a peer as a record, for [`IOCTL_SET`](super::IOCTL_SET). `allowed_ips_count` records
/// of allowed IPs are to follow; those of `peer` itself are ignored.
pub fn encode_peer(peer: &PeerChange<'_>, allowed_ips_count: u32) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    write_peer(&mut record, peer, allowed_ips_count);
    record
}

/// As [`encode_peer`], in the record's place: no copy of the key is anywhere else.
pub fn write_peer(record: &mut [u8; Peer::SIZE], peer: &PeerChange<'_>, allowed_ips_count: u32) {
    record.fill(0);
    let mut flags = PeerFlags::HAS_PUBLIC_KEY;
    put(record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(change) = peer.preshared_key {
        flags |= PeerFlags::HAS_PRESHARED_KEY;
        put_key(record, offset_of!(Peer, preshared_key), change);
    }
    if let Some(seconds) = peer.persistent_keepalive_s {
        flags |= PeerFlags::HAS_PERSISTENT_KEEPALIVE;
        put(record, offset_of!(Peer, persistent_keepalive), &seconds.to_le_bytes());
    }
    if let Some(endpoint) = &peer.endpoint {
        flags |= PeerFlags::HAS_ENDPOINT;
        put(record, offset_of!(Peer, endpoint), &sockaddr::encode(endpoint));
    }
    if peer.replace_allowed_ips {
        flags |= PeerFlags::REPLACE_ALLOWED_IPS;
    }
    flags |= match peer.action {
        PeerAction::CreateOrUpdate => PeerFlags::empty(),
        PeerAction::UpdateOnly => PeerFlags::UPDATE_ONLY,
        PeerAction::Remove => PeerFlags::REMOVE,
    };
    put(record, offset_of!(Peer, flags), &flags.bits().to_le_bytes());
    put(record, offset_of!(Peer, allowed_ips_count), &allowed_ips_count.to_le_bytes());
}

/// An allowed IP as a record.
pub fn encode_allowed_ip(
    address: IpAddr,
    prefix_length: u8,
    remove: bool,
) -> [u8; AllowedIp::SIZE] {
    let mut record = [0; AllowedIp::SIZE];
    let family = sockaddr::put_ip(&mut record, offset_of!(AllowedIp, address), address);
    put(&mut record, offset_of!(AllowedIp, address_family), &family.to_le_bytes());
    put(&mut record, offset_of!(AllowedIp, cidr), &[prefix_length]);
    let flags = if remove { AllowedIpFlags::REMOVE } else { AllowedIpFlags::empty() };
    put(&mut record, offset_of!(AllowedIp, flags), &flags.bits().to_le_bytes());
    record
}

/// An interface as a record, for the answer to [`IOCTL_GET`](super::IOCTL_GET).
pub(crate) fn encode_interface_info(interface: &InterfaceInfo<'_>) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    let mut flags = InterfaceFlags::empty();
    if let Some(port) = interface.listen_port.filter(|&port| port != 0) {
        flags |= InterfaceFlags::HAS_LISTEN_PORT;
        put(&mut record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(key) = interface.private_key {
        flags |= InterfaceFlags::HAS_PRIVATE_KEY;
        put(&mut record, offset_of!(Interface, private_key), key);
    }
    if let Some(key) = interface.public_key {
        flags |= InterfaceFlags::HAS_PUBLIC_KEY;
        put(&mut record, offset_of!(Interface, public_key), key);
    }
    put(&mut record, offset_of!(Interface, flags), &flags.bits().to_le_bytes());
    record
}

/// A peer as a record, for the answer to [`IOCTL_GET`](super::IOCTL_GET).
pub(crate) fn encode_peer_info(peer: &PeerInfo<'_>) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    let mut flags = PeerFlags::HAS_PUBLIC_KEY | PeerFlags::HAS_PERSISTENT_KEEPALIVE;
    put(&mut record, offset_of!(Peer, protocol_version), &1_u32.to_le_bytes());
    put(&mut record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(key) = peer.preshared_key.filter(|key| !is_zero(key)) {
        flags |= PeerFlags::HAS_PRESHARED_KEY;
        put(&mut record, offset_of!(Peer, preshared_key), key);
    }
    let keepalive = peer.persistent_keepalive_s.to_le_bytes();
    put(&mut record, offset_of!(Peer, persistent_keepalive), &keepalive);
    if let Some(endpoint) = peer.endpoint.filter(|endpoint| endpoint.port() != 0) {
        flags |= PeerFlags::HAS_ENDPOINT;
        put(&mut record, offset_of!(Peer, endpoint), &sockaddr::encode(&endpoint));
    }
    put(&mut record, offset_of!(Peer, tx_bytes), &peer.tx_bytes.to_le_bytes());
    put(&mut record, offset_of!(Peer, rx_bytes), &peer.rx_bytes.to_le_bytes());
    let handshake = peer.last_handshake_filetime.to_le_bytes();
    put(&mut record, offset_of!(Peer, last_handshake), &handshake);
    put(&mut record, offset_of!(Peer, flags), &flags.bits().to_le_bytes());
    record
}

/// Writes a log entry; `text` is cut to 119 bytes. False if `output` is shorter than 128 bytes.
pub fn encode_log_entry(timestamp_filetime: u64, text: &[u8], output: &mut [u8]) -> bool {
    let Some(record) = output.first_chunk_mut::<{ LogEntry::SIZE }>() else {
        return false;
    };
    record.fill(0);
    put(record, offset_of!(LogEntry, timestamp), &timestamp_filetime.to_le_bytes());
    let text = text.get(..119).unwrap_or(text);
    put(record, offset_of!(LogEntry, message), text);
    true
}

fn put_key(record: &mut [u8], offset: usize, change: KeyChange<'_>) {
    if let KeyChange::Set(key) = change {
        put(record, offset, key);
    }
}
