//! The native ABI of data channels.

use std::net::SocketAddr;
use std::num::NonZeroU64;

use tunic_ioctl::data_channel::{
    ChannelInfo, Command, ControlDatagram, DeleteReason, DirectionKey, EventInfo, EventKind,
    InstallKey, KeyMaterial, Listen, MAX_CONTROL_BYTES, Mode, NewPeer, PeerInfo, PeerSelector,
    PeerTraffic, Prefix, SetPeer, Slot, SlotInfo, Suite, Transport,
};
use tunic_ioctl::native::channel::reply::{self, ChannelEncoder, StampedEvent};
use tunic_ioctl::native::channel::{
    self, IOCTL_CHANNEL_ADD_ROUTE, IOCTL_CHANNEL_DELETE_KEY, IOCTL_CHANNEL_DELETE_PEER,
    IOCTL_CHANNEL_INSTALL_KEY, IOCTL_CHANNEL_LISTEN, IOCTL_CHANNEL_NEW_PEER, IOCTL_CHANNEL_QUERY,
    IOCTL_CHANNEL_REMOVE_ROUTE, IOCTL_CHANNEL_SEND_CONTROL, IOCTL_CHANNEL_SET_MODE,
    IOCTL_CHANNEL_SET_PEER, IOCTL_CHANNEL_SWAP_KEYS,
};
use tunic_ioctl::{Abi, AdapterId, DecodeErrorKind as Kind, decode, native};

use crate::mutation::{MUTATIONS, Mutator};

const ADAPTER: AdapterId = AdapterId([5; 16]);

