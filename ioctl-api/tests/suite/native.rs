//! The native ABI.

use std::fmt::Write;

use tunic_ioctl::native::reply::{
    self, AdapterEncoder, AdapterInfo, EventInfo, EventKind, Traffic, VersionInfo,
};
use tunic_ioctl::native::{self, DISCARD_NAMES};
use tunic_ioctl::{
    Abi, AdapterId, AdapterState, Command, ConfigurationEncoder, Configure, DecodeErrorKind,
    InterfaceInfo, KeyChange, PeerAction, PeerChange, PeerInfo, Request, decode,
};

use crate::mutation::{MUTATIONS, Mutator};

const ADAPTER: AdapterId = AdapterId([5; 16]);

fn request(code: u32, bytes: &[u8]) -> Result<Request<'_>, DecodeErrorKind> {
    decode(code, bytes).map_err(|error| error.kind)
}

fn configure(bytes: &[u8]) -> Result<Configure<'_>, DecodeErrorKind> {
    match request(native::IOCTL_SET_CONFIGURATION, bytes)?.command {
        Command::Configure(configure) => Ok(configure),
        _ => panic!("not a configuration"),
    }
}

fn example() -> Vec<u8> {
    let mut bytes = Vec::new();
    let key = [7; 32];
    bytes.extend(native::encode_interface(ADAPTER, Some(0), Some(KeyChange::Set(&key)), true));
    let mut change = PeerChange::new(&[1; 32]);
    change.preshared_key = Some(KeyChange::Set(&[9; 32]));
    change.persistent_keepalive_s = Some(25);
    change.endpoint = Some("192.0.2.1:80".parse().unwrap());
    bytes.extend(native::encode_peer(&change));
    bytes.extend(native::encode_route("10.0.0.1".parse().unwrap(), 8, false));
    bytes.extend(native::encode_route("fd00::".parse().unwrap(), 64, true));
    change.action = PeerAction::UpdateOnly;
    change.preshared_key = Some(KeyChange::Clear);
    bytes.extend(native::encode_peer(&change));
    bytes
}

#[test]
fn configurations_come_back() {
    let bytes = example();
    let Request { adapter, command } = request(native::IOCTL_SET_CONFIGURATION, &bytes).unwrap();
    assert_eq!(adapter, Some(ADAPTER));
    let Command::Configure(configure) = command else { panic!() };
    assert_eq!(configure.listen_port, Some(0));
    assert!(configure.replace_peers && configure.private_key == Some(KeyChange::Set(&[7; 32])));
    assert_eq!(configure.consumed_bytes(), bytes.len());
    let peers: Vec<_> = configure.peers().collect();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].endpoint, Some("192.0.2.1:80".parse().unwrap()));
    assert_eq!(peers[0].persistent_keepalive_s, Some(25));
    assert!(peers[0].preshared_key == Some(KeyChange::Set(&[9; 32])));
    let routes: Vec<_> = peers[0].allowed_ips().collect();
    assert_eq!(routes[0].address.to_string(), "10.0.0.0", "host bits are cleared");
    assert!(!routes[0].remove && routes[1].remove && routes.len() == 2);
    assert_eq!(peers[1].action, PeerAction::UpdateOnly);
    assert!(peers[1].preshared_key == Some(KeyChange::Clear));
    assert_eq!(peers[1].allowed_ips().count(), 0);
}

#[test]
fn malformed_configurations_are_refused_whole() {
    use DecodeErrorKind as Kind;
    let change = |offset: usize, bytes: &[u8]| {
        let mut buffer = example();
        buffer[offset..offset + bytes.len()].copy_from_slice(bytes);
        configure(&buffer).err()
    };
    let (peer, route, last) = (96, 232, 296);
    assert_eq!(change(0, &[95]), Some(Kind::BadSize));
    assert_eq!(change(0, &[88]), Some(Kind::BadSize));
    assert_eq!(change(0, &[0]), Some(Kind::BadSize));
    assert_eq!(change(0, &[255, 255, 255]), Some(Kind::BadSize));
    assert_eq!(change(0, &[248, 255, 255]), Some(Kind::Truncated));
    assert_eq!(change(4, &[2]), Some(Kind::UnsupportedVersion));
    assert_eq!(change(6, &[8]), Some(Kind::UnexpectedRecord));
    assert_eq!(change(24, &[0x20]), Some(Kind::BadFlags));
    assert_eq!(change(24, &[0x3]), Some(Kind::BadFlags), "set and clear");
    assert_eq!(change(30, &[1]), Some(Kind::ReservedNotZero));
    assert_eq!(change(32, &[0; 32]), Some(Kind::ZeroKey));
    assert_eq!(change(peer + 6, &[9]), Some(Kind::UnexpectedRecord), "a route without a peer");
    assert_eq!(change(peer + 8, &[0x80]), Some(Kind::BadFlags));
    assert_eq!(change(peer + 8, &[0x60]), Some(Kind::BadFlags), "remove and update only");
    assert_eq!(change(peer + 16, &[0; 32]), Some(Kind::MissingPublicKey));
    assert_eq!(change(peer + 48, &[0; 32]), Some(Kind::ZeroKey));
    assert_eq!(change(peer + 80, &[0]), Some(Kind::BadAddressFamily));
    assert_eq!(change(peer + 82, &[0, 0]), Some(Kind::BadPort));
    assert_eq!(change(route + 24, &[1]), Some(Kind::BadAddressFamily));
    assert_eq!(change(route + 26, &[33]), Some(Kind::BadPrefixLength));
    assert_eq!(change(route + 28, &[2]), Some(Kind::BadFlags));
    assert_eq!(change(last, &[200]), Some(Kind::Truncated));
}

