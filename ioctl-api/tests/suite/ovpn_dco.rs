//! The ABI of ovpn-dco-win.

use std::net::SocketAddr;

use tunic_ioctl::data_channel::{
    Command, ControlDatagram, DeleteReason, EventInfo, EventKind, KeyMaterial, Listen, Mode,
    PeerSelector, PeerTraffic, Slot, Suite, Transport,
};
use tunic_ioctl::ovpn_dco::{self, Statistics, WriteError};
use tunic_ioctl::{Abi, DecodeErrorKind as Kind, decode};

use crate::mutation::{MUTATIONS, Mutator};

/// The codes that take input: their number, and the size of it.
const INPUTS: [(u32, usize); 12] = [
    (1, 60),
    (3, 100),
    (5, 12),
    (9, 104),
    (10, 4),
    (11, 32),
    (12, 80),
    (13, 16),
    (15, 4),
    (16, 4),
    (17, 28),
    (18, 28),
];

fn command(number: u32, bytes: &[u8]) -> Result<Command<'_>, Kind> {
    let request = decode(0x0022_0000 | number << 2, bytes).map_err(|error| error.kind)?;
    assert_eq!(request.adapter, None);
    match request.command {
        tunic_ioctl::Command::DataChannel(Abi::OvpnDco, command) => Ok(command),
        _ => panic!("another command"),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A buffer with these bytes at these offsets, else zeroes.
fn buffer(size: usize, parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for (offset, part) in parts {
        bytes[*offset..*offset + part.len()].copy_from_slice(part);
    }
    bytes
}

/// 192.0.2.1:1194
const V4: &[u8] = &[2, 0, 0x04, 0xAA, 192, 0, 2, 1];
const MINUS_ONE: &[u8] = &[255; 4];

fn new_peer() -> Vec<u8> {
    buffer(60, &[(0, &[2, 0]), (28, V4)])
}

fn mp_new_peer() -> Vec<u8> {
    buffer(80, &[(0, &[2, 0]), (28, V4), (56, &[10, 8, 0, 2]), (76, &[7])])
}

/// AES-128-GCM into the secondary slot under key id 3, for peer 7.
fn crypto_data() -> Vec<u8> {
    buffer(
        100,
        &[
            (0, &[1; 32]),
            (32, &[16]),
            (33, &[2; 8]),
            (41, &[3; 32]),
            (73, &[16]),
            (74, &[4; 8]),
            (84, &[1]),
            (88, &[1]),
            (92, &[3]),
            (96, &[7]),
        ],
    )
}

fn iroute() -> Vec<u8> {
    buffer(28, &[(0, &[10, 1, 2, 3]), (16, &[16]), (20, &[7])])
}

/// A good buffer for each code that takes input.
fn good(number: u32, size: usize) -> Vec<u8> {
    match number {
        1 => new_peer(),
        3 => crypto_data(),
        9 => [crypto_data().as_slice(), &[2, 0, 0, 0]].concat(),
        11 => buffer(32, &[(0, V4)]),
        12 => mp_new_peer(),
        17 | 18 => iroute(),
        _ => vec![1; size],
    }
}

#[test]
fn codes_and_sizes_are_those_of_the_original() {
    for (number, size) in INPUTS {
        let good = if number == 5 || number == 13 { vec![0; size] } else { good(number, size) };
        let good = if number == 10 { vec![1, 0, 0, 0] } else { good };
        assert_eq!(good.len(), size);
        assert!(command(number, &good).is_ok(), "{number}");
        for length in 0..size {
            let refused = command(number, &good[..length]).err();
            assert_eq!(refused, Some(Kind::InputTooSmall), "{number} of {length} bytes");
        }
        let longer = [good.as_slice(), &[0xFF; 9]].concat();
        assert!(command(number, &longer).is_ok(), "{number}");
    }
    assert!(matches!(command(2, &[]), Ok(Command::QueryStatistics)));
    assert!(matches!(command(4, &[]), Ok(Command::SwapKeys(PeerSelector::Only))));
    assert!(matches!(command(6, &[]), Ok(Command::Start)));
    assert!(matches!(command(7, &[]), Ok(Command::Stop)));
    assert!(matches!(command(8, &[]), Ok(Command::QueryVersion)));
    assert!(matches!(command(14, &[]), Ok(Command::ReadEvent)));
    assert_eq!(command(19, &[1, 2, 3]).err(), Some(Kind::InputTooSmall));
    for number in [0, 20, 21, 0xFFF] {
        assert_eq!(command(number, &[0; 200]).err(), Some(Kind::UnknownCode));
    }
    for wrong_method in [0x0022_0005, 0x0022_C004] {
        assert_eq!(decode(wrong_method, &[0; 200]).err().unwrap().kind, Kind::UnknownCode);
        assert!(ovpn_dco::is_code(wrong_method));
    }
}

#[test]
fn peers_are_read() {
    let Ok(Command::NewPeer(peer)) = command(1, &new_peer()) else { panic!() };
    assert_eq!((peer.receive_id, peer.transmit_id), (None, None));
    assert_eq!(peer.local, Some(address("0.0.0.0:0")));
    assert_eq!((peer.remote, peer.transport), (address("192.0.2.1:1194"), Transport::Udp));
    let six = buffer(60, &[(0, &[23, 0]), (28, &[23, 0, 0, 1]), (36, &[0xFE; 16]), (56, &[1])]);
    let Ok(Command::NewPeer(peer)) = command(1, &six) else { panic!() };
    assert_eq!(peer.transport, Transport::Tcp);
    assert_eq!(peer.remote, address("[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:1"));
    let Ok(Command::NewPeer(peer)) = command(12, &mp_new_peer()) else { panic!() };
    assert_eq!((peer.receive_id, peer.transmit_id), (Some(7), Some(7)));
    assert_eq!((peer.vpn4, peer.vpn6), (Some([10, 8, 0, 2].into()), None));

    let refused = |number, base: Vec<u8>, offset: usize, value: &[u8]| {
        let mut bytes = base;
        bytes[offset..offset + value.len()].copy_from_slice(value);
        command(number, &bytes).err()
    };
    assert_eq!(refused(1, new_peer(), 0, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(1, new_peer(), 0, &[23]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(1, new_peer(), 28, &[10]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(1, new_peer(), 30, &[0, 0]), Some(Kind::BadPort));
    assert_eq!(refused(1, new_peer(), 56, &[2]), Some(Kind::BadTransport));
    assert_eq!(refused(12, mp_new_peer(), 0, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(refused(12, mp_new_peer(), 76, MINUS_ONE), Some(Kind::BadPeerId));
    assert_eq!(refused(12, mp_new_peer(), 79, &[1]), Some(Kind::BadPeerId));
}

#[test]
fn keys_are_read() {
    let bytes = crypto_data();
    let Ok(Command::InstallKey(key)) = command(3, &bytes) else { panic!() };
    assert_eq!((key.slot, key.key_id, key.suite), (Slot::Secondary, 3, Suite::Aes128Gcm));
    assert_eq!((key.peer, key.transmit_id), (PeerSelector::ByMode(7), Some(7)));
    let KeyMaterial::Fixed { encrypt, decrypt } = key.material else { panic!() };
    assert_eq!((encrypt.key, encrypt.nonce_tail), ([1; 16].as_slice(), &[2; 8]));
    assert_eq!((decrypt.key, decrypt.nonce_tail), ([3; 16].as_slice(), &[4; 8]));

    let epoch = [bytes.as_slice(), &[2, 0, 0, 0]].concat();
    let Ok(Command::InstallKey(key)) = command(9, &epoch) else { panic!() };
    assert_eq!(key.suite, Suite::Aes128Gcm);
    let KeyMaterial::Epoch { encrypt, decrypt } = key.material else { panic!() };
    assert_eq!(
        (encrypt, decrypt),
        (&[1; 32], &[3; 32]),
        "secrets have 32 bytes whatever the suite"
    );

    let with = |offset: usize, value: u8| {
        let mut bytes = crypto_data();
        bytes[offset] = value;
        bytes
    };
    assert_eq!(command(3, &with(84, 2)).err(), Some(Kind::BadSlot));
    assert_eq!(command(3, &with(88, 0)).err(), Some(Kind::BadSuite));
    assert_eq!(command(3, &with(88, 3)).err(), Some(Kind::BadSuite));
    assert_eq!(command(3, &with(92, 8)).err(), Some(Kind::BadKeyId));
    assert_eq!(command(3, &with(32, 33)).err(), Some(Kind::KeyTooLong));
    assert_eq!(command(3, &with(73, 33)).err(), Some(Kind::KeyTooLong));
    assert_eq!(command(3, &with(32, 17)).err(), Some(Kind::BadKeyLength));
    assert_eq!(command(3, &with(32, 32)).err(), Some(Kind::BadKeyLength), "lengths differ");
    assert_eq!(command(3, &with(88, 2)).err(), Some(Kind::BadKeyLength), "ChaCha20 has 32 bytes");
    let mut undefined = crypto_data();
    undefined[96..].copy_from_slice(MINUS_ONE);
    let Ok(Command::InstallKey(key)) = command(3, &undefined) else { panic!() };
    assert_eq!(key.transmit_id, Some(0xFF_FFFF));
}

#[test]
fn timers_and_routes_are_read() {
    let stay = [MINUS_ONE, MINUS_ONE, MINUS_ONE].concat();
    let Ok(Command::SetPeer(change)) = command(5, &stay) else { panic!() };
    assert_eq!((change.keepalive_s, change.timeout_s, change.mss_bytes), (None, None, None));
    let set = buffer(16, &[(0, &[7]), (4, &[10]), (8, &[60]), (12, &[0x14, 0x05])]);
    let Ok(Command::SetPeer(change)) = command(13, &set) else { panic!() };
    assert_eq!(change.peer, PeerSelector::Id(7));
    assert_eq!((change.keepalive_s, change.timeout_s), (Some(10), Some(60)));
    assert_eq!(change.mss_bytes, Some(1300));
    assert_eq!(
        command(5, &[254, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]).err(),
        Some(Kind::BadTimer)
    );
    assert_eq!(command(5, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]).err(), Some(Kind::BadSegmentSize));

    let Ok(Command::AddRoute(PeerSelector::Id(7), prefix)) = command(17, &iroute()) else {
        panic!()
    };
    assert_eq!((prefix.address.to_string().as_str(), prefix.length), ("10.1.0.0", 16));
    assert!(
        matches!(command(18, &iroute()), Ok(Command::RemoveRoute(removed)) if removed == prefix)
    );
    let long =
        |netbits: &[u8], ipv6: u8| command(17, &buffer(28, &[(16, netbits), (24, &[ipv6])])).err();
    assert_eq!(long(&[33], 0), Some(Kind::BadPrefixLength));
    assert_eq!(long(&[129], 1), Some(Kind::BadPrefixLength));
    assert_eq!(long(MINUS_ONE, 1), Some(Kind::BadPrefixLength));
    assert_eq!(long(&[128], 1), None);
    assert!(matches!(command(10, &[0, 0, 0, 0]), Ok(Command::SetMode(Mode::PointToPoint))));
    assert_eq!(command(10, &[2, 0, 0, 0]).err(), Some(Kind::BadMode));
    assert!(matches!(command(19, MINUS_ONE), Ok(Command::QueryPeers(None))));
    assert!(matches!(
        command(19, &[7, 0, 0, 0]),
        Ok(Command::QueryPeers(Some(PeerSelector::ByMode(7))))
    ));
}

#[test]
fn answers_have_their_fields_where_the_original_has_them() {
    assert_eq!(ovpn_dco::encode_version(), [2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
    let statistics = ovpn_dco::encode_statistics(&Statistics {
        lost_in_control: 1,
        sent_data: 0x1_0000_0002,
        transport_sent_bytes: 3,
        tun_received_bytes: u64::MAX,
        ..Default::default()
    });
    assert_eq!(statistics, *buffer(64, &[(0, &[1]), (28, &[2]), (32, &[3]), (56, &[255; 8])]));
    let traffic = PeerTraffic {
        link_rx_bytes: 1,
        link_tx_bytes: 2,
        vpn_rx_bytes: 3,
        vpn_tx_bytes: 4,
        rx_packets: 5,
        tx_packets: 6,
    };
    let parts: &[(usize, &[u8])] = &[(0, &[7]), (8, &[1]), (16, &[2]), (24, &[3]), (32, &[4])];
    assert_eq!(ovpn_dco::encode_peer_stats(7, &traffic), *buffer(40, parts));
    assert_eq!(ovpn_dco::encode_required_bytes(3), 120_u32.to_le_bytes());
    let bound = Listen { local: address("192.0.2.1:1194"), v6_only: true };
    assert_eq!(ovpn_dco::encode_listen(&bound), *buffer(32, &[(0, V4), (28, &[1])]));
}

#[test]
fn events_have_nothing_but_their_fields() {
    let encode = |peer, kind| ovpn_dco::encode_event(&EventInfo { peer, kind });
    let deleted = encode(Some(7), EventKind::Deleted(DeleteReason::Expired)).unwrap();
    assert_eq!(deleted, *buffer(144, &[(4, &[7]), (8, &[2])]));
    let near = encode(None, EventKind::UsageLimitNear).unwrap();
    assert_eq!(near, *buffer(144, &[(0, &[1]), (4, MINUS_ONE)]));
    let floated = encode(Some(7), EventKind::Floated(address("192.0.2.1:1194"))).unwrap();
    assert_eq!(floated, *buffer(144, &[(0, &[2]), (4, &[7]), (16, V4)]));
    let floated = encode(Some(7), EventKind::Floated(address("[::1]:1194"))).unwrap();
    assert_eq!(floated[16..44], [[23, 0, 4, 0xAA].as_slice(), &[0; 19], &[1], &[0; 4]].concat());
    assert_eq!(encode(None, EventKind::TimedOut), None);
    assert_eq!(encode(Some(7), EventKind::KeyWanted), None);
}

#[test]
fn written_datagrams_have_an_address_in_multi_peer_mode_alone() {
    use Mode::{MultiPeer, PointToPoint};
    let read = ovpn_dco::decode_write;
    assert_eq!(read(PointToPoint, b"x"), Ok(ControlDatagram { address: None, data: b"x" }));
    assert_eq!(read(PointToPoint, b""), Err(WriteError::Empty));
    assert_eq!(read(PointToPoint, &[1; 1501]), Err(WriteError::TooLong));
    assert!(read(PointToPoint, &[1; 1500]).is_ok());
    for text in ["192.0.2.1:1194", "[fe80::1%3]:9"] {
        let sent = ControlDatagram { address: Some(address(text)), data: &[9; 1500] };
        let mut bytes = [0xAA; 1600];
        let length = ovpn_dco::encode_read(&sent, &mut bytes).unwrap();
        assert_eq!(read(MultiPeer, &bytes[..length]), Ok(sent));
        assert_eq!(read(MultiPeer, &bytes[..length + 1]), Err(WriteError::TooLong));
        let prefix = ovpn_dco::prefix_bytes(&address(text));
        assert_eq!(read(MultiPeer, &bytes[..prefix]), Err(WriteError::Empty));
        for short in 0..prefix {
            assert_eq!(read(MultiPeer, &bytes[..short]), Err(WriteError::BadAddress));
        }
        assert_eq!(ovpn_dco::encode_read(&sent, &mut bytes[..length - 1]), None);
        bytes[2..4].fill(0);
        assert_eq!(read(MultiPeer, &bytes[..length]), Err(WriteError::BadAddress), "port 0");
        bytes[0] = 10;
        assert_eq!(read(MultiPeer, &bytes[..length]), Err(WriteError::BadAddress));
    }
}

#[test]
fn no_bytes_make_the_decoders_fail_badly() {
    let mut mutator = Mutator::new(0x0DC0);
    for round in 0..MUTATIONS {
        let (number, size) = INPUTS[usize::try_from(round).unwrap() % INPUTS.len()];
        let bytes = mutator.mutate(&good(number, size));
        let _ = ovpn_dco::decode_write(Mode::MultiPeer, &bytes);
        match command(number, &bytes) {
            Ok(Command::InstallKey(key)) => {
                assert!(key.key_id <= 7 && key.transmit_id.unwrap() <= 0xFF_FFFF);
                if let KeyMaterial::Fixed { encrypt, decrypt } = key.material {
                    assert_eq!(encrypt.key.len(), key.suite.key_bytes());
                    assert_eq!(decrypt.key.len(), key.suite.key_bytes());
                }
            }
            Ok(Command::NewPeer(peer)) => assert!(peer.remote.port() != 0),
            Ok(Command::AddRoute(_, prefix) | Command::RemoveRoute(prefix)) => {
                assert!(prefix.length <= if prefix.address.is_ipv4() { 32 } else { 128 });
            }
            _ => {}
        }
    }
}