fn command(code: u32, bytes: &[u8]) -> Result<Command<'_>, Kind> {
    let request = decode(code, bytes).map_err(|error| error.kind)?;
    assert_eq!(request.adapter, Some(ADAPTER));
    match request.command {
        tunic_ioctl::Command::DataChannel(Abi::Native, command) => Ok(command),
        _ => panic!("another command"),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn new_peer() -> NewPeer {
    NewPeer {
        receive_id: Some(7),
        transmit_id: Some(0xFF_FFFF),
        transport: Transport::Udp,
        local: Some(address("[::]:0")),
        remote: address("[fe80::1%3]:1194"),
        vpn4: Some("10.8.0.2".parse().unwrap()),
        vpn6: Some("fd00::2".parse().unwrap()),
    }
}

fn aes_192<'a>(key: &'a [u8; 24], nonce_tail: &'a [u8; 8]) -> InstallKey<'a> {
    let direction = DirectionKey { key, nonce_tail };
    InstallKey {
        peer: PeerSelector::Only,
        slot: Slot::Secondary,
        key_id: 7,
        suite: Suite::Aes192Gcm,
        material: KeyMaterial::Fixed { encrypt: direction, decrypt: direction },
        transmit_id: Some(9),
        packet_limit: NonZeroU64::new(1 << 40),
    }
}

fn datagram(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xAA; 4096];
    let datagram = ControlDatagram { address: Some(address("192.0.2.1:1194")), data };
    let length = channel::encode_datagram(ADAPTER, &datagram, &mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

/// One good request of each kind.
fn requests() -> Vec<(u32, Vec<u8>)> {
    let prefix = Prefix::new("10.1.2.3".parse().unwrap(), 16).unwrap();
    let listen = Listen { local: address("0.0.0.0:0"), v6_only: true };
    let set_peer = SetPeer {
        peer: PeerSelector::Id(7),
        keepalive_s: Some(10),
        timeout_s: None,
        mss_bytes: Some(1300),
    };
    let slot = channel::encode_slot(ADAPTER, PeerSelector::Id(7), Slot::Secondary);
    let peer = channel::encode_select_peer(ADAPTER, PeerSelector::Id(7));
    let key = channel::encode_key(ADAPTER, &aes_192(&[1; 24], &[2; 8]));
    let route = channel::encode_route(ADAPTER, PeerSelector::Id(7), prefix);
    vec![
        (IOCTL_CHANNEL_SET_MODE, channel::encode_set_mode(ADAPTER, Mode::MultiPeer).to_vec()),
        (IOCTL_CHANNEL_LISTEN, channel::encode_listen(ADAPTER, &listen).to_vec()),
        (IOCTL_CHANNEL_NEW_PEER, channel::encode_new_peer(ADAPTER, &new_peer()).to_vec()),
        (IOCTL_CHANNEL_DELETE_PEER, peer.to_vec()),
        (IOCTL_CHANNEL_SET_PEER, channel::encode_set_peer(ADAPTER, &set_peer).to_vec()),
        (IOCTL_CHANNEL_INSTALL_KEY, key.to_vec()),
        (IOCTL_CHANNEL_SWAP_KEYS, peer.to_vec()),
        (IOCTL_CHANNEL_DELETE_KEY, slot.to_vec()),
        (IOCTL_CHANNEL_ADD_ROUTE, route.to_vec()),
        (IOCTL_CHANNEL_REMOVE_ROUTE, route.to_vec()),
        (IOCTL_CHANNEL_QUERY, native::encode_select(ADAPTER).to_vec()),
        (IOCTL_CHANNEL_SEND_CONTROL, datagram(b"hello")),
    ]
}

#[test]
fn requests_come_back() {
    let requests = requests();
    let commands: Vec<_> =
        requests.iter().map(|(code, bytes)| command(*code, bytes).unwrap()).collect();
    assert!(matches!(commands[0], Command::SetMode(Mode::MultiPeer)));
    assert!(matches!(commands[1], Command::Listen(listen)
        if listen == Listen { local: address("0.0.0.0:0"), v6_only: true }));
    assert!(matches!(commands[2], Command::NewPeer(peer) if peer == new_peer()));
    assert!(matches!(commands[3], Command::DeletePeer(PeerSelector::Id(7))));
    let Command::SetPeer(set_peer) = commands[4] else { panic!() };
    assert_eq!((set_peer.keepalive_s, set_peer.timeout_s), (Some(10), None));
    assert_eq!((set_peer.mss_bytes, set_peer.peer), (Some(1300), PeerSelector::Id(7)));
    let Command::InstallKey(key) = commands[5] else { panic!() };
    assert_eq!((key.peer, key.slot, key.key_id), (PeerSelector::Only, Slot::Secondary, 7));
    assert_eq!((key.transmit_id, key.packet_limit.unwrap().get()), (Some(9), 1 << 40));
    let KeyMaterial::Fixed { encrypt, decrypt } = key.material else { panic!() };
    assert_eq!((encrypt.key, encrypt.nonce_tail), ([1; 24].as_slice(), &[2; 8]));
    assert_eq!(decrypt.key.len(), 24);
    assert!(matches!(commands[6], Command::SwapKeys(PeerSelector::Id(7))));
    assert!(matches!(commands[7], Command::DeleteKey(PeerSelector::Id(7), Slot::Secondary)));
    let Command::AddRoute(PeerSelector::Id(7), prefix) = commands[8] else { panic!() };
    assert_eq!((prefix.address.to_string().as_str(), prefix.length), ("10.1.0.0", 16));
    assert!(matches!(commands[9], Command::RemoveRoute(removed) if removed == prefix));
    assert!(matches!(commands[10], Command::QueryPeers(None)));
    let Command::SendControl(sent) = commands[11] else { panic!() };
    assert_eq!((sent.address, sent.data), (Some(address("192.0.2.1:1194")), b"hello".as_slice()));
}

#[test]
fn epoch_secrets_come_back_without_nonce_tails() {
    let mut key = aes_192(&[0; 24], &[0; 8]);
    key.material = KeyMaterial::Epoch { encrypt: &[3; 32], decrypt: &[4; 32] };
    let mut bytes = channel::encode_key(ADAPTER, &key);
    let Command::InstallKey(decoded) = command(IOCTL_CHANNEL_INSTALL_KEY, &bytes).unwrap() else {
        panic!()
    };
    let KeyMaterial::Epoch { encrypt, decrypt } = decoded.material else { panic!() };
    assert_eq!((encrypt, decrypt), (&[3; 32], &[4; 32]));
    bytes[88] = 1;
    let refused = command(IOCTL_CHANNEL_INSTALL_KEY, &bytes).err();
    assert_eq!(refused, Some(Kind::ReservedNotZero));
}

#[test]
fn requests_of_another_size_are_refused() {
    for (code, bytes) in requests() {
        for length in 0..bytes.len() {
            assert!(command(code, &bytes[..length]).is_err(), "{code:#x} of {length} bytes");
        }
        let longer = [bytes.as_slice(), &[0; 8]].concat();
        assert_eq!(command(code, &longer).err(), Some(Kind::BadSize), "{code:#x}");
    }
}

#[test]
fn values_out_of_range_are_refused() {
    let requests = requests();
    let refused = |code: u32, offset: usize, value: &[u8]| {
        let (_, bytes) = requests.iter().find(|(known, _)| *known == code).unwrap();
        let mut bytes = bytes.clone();
        bytes[offset..offset + value.len()].copy_from_slice(value);
        command(code, &bytes).err()
    };
    assert_eq!(refused(IOCTL_CHANNEL_SET_MODE, 24, &[2]), Some(Kind::BadMode));
    assert_eq!(refused(IOCTL_CHANNEL_LISTEN, 24, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(IOCTL_CHANNEL_LISTEN, 52, &[2]), Some(Kind::BadFlags));
    let peer = IOCTL_CHANNEL_NEW_PEER;
    assert_eq!(refused(peer, 24, &[255, 255, 255, 0]), Some(Kind::BadPeerId));
    assert_eq!(refused(peer, 28, &[0, 0, 0, 1]), Some(Kind::BadPeerId));
    assert_eq!(refused(peer, 32, &[2]), Some(Kind::BadAddressFamily), "families differ");
    assert_eq!(refused(peer, 60, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(peer, 62, &[0, 0]), Some(Kind::BadPort));
    assert_eq!(refused(IOCTL_CHANNEL_SWAP_KEYS, 28, &[1]), Some(Kind::ReservedNotZero));
    assert_eq!(refused(IOCTL_CHANNEL_DELETE_KEY, 28, &[2]), Some(Kind::BadSlot));
    assert_eq!(refused(IOCTL_CHANNEL_SET_PEER, 42, &[1]), Some(Kind::BadSegmentSize));
    let key = IOCTL_CHANNEL_INSTALL_KEY;
    assert_eq!(refused(key, 28, &[2]), Some(Kind::BadSlot));
    assert_eq!(refused(key, 32, &[0]), Some(Kind::BadSuite));
    assert_eq!(refused(key, 32, &[5]), Some(Kind::BadSuite));
    assert_eq!(refused(key, 36, &[8]), Some(Kind::BadKeyId));
    assert_eq!(refused(key, 44, &[0, 0, 0, 1]), Some(Kind::BadPeerId));
    assert_eq!(refused(key, 80, &[1]), Some(Kind::ReservedNotZero), "behind a short key");
    assert_eq!(refused(IOCTL_CHANNEL_ADD_ROUTE, 44, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(IOCTL_CHANNEL_ADD_ROUTE, 46, &[33]), Some(Kind::BadPrefixLength));
    let send = IOCTL_CHANNEL_SEND_CONTROL;
    assert_eq!(refused(send, 52, &[0]), Some(Kind::BadDatagramLength));
    assert_eq!(refused(send, 52, &[0, 16]), Some(Kind::BadDatagramLength));
    assert_eq!(refused(send, 52, &[9]), Some(Kind::BadSize));
    assert_eq!(refused(send, 61, &[1]), Some(Kind::UnsupportedVersion), "behind the data");
}

#[test]
fn control_datagrams_come_back_at_every_length() {
    for length in [1, 7, 8, 9, 1500, MAX_CONTROL_BYTES] {
        let data = vec![0x5A; length];
        let bytes = datagram(&data);
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(reply::decode_datagram(&bytes).unwrap().data, data);
    }
    let sent = ControlDatagram { address: None, data: &[1; 9] };
    assert_eq!(channel::encode_datagram(ADAPTER, &sent, &mut [0; 71]), None);
    let mut place = [0xAA; 72];
    assert_eq!(channel::encode_datagram(ADAPTER, &sent, &mut place), Some(72));
    assert_eq!(place[65..], [0; 7], "nothing of the output shows");
    assert_eq!(reply::decode_datagram(&place), Ok(sent));
}

#[test]
fn events_come_back() {
    for (peer, kind) in [
        (Some(3), EventKind::KeyWanted),
        (None, EventKind::UsageLimitNear),
        (None, EventKind::TimedOut),
        (Some(0), EventKind::Floated(address("[2001:db8::1]:7"))),
        (Some(9), EventKind::Deleted(DeleteReason::Expired)),
    ] {
        let event = EventInfo { peer, kind };
        let stamped = StampedEvent { adapter: ADAPTER, sequence: 4, time_filetime: 5, event };
        assert_eq!(reply::decode_event(&reply::event(&stamped)), Ok(Some(stamped)));
    }
}

#[test]
fn queries_are_answered_with_whole_records() {
    let info = ChannelInfo {
        mode: Mode::MultiPeer,
        is_started: true,
        local: Some(address("0.0.0.0:1194")),
        peers_count: 2,
    };
    let peer = PeerInfo {
        receive_id: Some(7),
        transmit_id: None,
        remote: address("192.0.2.1:1194"),
        vpn4: new_peer().vpn4,
        vpn6: None,
        routes_count: 3,
        keepalive_s: 10,
        timeout_s: 60,
        mss_bytes: 1300,
        primary: Some(SlotInfo { suite: Suite::ChaCha20Poly1305, key_id: 7, is_epoch: true }),
        secondary: None,
        traffic: PeerTraffic { rx_packets: 1, link_tx_bytes: u64::MAX, ..Default::default() },
    };
    let mut output = [0xAA; 400];
    let answer = |output: &mut [u8]| {
        let mut encoder = ChannelEncoder::new(output, &info);
        encoder.peer(&peer);
        encoder.peer(&PeerInfo { receive_id: None, ..peer });
        encoder.finish()
    };
    let encoded = answer(&mut output);
    assert!(encoded.is_complete());
    let (read, peers) = reply::decode_query(&output[..encoded.written_bytes]).unwrap();
    assert_eq!(read, info);
    assert_eq!(peers.collect::<Vec<_>>(), [peer, PeerInfo { receive_id: None, ..peer }]);
    let cut = answer(&mut output[..encoded.written_bytes - 1]);
    assert_eq!(cut.required_bytes, encoded.required_bytes);
    assert_eq!(cut.written_bytes, 200, "one peer");
    assert_eq!(native::reply::required_bytes(&output), Some(encoded.required_bytes));
}

#[test]
fn no_bytes_make_the_decoders_fail_badly() {
    let requests = requests();
    let mut mutator = Mutator::new(0xC0FFEE);
    for round in 0..MUTATIONS {
        let (code, bytes) = &requests[usize::try_from(round).unwrap() % requests.len()];
        let bytes = mutator.mutate(bytes);
        let Ok(request) = decode(*code, &bytes) else { continue };
        let tunic_ioctl::Command::DataChannel(_, command) = request.command else { panic!() };
        match command {
            Command::InstallKey(key) => {
                assert!(key.key_id <= 7 && key.transmit_id.is_none_or(|id| id <= 0xFF_FFFF));
                if let KeyMaterial::Fixed { encrypt, decrypt } = key.material {
                    assert_eq!(encrypt.key.len(), key.suite.key_bytes());
                    assert_eq!(decrypt.key.len(), key.suite.key_bytes());
                }
            }
            Command::NewPeer(peer) => {
                assert!(peer.remote.port() != 0);
                assert!(peer.receive_id.is_none_or(|id| id < 0xFF_FFFF));
            }
            Command::AddRoute(_, prefix) | Command::RemoveRoute(prefix) => {
                assert!(prefix.length <= if prefix.address.is_ipv4() { 32 } else { 128 });
            }
            Command::SendControl(datagram) => {
                assert!((1..=MAX_CONTROL_BYTES).contains(&datagram.data.len()));
            }
            _ => {}
        }
    }
}
