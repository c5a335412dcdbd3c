//! The ABI of WireGuardNT, byte for byte.

use std::net::{IpAddr, SocketAddr};

use tunic_ioctl::configuration::{ConfigurationView, encode_state};
use tunic_ioctl::wireguard_nt::{
    IOCTL_GET, IOCTL_READ_LOG_LINE, IOCTL_SET, IOCTL_SET_ADAPTER_STATE, encode_log_entry,
};
use tunic_ioctl::{
    Abi, AdapterState, AllowedIpChange, Command, ConfigurationEncoder, Configure, DecodeErrorKind,
    InterfaceInfo, KeyChange, PeerAction, PeerInfo, decode,
};

use crate::mutation::{MUTATIONS, Mutator};

/// A configuration as `wg.exe` lays it out, offsets written by hand.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Buffer {
    fn interface(flags: u32, port: u16, private_key: [u8; 32], peers: u32) -> Self {
        let mut record = vec![0; 80];
        record[0..4].copy_from_slice(&flags.to_le_bytes());
        record[4..6].copy_from_slice(&port.to_le_bytes());
        record[6..38].copy_from_slice(&private_key);
        record[72..76].copy_from_slice(&peers.to_le_bytes());
        Self(record)
    }

    fn peer(&mut self, flags: u32, public_key: [u8; 32], allowed_ips: u32) -> &mut [u8] {
        let start = self.0.len();
        self.0.resize(start + 136, 0);
        let record = &mut self.0[start..];
        record[0..4].copy_from_slice(&flags.to_le_bytes());
        record[8..40].copy_from_slice(&public_key);
        record[128..132].copy_from_slice(&allowed_ips.to_le_bytes());
        record
    }

    fn allowed_ip(&mut self, address: &str, cidr: u8, flags: u32) {
        let mut record = [0; 24];
        match address.parse().unwrap() {
            IpAddr::V4(v4) => {
                record[0..4].copy_from_slice(&v4.octets());
                record[16] = 2;
            }
            IpAddr::V6(v6) => {
                record[0..16].copy_from_slice(&v6.octets());
                record[16] = 23;
            }
        }
        record[18] = cidr;
        record[20..24].copy_from_slice(&flags.to_le_bytes());
        self.0.extend(record);
    }

    fn configure(&self) -> Result<Configure<'_>, DecodeErrorKind> {
        configure(&self.0)
    }
}

fn configure(bytes: &[u8]) -> Result<Configure<'_>, DecodeErrorKind> {
    match decode(IOCTL_SET, bytes).map_err(|error| error.kind)?.command {
        Command::Configure(configure) => Ok(configure),
        _ => panic!("not a configuration"),
    }
}