#[test]
fn every_truncation_inside_a_record_is_refused() {
    let bytes = example();
    for length in 0..bytes.len() {
        let result = configure(&bytes[..length]);
        if [96, 232, 264, 296].contains(&length) {
            assert!(result.is_ok());
        } else {
            assert!(result.err().is_some(), "{length}");
        }
    }
}

#[test]
fn longer_records_are_accepted_while_the_unknown_part_is_zero() {
    let mut bytes = native::encode_interface(ADAPTER, Some(1), None, false).to_vec();
    bytes.extend([0; 8]);
    bytes[0] = 104;
    assert_eq!(configure(&bytes).unwrap().listen_port, Some(1));
    bytes[100] = 1;
    assert_eq!(configure(&bytes).err(), Some(DecodeErrorKind::UnsupportedVersion));
}

#[test]
fn mutations_never_give_a_half_valid_view() {
    let base = example();
    let mut mutator = Mutator::new(0x2545_F491_4F6C_DD1D);
    let mut accepted = 0;
    for _ in 0..MUTATIONS {
        let bytes = mutator.mutate(&base);
        let Ok(configure) = configure(&bytes) else { continue };
        accepted += 1;
        assert_eq!(configure.consumed_bytes(), bytes.len());
        let routes = |peer: &PeerChange<'_>| peer.allowed_ips().count();
        let walked: Vec<_> = configure.peers().map(|peer| routes(&peer)).collect();
        let kinds = |kind| {
            let mut found = 0;
            let mut offset = 0;
            while offset < bytes.len() {
                found += usize::from(bytes[offset + 6] == kind);
                offset +=
                    u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize;
            }
            found
        };
        assert_eq!((walked.len(), walked.iter().sum::<usize>()), (kinds(8), kinds(9)));
    }
    assert!((1..MUTATIONS).contains(&accepted), "{accepted}");
}

#[test]
fn single_record_requests() {
    let select = native::encode_select(ADAPTER);
    let device = native::encode_select(AdapterId::default());
    for code in [
        native::IOCTL_QUERY_ADAPTER,
        native::IOCTL_QUERY_STATISTICS,
        native::IOCTL_QUERY_CONFIGURATION,
        native::IOCTL_READ_EVENT,
    ] {
        assert_eq!(request(code, &select).unwrap().adapter, Some(ADAPTER));
        assert_eq!(request(code, &device).unwrap().adapter, None);
        assert_eq!(request(code, &select[..23]).err(), Some(DecodeErrorKind::Truncated));
        let longer = [&select[..], &[0; 8]].concat();
        assert_eq!(request(code, &longer).err(), Some(DecodeErrorKind::BadSize));
    }
    assert!(request(native::IOCTL_QUERY_VERSION, &[]).is_ok());
    assert_eq!(request(native::IOCTL_LIST_ADAPTERS, &[0]).err(), Some(DecodeErrorKind::BadSize));
    let up = native::encode_set_state(ADAPTER, AdapterState::Up);
    assert!(matches!(
        request(native::IOCTL_SET_STATE, &up).unwrap().command,
        Command::SetState(AdapterState::Up)
    ));
    for (permille, valid) in [(0, false), (1, true), (1000, true), (1001, false)] {
        let scale = native::encode_set_timer_scale(ADAPTER, permille);
        assert_eq!(request(native::IOCTL_SET_TIMER_SCALE, &scale).is_ok(), valid);
    }
}

#[test]
fn answers_come_back() {
    let mut output = [0; 1024];
    let info = VersionInfo { abi_version: 1, driver_version: 0x0001_0002, capabilities: 5 };
    let length = reply::version(&info, &mut output).unwrap();
    assert_eq!(reply::decode_version(&output[..length]).unwrap(), info);
    assert!(reply::version(&info, &mut output[..length - 1]).is_none());

    let traffic = Traffic { tx_packets: 1, tx_bytes: 2, rx_packets: 3, rx_bytes: 4 };
    let discards: Vec<u64> = (0..DISCARD_NAMES.len() as u64).collect();
    let length = reply::statistics(ADAPTER, &traffic, &discards, &mut output).unwrap();
    let (read, counters) = reply::decode_statistics(&output[..length]).unwrap();
    assert_eq!(read, traffic);
    assert!(counters.eq(discards.iter().copied()));
    assert!(reply::statistics(ADAPTER, &traffic, &discards, &mut [0; 64]).is_none());
    output[56..60].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(reply::decode_statistics(&output[..length]).is_err());
}

