//! Encodes answers of ovpn-dco-win's ABI. Each is a whole struct whose padding is zero.

use core::mem::offset_of;

use super::VERSION;
use super::records::{MpStartVpn, NotifyEvent, PeerStats, Stats, Version};
use super::{NOTIFY_DEL_PEER, NOTIFY_FLOAT_PEER, NOTIFY_SWAP_KEYS};
use crate::bytes::put;
use crate::data_channel::{EventInfo, EventKind, Listen, PeerTraffic};
use crate::sockaddr;

/// Counters of an adapter. Packet counters are reported in 32 bits and wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Control datagrams received and lost.
    pub lost_in_control: u64,
    /// Control datagrams to be sent and lost.
    pub lost_out_control: u64,
    /// Data packets received and lost.
    pub lost_in_data: u64,
    /// Data packets to be sent and lost.
    pub lost_out_data: u64,
    /// Data packets received.
    pub received_data: u64,
    /// Control datagrams received.
    pub received_control: u64,
    /// Control datagrams sent.
    pub sent_control: u64,
    /// Data packets sent.
    pub sent_data: u64,
    /// Bytes of UDP payload sent.
    pub transport_sent_bytes: u64,
    /// Bytes of UDP payload received.
    pub transport_received_bytes: u64,
    /// Bytes of IP packets sent.
    pub tun_sent_bytes: u64,
    /// Bytes of IP packets received.
    pub tun_received_bytes: u64,
}

/// The driver's version.
pub fn encode_version() -> [u8; Version::SIZE] {
    let mut bytes = [0; Version::SIZE];
    put(&mut bytes, offset_of!(Version, major), &VERSION.0.to_le_bytes());
    put(&mut bytes, offset_of!(Version, minor), &VERSION.1.to_le_bytes());
    put(&mut bytes, offset_of!(Version, patch), &VERSION.2.to_le_bytes());
    bytes
}

/// The address to which the socket was bound.
pub fn encode_listen(bound: &Listen) -> [u8; MpStartVpn::SIZE] {
    let mut bytes = [0; MpStartVpn::SIZE];
    put(&mut bytes, offset_of!(MpStartVpn, listen), &sockaddr::encode(&bound.local));
    let ipv6_only = u32::from(bound.v6_only);
    put(&mut bytes, offset_of!(MpStartVpn, ipv6_only), &ipv6_only.to_le_bytes());
    bytes
}

/// An adapter's counters.
pub fn encode_statistics(statistics: &Statistics) -> [u8; Stats::SIZE] {
    let mut bytes = [0; Stats::SIZE];
    for (offset, packets) in [
        (offset_of!(Stats, lost_in_control), statistics.lost_in_control),
        (offset_of!(Stats, lost_out_control), statistics.lost_out_control),
        (offset_of!(Stats, lost_in_data), statistics.lost_in_data),
        (offset_of!(Stats, lost_out_data), statistics.lost_out_data),
        (offset_of!(Stats, received_data), statistics.received_data),
        (offset_of!(Stats, received_control), statistics.received_control),
        (offset_of!(Stats, sent_control), statistics.sent_control),
        (offset_of!(Stats, sent_data), statistics.sent_data),
    ] {
        let [a, b, c, d, ..] = packets.to_le_bytes();
        put(&mut bytes, offset, &[a, b, c, d]);
    }
    for (offset, sum) in [
        (offset_of!(Stats, transport_sent), statistics.transport_sent_bytes),
        (offset_of!(Stats, transport_received), statistics.transport_received_bytes),
        (offset_of!(Stats, tun_sent), statistics.tun_sent_bytes),
        (offset_of!(Stats, tun_received), statistics.tun_received_bytes),
    ] {
        put(&mut bytes, offset, &sum.to_le_bytes());
    }
    bytes
}

/// A peer's counters, with the id of the request; in an answer for all peers, with the peer's own.
pub fn encode_peer_stats(peer: u32, traffic: &PeerTraffic) -> [u8; PeerStats::SIZE] {
    let mut bytes = [0; PeerStats::SIZE];
    put(&mut bytes, offset_of!(PeerStats, peer_id), &peer.to_le_bytes());
    for (offset, sum) in [
        (offset_of!(PeerStats, link_rx), traffic.link_rx_bytes),
        (offset_of!(PeerStats, link_tx), traffic.link_tx_bytes),
        (offset_of!(PeerStats, vpn_rx), traffic.vpn_rx_bytes),
        (offset_of!(PeerStats, vpn_tx), traffic.vpn_tx_bytes),
    ] {
        put(&mut bytes, offset, &sum.to_le_bytes());
    }
    bytes
}

/// The answer if the counters of all peers do not fit: the bytes that they need. Completed with
/// STATUS_BUFFER_OVERFLOW.
pub fn encode_required_bytes(peers: usize) -> [u8; 4] {
    u32::try_from(peers.saturating_mul(PeerStats::SIZE)).unwrap_or(u32::MAX).to_le_bytes()
}

/// An event; `None` if this ABI does not define it. The only peer of point-to-point mode is -1.
pub fn encode_event(event: &EventInfo) -> Option<[u8; NotifyEvent::SIZE]> {
    let mut bytes = [0; NotifyEvent::SIZE];
    let command = match event.kind {
        EventKind::Deleted(reason) => {
            put(&mut bytes, offset_of!(NotifyEvent, del_reason), &(reason as u32).to_le_bytes());
            NOTIFY_DEL_PEER
        }
        EventKind::UsageLimitNear => NOTIFY_SWAP_KEYS,
        EventKind::Floated(address) => {
            sockaddr::put_short(&mut bytes, offset_of!(NotifyEvent, float_address), &address);
            NOTIFY_FLOAT_PEER
        }
        EventKind::KeyWanted | EventKind::TimedOut => return None,
    };
    put(&mut bytes, offset_of!(NotifyEvent, cmd), &command.to_le_bytes());
    let peer = event.peer.unwrap_or(u32::MAX);
    put(&mut bytes, offset_of!(NotifyEvent, peer_id), &peer.to_le_bytes());
    Some(bytes)
}