/// `wg setconf` of a file with two peers.
fn setconf() -> Buffer {
    let mut buffer = Buffer::interface(0x2 | 0x4 | 0x8, 51820, [7; 32], 2);
    let peer = buffer.peer(0x1 | 0x2 | 0x4 | 0x8 | 0x20, [1; 32], 2);
    peer[40..72].copy_from_slice(&[9; 32]);
    peer[72..74].copy_from_slice(&25_u16.to_le_bytes());
    peer[76..78].copy_from_slice(&2_u16.to_le_bytes());
    peer[78..80].copy_from_slice(&51821_u16.to_be_bytes());
    peer[80..84].copy_from_slice(&[192, 0, 2, 1]);
    buffer.allowed_ip("10.0.0.2", 32, 0);
    buffer.allowed_ip("fd00::", 64, 0);
    let peer = buffer.peer(0x1 | 0x8 | 0x20, [2; 32], 0);
    peer[76..78].copy_from_slice(&23_u16.to_le_bytes());
    peer[78..80].copy_from_slice(&1_u16.to_be_bytes());
    peer[84..100].copy_from_slice(&"2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    peer[100..104].copy_from_slice(&3_u32.to_le_bytes());
    buffer
}

#[test]
fn setconf_is_understood() {
    let buffer = setconf();
    let configure = buffer.configure().unwrap();
    assert_eq!(configure.listen_port, Some(51820));
    assert!(configure.replace_peers);
    assert!(configure.private_key == Some(KeyChange::Set(&[7; 32])));
    assert_eq!(configure.consumed_bytes(), buffer.0.len());
    let peers: Vec<_> = configure.peers().collect();
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].public_key, &[1; 32]);
    assert_eq!(peers[0].action, PeerAction::CreateOrUpdate);
    assert!(peers[0].preshared_key == Some(KeyChange::Set(&[9; 32])));
    assert_eq!(peers[0].persistent_keepalive_s, Some(25));
    assert_eq!(peers[0].endpoint, Some("192.0.2.1:51821".parse().unwrap()));
    assert!(peers[0].replace_allowed_ips);
    let networks = |index: usize| {
        peers[index].allowed_ips().map(|ip| (ip.address.to_string(), ip.prefix_length, ip.remove))
    };
    let expected = [("10.0.0.2".to_owned(), 32, false), ("fd00::".to_owned(), 64, false)];
    assert!(networks(0).eq(expected.clone()));
    assert!(networks(0).eq(expected), "a second walk sees the same");
    assert_eq!(peers[1].endpoint, Some("[2001:db8::1%3]:1".parse().unwrap()));
    assert!(peers[1].preshared_key.is_none() && peers[1].persistent_keepalive_s.is_none());
    assert_eq!(networks(1).count(), 0);
}

#[test]
fn syncconf_removes_peers_and_allowed_ips() {
    let mut buffer = Buffer::interface(0, 0, [0; 32], 4);
    buffer.peer(0x1 | 0x40, [1; 32], 0);
    buffer.peer(0x1 | 0x80, [2; 32], 1);
    buffer.allowed_ip("10.1.2.3", 8, 1);
    buffer.peer(0x1 | 0x2, [2; 32], 1);
    buffer.allowed_ip("0.0.0.0", 0, 0xABCD_EF00);
    buffer.peer(0x1 | 0x40 | 0x80, [3; 32], 0);
    let configure = buffer.configure().unwrap();
    assert!(configure.listen_port.is_none() && configure.private_key.is_none());
    let peers: Vec<_> = configure.peers().collect();
    assert_eq!(
        peers.iter().map(|peer| peer.action).collect::<Vec<_>>(),
        [
            PeerAction::Remove,
            PeerAction::UpdateOnly,
            PeerAction::CreateOrUpdate,
            PeerAction::Remove
        ]
    );
    let removed = peers[1].allowed_ips().next().unwrap();
    assert_eq!(removed, AllowedIpChange::new("10.0.0.0".parse().unwrap(), 8, true).unwrap());
    assert!(peers[2].preshared_key == Some(KeyChange::Clear), "a preshared key of zeroes is none");
    assert!(!peers[2].allowed_ips().next().unwrap().remove, "garbage above the flag is ignored");
}

#[test]
fn private_key_of_zeroes_clears() {
    let buffer = Buffer::interface(0x2, 0, [0; 32], 0);
    assert!(buffer.configure().unwrap().private_key == Some(KeyChange::Clear));
}