#[test]
fn events_come_back() {
    let info = EventInfo {
        adapter: ADAPTER,
        sequence: 1,
        time_filetime: 2,
        kind: EventKind::EndpointMoved,
        public_key: [3; 32],
        endpoint: Some("[2001:db8::1]:4".parse().unwrap()),
    };
    let mut output = [0xFF; 200];
    let length = reply::event(&info, &mut output).unwrap();
    assert_eq!(reply::decode_event(&output[..length]).unwrap(), Some(info));
    output[40] = 99;
    assert_eq!(reply::decode_event(&output[..length]).unwrap(), None);
    assert!(reply::decode_event(&output[..length - 1]).is_err());
}

#[test]
fn adapter_lists_are_cut_behind_whole_records() {
    let info = AdapterInfo {
        adapter: ADAPTER,
        luid: 1,
        mtu_bytes: 1420,
        protocol: tunic_ioctl::protocol::WIREGUARD.number,
        state: AdapterState::Up,
        is_connected: true,
        listen_port: 51820,
        peers_count: 3,
        name: b"wg0",
    };
    let encode = |output: &mut [u8]| {
        let mut encoder = AdapterEncoder::new(output);
        encoder.adapter(&info);
        encoder.adapter(&info);
        encoder.finish()
    };
    let mut output = [0; 16 + 2 * 312];
    assert!(encode(&mut output).is_complete());
    let adapters: Vec<_> = reply::decode_adapters(&output).unwrap().collect();
    assert_eq!(adapters, [info, info]);

    let encoded = encode(&mut output[..16 + 312 + 311]);
    assert_eq!(encoded.written_bytes, 16 + 312);
    assert_eq!(reply::required_bytes(&output), Some(16 + 2 * 312));
    assert_eq!(encode(&mut [0; 15]).written_bytes, 0);
}

#[test]
fn configuration_answers_have_a_size() {
    let encode = |output: &mut [u8]| {
        let interface = InterfaceInfo { listen_port: Some(1), ..InterfaceInfo::default() };
        let mut encoder = ConfigurationEncoder::new(Abi::Native, output, &interface);
        encoder.peer(&PeerInfo {
            public_key: &[1; 32],
            preshared_key: None,
            endpoint: None,
            persistent_keepalive_s: 0,
            tx_bytes: 0,
            rx_bytes: 0,
            last_handshake_filetime: 0,
        });
        encoder.allowed_ip("10.0.0.0".parse().unwrap(), 8);
        encoder.finish()
    };
    let mut output = [0; 16 + 96 + 136 + 32];
    assert!(encode(&mut output).is_complete());
    assert_eq!(configure(&output[16..]).unwrap().peers().count(), 1);
    let mut short = [0; 16];
    assert_eq!(encode(&mut short).written_bytes, 16);
    assert_eq!(reply::required_bytes(&short), Some(output.len() as u64));
}

#[test]
fn routes_are_answered_whole_or_by_their_size() {
    let text = "digraph routes {\n}\n";
    let encode = |output: &mut [u8]| {
        let mut encoder = native::RoutesEncoder::new(output);
        text.split_inclusive(' ').for_each(|part| encoder.write_str(part).unwrap());
        encoder.finish()
    };
    let size = native::Reply::SIZE + native::Routes::SIZE + text.len().next_multiple_of(8);
    for room in 0..size + 16 {
        let mut output = vec![0xA5; room];
        let encoded = encode(&mut output);
        assert_eq!(encoded.required_bytes, size as u64);
        let expected = match room {
            _ if room >= size => size,
            _ if room >= native::Reply::SIZE => native::Reply::SIZE,
            _ => 0,
        };
        assert_eq!(encoded.written_bytes, expected, "{room}");
        output.truncate(encoded.written_bytes);
        if expected == size {
            assert_eq!(native::decode_routes(&output).unwrap(), text);
        } else if expected != 0 {
            assert_eq!(tunic_ioctl::native::reply::required_bytes(&output), Some(size as u64));
            native::decode_routes(&output).unwrap_err();
        }
    }
    let mut answer = vec![0; size];
    encode(&mut answer);
    for length in 0..size {
        native::decode_routes(&answer[..length]).unwrap_err();
    }
    answer[native::Reply::SIZE + native::Routes::SIZE] = 0xFF;
    assert_eq!(native::decode_routes(&answer).unwrap_err().kind, DecodeErrorKind::BadText);
    let request = native::encode_select(AdapterId([7; 16]));
    let decoded = decode(native::IOCTL_QUERY_ROUTES, &request).unwrap();
    assert_eq!(decoded.adapter, Some(AdapterId([7; 16])));
    assert!(matches!(decoded.command, Command::QueryRoutes));
}
