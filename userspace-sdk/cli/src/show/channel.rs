//! `tunic show` for an adapter whose handshake is in userspace.

use std::fmt::{self, Write as _};

use tunic::Statistics;
use tunic::data_channel::{ChannelInfo, Mode, PeerInfo, SlotInfo};

use super::{Bytes, write_discards};

pub(super) fn write_adapter(
    out: &mut String,
    name: &str,
    info: &ChannelInfo,
    peers: &[PeerInfo],
    statistics: &Statistics,
) -> fmt::Result {
    writeln!(out, "interface: {name}")?;
    let mode = match info.mode {
        Mode::PointToPoint => "point-to-point",
        Mode::MultiPeer => "multi-peer",
    };
    writeln!(out, "  protocol: OpenVPN, {mode}")?;
    if let Some(local) = info.local {
        writeln!(out, "  local address: {local}")?;
    }
    writeln!(out, "  state: {}", if info.is_started { "up" } else { "down" })?;
    write_discards(out, statistics)?;
    for peer in peers {
        out.push('\n');
        write_peer(out, peer)?;
    }
    Ok(())
}

fn write_peer(out: &mut String, peer: &PeerInfo) -> fmt::Result {
    match peer.receive_id {
        Some(id) => writeln!(out, "peer: {id}")?,
        None => writeln!(out, "peer: (only)")?,
    }
    if let Some(id) = peer.transmit_id.filter(|&id| Some(id) != peer.receive_id) {
        writeln!(out, "  transmit id: {id}")?;
    }
    writeln!(out, "  endpoint: {}", peer.remote)?;
    let addresses = peer.vpn4.map(|address| address.to_string());
    let addresses: Vec<_> =
        addresses.into_iter().chain(peer.vpn6.map(|address| address.to_string())).collect();
    if !addresses.is_empty() {
        writeln!(out, "  tunnel addresses: {}", addresses.join(", "))?;
    }
    if peer.routes_count != 0 {
        writeln!(out, "  routes: {}", peer.routes_count)?;
    }
    for (name, slot) in [("primary", peer.primary), ("secondary", peer.secondary)] {
        if let Some(slot) = slot {
            writeln!(out, "  {name} key: {}", Slot(slot))?;
        }
    }
    let traffic = &peer.traffic;
    if traffic.rx_packets != 0 || traffic.tx_packets != 0 {
        let (received, sent) = (Bytes(traffic.vpn_rx_bytes), Bytes(traffic.vpn_tx_bytes));
        writeln!(
            out,
            "  transfer: {received} received in {} packets, {sent} sent in {}",
            traffic.rx_packets, traffic.tx_packets
        )?;
    }
    if peer.keepalive_s != 0 {
        writeln!(out, "  keepalive: every {} s", peer.keepalive_s)?;
    }
    if peer.timeout_s != 0 {
        writeln!(out, "  timeout: {} s", peer.timeout_s)?;
    }
    if peer.mss_bytes != 0 {
        writeln!(out, "  largest TCP segment: {} B", peer.mss_bytes)?;
    }
    Ok(())
}

/// The key in a slot, for display.
struct Slot(SlotInfo);

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SlotInfo { suite, key_id, is_epoch } = self.0;
        write!(f, "{suite}, id {key_id}{}", if is_epoch { ", epochs" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tunic::data_channel::{PeerTraffic, Suite};

    #[test]
    fn peers_are_shown_with_their_slots() {
        let info = ChannelInfo {
            mode: Mode::MultiPeer,
            is_started: true,
            local: Some("0.0.0.0:1194".parse().unwrap()),
            peers_count: 2,
        };
        let peer = PeerInfo {
            receive_id: Some(7),
            transmit_id: Some(9),
            remote: "192.0.2.1:1194".parse().unwrap(),
            vpn4: Some("10.8.0.2".parse().unwrap()),
            vpn6: Some("fd00::2".parse().unwrap()),
            routes_count: 1,
            keepalive_s: 10,
            timeout_s: 60,
            mss_bytes: 1300,
            primary: Some(SlotInfo { suite: Suite::Aes256Gcm, key_id: 0, is_epoch: false }),
            secondary: Some(SlotInfo { suite: Suite::ChaCha20Poly1305, key_id: 1, is_epoch: true }),
            traffic: PeerTraffic {
                rx_packets: 2,
                tx_packets: 3,
                vpn_rx_bytes: 5 << 30,
                vpn_tx_bytes: 1023,
                ..PeerTraffic::default()
            },
        };
        let idle = PeerInfo {
            receive_id: None,
            transmit_id: None,
            vpn4: None,
            vpn6: None,
            routes_count: 0,
            keepalive_s: 0,
            timeout_s: 0,
            mss_bytes: 0,
            primary: None,
            secondary: None,
            traffic: PeerTraffic::default(),
            ..peer
        };
        let statistics = Statistics { discards: vec![("replayed", 1)], ..Statistics::default() };
        let mut text = String::new();
        write_adapter(&mut text, "ovpn0", &info, &[peer, idle], &statistics).unwrap();
        assert_eq!(
            text,
            "interface: ovpn0\n  protocol: OpenVPN, multi-peer\n  local address: 0.0.0.0:1194\n  \
             state: up\n  discards: 1 replayed\n\n\
             peer: 7\n  transmit id: 9\n  endpoint: 192.0.2.1:1194\n  \
             tunnel addresses: 10.8.0.2, fd00::2\n  routes: 1\n  primary key: AES-256-GCM, id 0\n  \
             secondary key: CHACHA20-POLY1305, id 1, epochs\n  \
             transfer: 5.00 GiB received in 2 packets, 1023 B sent in 3\n  \
             keepalive: every 10 s\n  timeout: 60 s\n  largest TCP segment: 1300 B\n\n\
             peer: (only)\n  endpoint: 192.0.2.1:1194\n"
        );
    }
}