#[test]
fn malformed_configurations_are_refused_whole() {
    use DecodeErrorKind as Kind;
    let change = |offset: usize, bytes: &[u8]| {
        let mut buffer = setconf();
        buffer.0[offset..offset + bytes.len()].copy_from_slice(bytes);
        buffer.configure().err()
    };
    let (first_peer, first_ip, second_peer) = (80, 216, 264);
    assert_eq!(change(0, &[0x10]), Some(Kind::BadFlags));
    assert_eq!(change(72, &[3]), Some(Kind::Truncated));
    assert_eq!(change(72, &u32::MAX.to_le_bytes()), Some(Kind::TooManyPeers));
    assert_eq!(change(first_peer + 1, &[1]), Some(Kind::BadFlags));
    assert_eq!(change(second_peer, &[0x8]), Some(Kind::MissingPublicKey));
    assert_eq!(change(second_peer, &[0x11, 0, 0, 0, 2]), Some(Kind::UnsupportedVersion));
    assert_eq!(change(second_peer, &[0x11, 0, 0, 0, 1]), None);
    assert_eq!(change(second_peer, &[0x09, 0, 0, 0, 2]), None, "counts only with its flag");
    assert_eq!(change(second_peer + 76, &[10]), Some(Kind::BadAddressFamily));
    assert_eq!(change(second_peer + 76, &[0]), None, "AF_UNSPEC is no endpoint");
    assert_eq!(change(second_peer + 78, &[0, 0]), Some(Kind::BadPort));
    assert_eq!(change(second_peer + 128, &[1]), Some(Kind::Truncated));
    assert_eq!(change(second_peer + 128, &u32::MAX.to_le_bytes()), Some(Kind::Truncated));
    assert_eq!(change(first_ip + 16, &[10]), Some(Kind::BadAddressFamily));
    assert_eq!(change(first_ip + 18, &[33]), Some(Kind::BadPrefixLength));
    assert_eq!(change(first_ip + 24 + 18, &[129]), Some(Kind::BadPrefixLength));
    assert_eq!(change(first_ip + 24 + 18, &[128]), None);
}

#[test]
fn every_truncation_is_refused_and_trailing_bytes_are_not() {
    let buffer = setconf();
    for length in 0..buffer.0.len() {
        assert_eq!(configure(&buffer.0[..length]).err(), Some(DecodeErrorKind::Truncated));
    }
    let mut longer = buffer.0.clone();
    longer.extend([0xFF; 100]);
    assert_eq!(configure(&longer).unwrap().consumed_bytes(), buffer.0.len());
}

