//! The SDK's data channel over a driver in memory.

mod mock;
/// The example, which has a test here.
#[path = "../../examples/push-keys.rs"]
#[expect(dead_code, reason = "its main function needs adapters")]
mod push_keys;

use std::thread;
use std::time::Duration;

use mock::{MockDriver, PORT, SERVER, any_address};
use push_keys::{End, connect, renew};
use tunic::data_channel::{
    ControlDatagram, DirectionKey, EventInfo, EventKind, InstallKey, KeyMaterial, NewPeer,
    PeerInfo, PeerSelector, PeerTransport, Prefix, Slot, SlotInfo, Suite,
};
use tunic::status::{STATUS_CANCELLED, STATUS_NOT_FOUND};
use tunic::{DataChannel, Error};

fn peer(receive_id: Option<u32>) -> NewPeer {
    NewPeer {
        receive_id,
        transmit_id: receive_id,
        transport: PeerTransport::Udp,
        local: None,
        remote: "192.0.2.1:1194".parse().unwrap(),
        vpn4: Some("10.8.0.2".parse().unwrap()),
        vpn6: None,
    }
}

fn key(suite: Suite, key: &[u8]) -> InstallKey<'_> {
    let direction = DirectionKey { key, nonce_tail: &[2; 8] };
    InstallKey {
        peer: PeerSelector::Only,
        slot: Slot::Primary,
        key_id: 1,
        suite,
        material: KeyMaterial::Fixed { encrypt: direction, decrypt: direction },
        transmit_id: None,
        packet_limit: None,
    }
}

#[test]
fn a_client_sets_up_its_tunnel() {
    let driver = MockDriver::default();
    let channel = DataChannel::new(driver.clone());
    channel.new_peer(&peer(None)).unwrap();
    channel.install_key(&key(Suite::Aes128Gcm, &[1; 16])).unwrap();
    let epoch = InstallKey {
        slot: Slot::Secondary,
        key_id: 2,
        material: KeyMaterial::Epoch { encrypt: &[3; 32], decrypt: &[4; 32] },
        ..key(Suite::ChaCha20Poly1305, &[])
    };
    channel.install_key(&epoch).unwrap();
    channel.swap_keys(PeerSelector::Only).unwrap();
    channel.start().unwrap();
    let (info, peers) = channel.status().unwrap();
    assert!(info.is_started && info.peers_count == 1);
    assert_eq!(peers[0].remote, peer(None).remote);
    let primary = SlotInfo { suite: Suite::ChaCha20Poly1305, key_id: 2, is_epoch: true };
    let secondary = SlotInfo { suite: Suite::Aes128Gcm, key_id: 1, is_epoch: false };
    assert_eq!((peers[0].primary, peers[0].secondary), (Some(primary), Some(secondary)));
    let secrets = vec![(vec![1; 16], vec![1; 16]), (vec![3; 32], vec![4; 32])];
    assert_eq!(driver.state().secrets, secrets);
    channel.stop().unwrap();
    assert_eq!(channel.status().unwrap().1, []);
}

#[test]
fn a_server_has_more_peers_than_fit_into_the_first_answer() {
    let channel = DataChannel::new(MockDriver::default());
    channel.set_mode(SERVER).unwrap();
    let bound = channel.listen(&any_address()).unwrap();
    assert_eq!(bound.port(), PORT);
    for id in 0..100 {
        channel.new_peer(&peer(Some(id))).unwrap();
    }
    channel
        .add_route(PeerSelector::Id(7), Prefix::new("10.1.0.0".parse().unwrap(), 16).unwrap())
        .unwrap();
    channel.delete_peer(PeerSelector::Id(8)).unwrap();
    let (info, peers) = channel.status().unwrap();
    assert_eq!((info.local, info.peers_count, peers.len()), (Some(bound), 99, 99));
    assert_eq!((peers[7].routes_count, peers[8].receive_id), (1, Some(9)));
    let refused = channel.delete_peer(PeerSelector::Id(8));
    assert!(matches!(refused, Err(Error::Refused(STATUS_NOT_FOUND))));
}

#[test]
fn what_the_driver_could_misread_is_refused_before() {
    let channel = DataChannel::new(MockDriver::default());
    let tcp = NewPeer { transport: PeerTransport::Tcp, ..peer(None) };
    assert!(matches!(channel.new_peer(&tcp), Err(Error::Refused(_))));
    channel.new_peer(&peer(None)).unwrap();
    for length in [0, 15, 17, 32, 33] {
        let refused = channel.install_key(&key(Suite::Aes128Gcm, &[1; 33][..length]));
        assert!(matches!(refused, Err(Error::BadKeyLength)), "{length}");
    }
    let long = ControlDatagram { address: None, data: &[1; 2049] };
    assert!(matches!(channel.send_control(&long), Err(Error::TooLarge)));
}

