//! `tunicd` with OpenVPN's data channel: keys that userspace pushes.

use std::time::Duration;

use anyhow::{Result, ensure};
use tunic::DataChannel;
use tunic::data_channel::{
    DirectionKey, InstallKey, KeyMaterial, NewPeer, PeerSelector, PeerTransport, Slot, Suite,
};
use tunic_tests::link::Link;
use tunic_tests::namespace::unique;
use tunic_tests::ping;
use tunic_tests::random::Random;
use tunic_tests::require::{self, Need};
use tunic_tests::secrets::Secrets;
use tunic_tests::tunicd::Tunicd;

const NEEDS: [Need; 3] =
    [Need::Root, Need::Program("ip", "iproute2"), Need::Program("ping", "iputils-ping")];

/// Keys of every kind carry packets, are replaced, and are deleted, alone or with their peer.
#[test]
fn no_key_of_a_data_channel_outlives_its_use() {
    let name = "no_key_of_a_data_channel_outlives_its_use";
    if require::all(name, &NEEDS)
        && let Err(error) = run()
    {
        panic!("{name}: {error:#}");
    }
}

fn run() -> Result<()> {
    let link = Link::new()?;
    let left = Tunicd::start_openvpn(&link.left, &unique("tw"))?;
    let right = Tunicd::start_openvpn(&link.right, &unique("tw"))?;
    let ends = [DataChannel::open(left.interface())?, DataChannel::open(right.interface())?];
    for (host, (namespace, tunicd)) in [(1, (&link.left, &left)), (2, (&link.right, &right))] {
        let interface = tunicd.interface();
        namespace.ip(&format!("addr add 10.77.0.{host}/24 dev {interface}"))?;
        namespace.ip(&format!("link set {interface} up"))?;
    }
    let mut random = Random::new(2);
    let mut secrets = Secrets::default();
    let mut used = Secrets::default();
    for (index, channel) in ends.iter().enumerate() {
        channel.new_peer(&NewPeer {
            receive_id: None,
            transmit_id: None,
            transport: PeerTransport::Udp,
            local: Some(format!("10.9.0.{}:1194", index + 1).parse()?),
            remote: format!("10.9.0.{}:1194", 2 - index).parse()?,
            vpn4: None,
            vpn6: None,
        })?;
        channel.start()?;
    }
    for round in 0..12 {
        let suite = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305, Suite::Aes128Gcm][round % 3];
        let mut pair = [[0; 32]; 2];
        for key in &mut pair {
            random.fill(key);
            secrets.add_key(&format!("key {round}, {suite:?}"), key);
            used.add_key("the last key", key);
        }
        for (index, channel) in ends.iter().enumerate() {
            let (ours, theirs) = (&pair[index], &pair[1 - index]);
            let direction = |key| DirectionKey { key, nonce_tail: &[1; 8] };
            let length = suite.key_bytes();
            let material = if round % 4 == 3 {
                KeyMaterial::Epoch { encrypt: ours, decrypt: theirs }
            } else {
                KeyMaterial::Fixed {
                    encrypt: direction(&ours[..length]),
                    decrypt: direction(&theirs[..length]),
                }
            };
            channel.install_key(&InstallKey {
                peer: PeerSelector::Only,
                slot: if round % 2 == 0 { Slot::Primary } else { Slot::Secondary },
                key_id: u8::try_from(round % 8)?,
                suite,
                material,
                transmit_id: Some(7),
                packet_limit: None,
            })?;
            if round % 2 == 1 {
                channel.swap_keys(PeerSelector::Only)?;
            }
        }
        let is_there = ping::reaches(&link.left, "10.77.0.2", Duration::from_secs(20))?;
        ensure!(is_there, "no reply in round {round}, {suite:?}");
        super::flood(&link.left, "10.77.0.2")?;
        if round % 8 == 7 && round < 11 {
            for channel in &ends {
                channel.delete_key(PeerSelector::Only, Slot::Secondary)?;
            }
        }
    }
    ensure!(used.find(left.process_id())?.of("the last key") > 0, "nothing is found");
    ends[0].delete_peer(PeerSelector::Only)?;
    ends[1].delete_key(PeerSelector::Only, Slot::Primary)?;
    ends[1].delete_key(PeerSelector::Only, Slot::Secondary)?;
    secrets.require_gone("left, whose peer is deleted", left.process_id())?;
    secrets.require_gone("right, whose keys are deleted", right.process_id())?;
    left.stop()?;
    right.stop()
}