#[test]
fn mutations_never_give_a_half_valid_view() {
    let base = setconf().0;
    let mut mutator = Mutator::new(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0;
    for _ in 0..MUTATIONS {
        let mut bytes = mutator.mutate(&base);
        if mutator.below(4) == 0 {
            bytes.truncate(bytes.len() - mutator.below(bytes.len()));
        }
        let Ok(configure) = configure(&bytes) else { continue };
        accepted += 1;
        let peers_count = u32::from_le_bytes(bytes[72..76].try_into().unwrap()) as usize;
        assert_eq!(configure.peers().count(), peers_count);
        let mut size = 80;
        for peer in configure.peers() {
            let counted = u32::from_le_bytes(bytes[size + 128..size + 132].try_into().unwrap());
            assert_eq!(peer.allowed_ips().count(), counted as usize);
            size += 136 + 24 * counted as usize;
        }
        assert_eq!(size, configure.consumed_bytes());
    }
    assert!((1..MUTATIONS).contains(&accepted), "{accepted}");
}

#[test]
fn state_requests_are_exactly_one_word() {
    let command = |bytes: &[u8]| {
        decode(IOCTL_SET_ADAPTER_STATE, bytes)
            .map(|request| match request.command {
                Command::SetState(state) => Some(state),
                Command::QueryState => None,
                _ => panic!("not about the state"),
            })
            .map_err(|error| error.kind)
    };
    assert_eq!(command(&[0, 0, 0, 0]), Ok(Some(AdapterState::Down)));
    assert_eq!(command(&[1, 0, 0, 0]), Ok(Some(AdapterState::Up)));
    assert_eq!(command(&[2, 0, 0, 0]), Ok(None));
    assert_eq!(command(&[3, 0, 0, 0]), Err(DecodeErrorKind::BadState));
    assert_eq!(command(&[1, 0, 0]), Err(DecodeErrorKind::BadSize));
    assert_eq!(command(&[1, 0, 0, 0, 0]), Err(DecodeErrorKind::BadSize));
    let mut word = [0xFF; 4];
    assert!(encode_state(AdapterState::Up, &mut word));
    assert_eq!(word, [1, 0, 0, 0]);
    assert!(!encode_state(AdapterState::Up, &mut [0; 5]));
}

#[test]
fn other_codes() {
    assert!(matches!(
        decode(IOCTL_GET, b"ignored").unwrap().command,
        Command::QueryConfiguration(Abi::WireGuardNt)
    ));
    assert!(matches!(decode(IOCTL_READ_LOG_LINE, &[]).unwrap().command, Command::ReadLogLine));
    assert_eq!(decode(0x1234, &[]).err().unwrap().kind, DecodeErrorKind::UnknownCode);
}

#[test]
fn log_entries_are_cut_and_terminated() {
    let mut output = [0xFF; 130];
    assert!(encode_log_entry(5, &[b'x'; 500], &mut output));
    assert_eq!(output[..8], 5_u64.to_le_bytes());
    assert!(output[8..127].iter().all(|&byte| byte == b'x'));
    assert_eq!(output[127..], [0, 0xFF, 0xFF]);
    assert!(!encode_log_entry(5, b"", &mut [0; 127]));
}

fn encode_answer(output: &mut [u8]) -> tunic_ioctl::Encoded {
    let interface = InterfaceInfo {
        listen_port: Some(51820),
        private_key: Some(&[7; 32]),
        public_key: Some(&[8; 32]),
        ..InterfaceInfo::default()
    };
    let peer = PeerInfo {
        public_key: &[1; 32],
        preshared_key: Some(&[9; 32]),
        endpoint: Some("[2001:db8::1]:9".parse::<SocketAddr>().unwrap()),
        persistent_keepalive_s: 25,
        tx_bytes: 11,
        rx_bytes: 12,
        last_handshake_filetime: 13,
    };
    let mut encoder = ConfigurationEncoder::new(Abi::WireGuardNt, output, &interface);
    encoder.peer(&peer);
    encoder.allowed_ip("10.0.0.0".parse().unwrap(), 8);
    encoder.allowed_ip("fd00::".parse().unwrap(), 64);
    encoder.peer(&PeerInfo {
        public_key: &[2; 32],
        preshared_key: None,
        endpoint: None,
        persistent_keepalive_s: 0,
        tx_bytes: 0,
        rx_bytes: 0,
        last_handshake_filetime: 0,
    });
    encoder.finish()
}

#[test]
fn answers_come_back() {
    let mut output = [0xFF; 400];
    let encoded = encode_answer(&mut output);
    assert_eq!((encoded.required_bytes, encoded.written_bytes), (400, 400));
    assert!(encoded.is_complete());
    assert_eq!(output[0..4], [0x7, 0, 0, 0]);
    assert_eq!(output[80..84], [0xF, 0, 0, 0]);
    assert_eq!(output[84..88], [1, 0, 0, 0]);
    assert_eq!(output[264..268], [0x5, 0, 0, 0], "no preshared key, no endpoint");
    let view = ConfigurationView::decode_wireguard_nt(&output).unwrap();
    assert_eq!(view.interface.listen_port, Some(51820));
    assert_eq!(view.interface.private_key, Some(&[7; 32]));
    assert_eq!(view.interface.public_key, Some(&[8; 32]));
    let peers: Vec<_> = view.peers().collect();
    assert_eq!(peers.len(), 2);
    let (peer, allowed_ips) = &peers[0];
    assert_eq!(peer.preshared_key, Some(&[9; 32]));
    assert_eq!(peer.endpoint, Some("[2001:db8::1]:9".parse().unwrap()));
    assert_eq!((peer.tx_bytes, peer.rx_bytes, peer.last_handshake_filetime), (11, 12, 13));
    assert_eq!(allowed_ips.count(), 2);
    assert_eq!(peers[1].0.public_key, &[2; 32]);
}

#[test]
fn short_output_holds_a_consistent_prefix_and_the_size_is_told() {
    for length in 0..400 {
        let mut output = vec![0xEE; length];
        let encoded = encode_answer(&mut output);
        assert_eq!(encoded.required_bytes, 400);
        assert!(!encoded.is_complete());
        assert!(output[encoded.written_bytes..].iter().all(|&byte| byte == 0xEE));
        if length >= 80 {
            let configure = configure(&output).unwrap();
            assert_eq!(configure.consumed_bytes(), encoded.written_bytes);
        }
    }
}