#[test]
fn control_datagrams_go_down_and_come_up() {
    let driver = MockDriver::default();
    let channel = DataChannel::new(driver.clone());
    let sent = ControlDatagram { address: None, data: &[9; 2048] };
    channel.send_control(&sent).unwrap();
    assert_eq!(driver.state().sent, [[9; 2048]]);
    // A wait that was given up gets what the next one is for.
    let soon = Some(Duration::from_millis(1));
    assert_eq!(channel.receive_control(soon).unwrap(), None);
    let from = "[2001:db8::1]:1194".parse().unwrap();
    driver.receive(&ControlDatagram { address: Some(from), data: b"one" });
    driver.receive(&ControlDatagram { address: None, data: b"two" });
    let first = channel.receive_control(None).unwrap().unwrap();
    assert_eq!((first.from, first.data.as_slice()), (Some(from), b"one".as_slice()));
    assert_eq!(channel.receive_control(None).unwrap().unwrap().data, b"two");
}

#[test]
fn a_stop_ends_the_waits_that_there_are_and_no_later_ones() {
    let driver = MockDriver::default();
    let channel = DataChannel::new(driver.clone());
    let soon = Some(Duration::from_millis(1));
    assert_eq!(channel.receive_control(soon).unwrap(), None);
    driver.receive(&ControlDatagram { address: None, data: b"old" });
    channel.stop().unwrap();
    assert_eq!(channel.receive_control(soon).unwrap(), None);
    // Stopped by somebody else.
    DataChannel::new(driver.clone()).stop().unwrap();
    driver.receive(&ControlDatagram { address: None, data: b"new" });
    assert_eq!(channel.receive_control(None).unwrap().unwrap().data, b"new");
    // One that was given up before, and is waited for again.
    assert_eq!(channel.receive_control(soon).unwrap(), None);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| channel.receive_control(None));
        while !waiting.is_finished() {
            channel.stop().unwrap();
        }
        assert!(matches!(waiting.join().unwrap(), Err(Error::Refused(STATUS_CANCELLED))));
    });
}

#[test]
fn events_come_while_others_wait_for_datagrams() {
    let driver = MockDriver::default();
    let channel = DataChannel::new(driver.clone());
    let event = |sequence: u32| {
        let address = format!("192.0.2.1:{}", sequence + 1).parse().unwrap();
        EventInfo { peer: Some(sequence), kind: EventKind::Floated(address) }
    };
    thread::scope(|scope| {
        let waiting: Vec<_> =
            (0..4).map(|_| scope.spawn(|| channel.receive_control(None).unwrap())).collect();
        driver.unknown_event();
        for sequence in 0..10 {
            driver.event(sequence.into(), event(sequence));
        }
        for sequence in 0..10 {
            let stamped = channel.next_event(None).unwrap().unwrap();
            assert_eq!((stamped.sequence, stamped.event), (sequence.into(), event(sequence)));
        }
        assert_eq!(channel.next_event(Some(Duration::from_millis(1))).unwrap(), None);
        for byte in 0..4 {
            driver.receive(&ControlDatagram { address: None, data: &[byte] });
        }
        let mut received: Vec<_> =
            waiting.into_iter().flat_map(|wait| wait.join().unwrap().unwrap().data).collect();
        received.sort_unstable();
        assert_eq!(received, [0, 1, 2, 3]);
    });
}

fn only_peer(end: &End<MockDriver>) -> PeerInfo {
    let (info, peers) = end.channel.status().unwrap();
    assert!(info.is_started);
    assert_eq!(peers.len(), 1);
    peers[0]
}

#[test]
fn both_ends_have_the_keys_of_both_directions() {
    let drivers = [MockDriver::default(), MockDriver::default()];
    let end = |index: usize, address: &str| End {
        channel: DataChannel::new(drivers[index].clone()),
        address: address.parse().unwrap(),
    };
    let ends = [end(0, "192.0.2.1:1194"), end(1, "192.0.2.2:1194")];
    connect(&ends).unwrap();
    renew(&ends, 1).unwrap();
    for (own, other) in [(0, 1), (1, 0)] {
        let peer = only_peer(&ends[own]);
        assert_eq!(peer.remote, ends[other].address);
        assert_eq!((peer.keepalive_s, peer.timeout_s), (10, 60));
        assert_eq!(peer.primary.map(|slot| slot.key_id), Some(1));
        assert_eq!(peer.secondary.map(|slot| slot.key_id), Some(0));
    }
    let [left, right] = drivers.map(|driver| driver.state().secrets.clone());
    assert_eq!(left.len(), 2);
    for ((encrypt, decrypt), mirrored) in left.iter().zip(&right) {
        assert_ne!(encrypt, decrypt);
        assert_eq!(mirrored, &(decrypt.clone(), encrypt.clone()));
    }
    assert_ne!(left[0], left[1], "a renewed key is a new one");
}
