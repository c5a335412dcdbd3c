//! Records of WireGuardNT's ABI: requests for the SDK, answers for the driver.

use core::mem::offset_of;
use core::net::IpAddr;

use super::{
    AF_INET, AF_INET6, ALLOWED_IP_REMOVE, AllowedIp, INTERFACE_HAS_LISTEN_PORT,
    INTERFACE_HAS_PRIVATE_KEY, INTERFACE_HAS_PUBLIC_KEY, INTERFACE_REPLACE_PEERS, Interface,
    LogEntry, PEER_HAS_ENDPOINT, PEER_HAS_PERSISTENT_KEEPALIVE, PEER_HAS_PRESHARED_KEY,
    PEER_HAS_PUBLIC_KEY, PEER_REMOVE, PEER_REPLACE_ALLOWED_IPS, PEER_UPDATE_ONLY, Peer,
    encode_sockaddr, is_zero,
};
use crate::bytes::put;
use crate::command::{KeyChange, PeerAction, PeerChange};
use crate::configuration::{InterfaceInfo, PeerInfo};

/// A change of an interface as a record, for [`IOCTL_SET`](super::IOCTL_SET); `peers_count` records
/// of peers are to follow.
pub fn encode_interface(
    listen_port: Option<u16>,
    private_key: Option<KeyChange<'_>>,
    replace_peers: bool,
    peers_count: u32,
) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    let mut flags = 0;
    if let Some(port) = listen_port {
        flags |= INTERFACE_HAS_LISTEN_PORT;
        put(&mut record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(change) = private_key {
        flags |= INTERFACE_HAS_PRIVATE_KEY;
        put_key(&mut record, offset_of!(Interface, private_key), change);
    }
    if replace_peers {
        flags |= INTERFACE_REPLACE_PEERS;
    }
    put(&mut record, offset_of!(Interface, flags), &flags.to_le_bytes());
    put(&mut record, offset_of!(Interface, peers_count), &peers_count.to_le_bytes());
    record
}

/// A change of a peer as a record, for [`IOCTL_SET`](super::IOCTL_SET); its own allowed IPs do not
/// count, but `allowed_ips_count`, which says how many records are to follow.
pub fn encode_peer(peer: &PeerChange<'_>, allowed_ips_count: u32) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    let mut flags = PEER_HAS_PUBLIC_KEY;
    put(&mut record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(change) = peer.preshared_key {
        flags |= PEER_HAS_PRESHARED_KEY;
        put_key(&mut record, offset_of!(Peer, preshared_key), change);
    }
    if let Some(seconds) = peer.persistent_keepalive_s {
        flags |= PEER_HAS_PERSISTENT_KEEPALIVE;
        put(&mut record, offset_of!(Peer, persistent_keepalive), &seconds.to_le_bytes());
    }
    if let Some(endpoint) = &peer.endpoint {
        flags |= PEER_HAS_ENDPOINT;
        put(&mut record, offset_of!(Peer, endpoint), &encode_sockaddr(endpoint));
    }
    if peer.replace_allowed_ips {
        flags |= PEER_REPLACE_ALLOWED_IPS;
    }
    flags |= match peer.action {
        PeerAction::CreateOrUpdate => 0,
        PeerAction::UpdateOnly => PEER_UPDATE_ONLY,
        PeerAction::Remove => PEER_REMOVE,
    };
    put(&mut record, offset_of!(Peer, flags), &flags.to_le_bytes());
    put(&mut record, offset_of!(Peer, allowed_ips_count), &allowed_ips_count.to_le_bytes());
    record
}

/// An allowed IP as a record.
pub fn encode_allowed_ip(
    address: IpAddr,
    prefix_length: u8,
    remove: bool,
) -> [u8; AllowedIp::SIZE] {
    let mut record = [0; AllowedIp::SIZE];
    let family = match address {
        IpAddr::V4(v4) => {
            put(&mut record, offset_of!(AllowedIp, address), &v4.octets());
            AF_INET
        }
        IpAddr::V6(v6) => {
            put(&mut record, offset_of!(AllowedIp, address), &v6.octets());
            AF_INET6
        }
    };
    put(&mut record, offset_of!(AllowedIp, address_family), &family.to_le_bytes());
    put(&mut record, offset_of!(AllowedIp, cidr), &[prefix_length]);
    let flags = if remove { ALLOWED_IP_REMOVE } else { 0 };
    put(&mut record, offset_of!(AllowedIp, flags), &flags.to_le_bytes());
    record
}

/// An interface as a record, for the answer to [`IOCTL_GET`](super::IOCTL_GET).
pub(crate) fn encode_interface_info(interface: &InterfaceInfo<'_>) -> [u8; Interface::SIZE] {
    let mut record = [0; Interface::SIZE];
    let mut flags = 0;
    if let Some(port) = interface.listen_port.filter(|&port| port != 0) {
        flags |= INTERFACE_HAS_LISTEN_PORT;
        put(&mut record, offset_of!(Interface, listen_port), &port.to_le_bytes());
    }
    if let Some(key) = interface.private_key {
        flags |= INTERFACE_HAS_PRIVATE_KEY;
        put(&mut record, offset_of!(Interface, private_key), key);
    }
    if let Some(key) = interface.public_key {
        flags |= INTERFACE_HAS_PUBLIC_KEY;
        put(&mut record, offset_of!(Interface, public_key), key);
    }
    put(&mut record, offset_of!(Interface, flags), &flags.to_le_bytes());
    record
}

/// A peer as a record, for the answer to [`IOCTL_GET`](super::IOCTL_GET).
pub(crate) fn encode_peer_info(peer: &PeerInfo<'_>) -> [u8; Peer::SIZE] {
    let mut record = [0; Peer::SIZE];
    let mut flags = PEER_HAS_PUBLIC_KEY | PEER_HAS_PERSISTENT_KEEPALIVE;
    put(&mut record, offset_of!(Peer, protocol_version), &1_u32.to_le_bytes());
    put(&mut record, offset_of!(Peer, public_key), peer.public_key);
    if let Some(key) = peer.preshared_key.filter(|key| !is_zero(key)) {
        flags |= PEER_HAS_PRESHARED_KEY;
        put(&mut record, offset_of!(Peer, preshared_key), key);
    }
    let keepalive = peer.persistent_keepalive_s.to_le_bytes();
    put(&mut record, offset_of!(Peer, persistent_keepalive), &keepalive);
    if let Some(endpoint) = peer.endpoint.filter(|endpoint| endpoint.port() != 0) {
        flags |= PEER_HAS_ENDPOINT;
        put(&mut record, offset_of!(Peer, endpoint), &encode_sockaddr(&endpoint));
    }
    put(&mut record, offset_of!(Peer, tx_bytes), &peer.tx_bytes.to_le_bytes());
    put(&mut record, offset_of!(Peer, rx_bytes), &peer.rx_bytes.to_le_bytes());
    let handshake = peer.last_handshake_filetime.to_le_bytes();
    put(&mut record, offset_of!(Peer, last_handshake), &handshake);
    put(&mut record, offset_of!(Peer, flags), &flags.to_le_bytes());
    record
}

/// Writes a log entry; `text` is cut to 119 bytes. False where `output` is shorter than 128 bytes.
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
