//! The native answer with a configuration: what the driver encodes is what the SDK decodes.

use std::net::{IpAddr, SocketAddr};

use tunic_ioctl::configuration::ConfigurationView;
use tunic_ioctl::{
    Abi, AdapterId, ConfigurationEncoder, DecodeErrorKind, Encoded, InterfaceInfo, PeerInfo, native,
};

use crate::mutation::{MUTATIONS, Mutator};

const ADAPTER: AdapterId = AdapterId([5; 16]);
/// Size of [`encode`]'s answer: two peers, the first with two routes.
const SIZE: usize =
    native::Reply::SIZE + native::Interface::SIZE + 2 * (native::Peer::SIZE + native::Route::SIZE);

fn networks() -> [(IpAddr, u8); 2] {
    [("10.0.0.0".parse().unwrap(), 8), ("fd00::".parse().unwrap(), 64)]
}

fn silent(public_key: &[u8; 32]) -> PeerInfo<'_> {
    PeerInfo {
        public_key,
        preshared_key: None,
        endpoint: None,
        persistent_keepalive_s: 0,
        tx_bytes: 0,
        rx_bytes: 0,
        last_handshake_filetime: 0,
    }
}

fn encode(output: &mut [u8]) -> Encoded {
    let interface = InterfaceInfo {
        adapter: ADAPTER,
        listen_port: Some(51820),
        private_key: Some(&[7; 32]),
        public_key: Some(&[8; 32]),
    };
    let mut encoder = ConfigurationEncoder::new(Abi::Native, output, &interface);
    encoder.peer(&PeerInfo {
        public_key: &[1; 32],
        preshared_key: Some(&[9; 32]),
        endpoint: Some("[2001:db8::1]:9".parse().unwrap()),
        persistent_keepalive_s: 25,
        tx_bytes: 11,
        rx_bytes: u64::MAX,
        last_handshake_filetime: 13,
    });
    for (address, prefix_length) in networks() {
        encoder.allowed_ip(address, prefix_length);
    }
    encoder.peer(&silent(&[2; 32]));
    encoder.finish()
}

fn answer() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    assert!(encode(&mut bytes).is_complete());
    bytes
}

fn refused(bytes: &[u8]) -> Option<DecodeErrorKind> {
    ConfigurationView::decode(bytes).err().map(|error| error.kind)
}

#[test]
fn it_comes_back() {
    let bytes = answer();
    let view = ConfigurationView::decode(&bytes).unwrap();
    assert_eq!((view.interface.adapter, view.interface.listen_port), (ADAPTER, Some(51820)));
    assert_eq!(view.interface.private_key, Some(&[7; 32]));
    assert_eq!(view.interface.public_key, Some(&[8; 32]));
    let peers: Vec<_> = view.peers().collect();
    let [(first, allowed_ips), (second, none)] = peers[..] else { panic!("two peers") };
    assert_eq!((first.public_key, first.preshared_key), (&[1; 32], Some(&[9; 32])));
    assert_eq!(first.endpoint, Some("[2001:db8::1]:9".parse().unwrap()));
    assert_eq!(first.persistent_keepalive_s, 25);
    assert_eq!((first.tx_bytes, first.rx_bytes), (11, u64::MAX));
    assert_eq!(first.last_handshake_filetime, 13);
    let allowed_ips: Vec<_> = allowed_ips.map(|ip| (ip.address, ip.prefix_length)).collect();
    assert_eq!(allowed_ips, networks());
    assert_eq!((second.public_key, second.preshared_key), (&[2; 32], None));
    assert_eq!((second.endpoint, second.persistent_keepalive_s), (None, 0));
    assert_eq!((second.tx_bytes, second.rx_bytes, second.last_handshake_filetime), (0, 0, 0));
    assert_eq!(none.count(), 0);
}

#[test]
fn what_is_unset_is_none() {
    let mut bytes = vec![0; SIZE];
    let interface = InterfaceInfo {
        listen_port: Some(0),
        private_key: Some(&[0; 32]),
        ..InterfaceInfo::default()
    };
    let mut encoder = ConfigurationEncoder::new(Abi::Native, &mut bytes, &interface);
    // WireGuardNT's ABI accepts this key in a request.
    encoder.peer(&PeerInfo {
        preshared_key: Some(&[0; 32]),
        endpoint: Some(SocketAddr::from(([192, 0, 2, 1], 0))),
        ..silent(&[0; 32])
    });
    let length = encoder.finish().written_bytes;
    let view = ConfigurationView::decode(&bytes[..length]).unwrap();
    let InterfaceInfo { listen_port, private_key, public_key, .. } = view.interface;
    assert_eq!((listen_port, private_key, public_key), (None, None, None));
    let peers: Vec<_> = view.peers().map(|(peer, _)| peer).collect();
    assert_eq!(peers.len(), 1);
    assert_eq!((peers[0].public_key, peers[0].preshared_key), (&[0; 32], None));
    assert_eq!(peers[0].endpoint, None);
    // In a request, the native ABI does not.
    let start = native::Reply::SIZE;
    let error = native::configure(&bytes[start..length]).err().unwrap();
    assert_eq!(error.kind, DecodeErrorKind::MissingPublicKey);
}

#[test]
fn an_answer_that_was_cut_is_refused() {
    let whole = answer();
    for length in 0..SIZE {
        assert!(refused(&whole[..length]).is_some(), "{length}");
        // The driver cuts behind a whole record, and the reply has the size of all.
        let mut cut = vec![0; length];
        let encoded = encode(&mut cut);
        assert_eq!(encoded.required_bytes, SIZE as u64);
        cut.truncate(encoded.written_bytes);
        assert_eq!(refused(&cut), Some(DecodeErrorKind::Truncated), "{length}");
    }
    assert!(refused(&[&whole[..], &[0; 8]].concat()).is_some());
}

#[test]
fn malformed_answers_are_refused_whole() {
    use DecodeErrorKind as Kind;
    let change = |offset: usize, bytes: &[u8]| {
        let mut answer = answer();
        answer[offset..offset + bytes.len()].copy_from_slice(bytes);
        refused(&answer)
    };
    let (interface, peer) = (16, 16 + 96);
    let route = peer + 136;
    assert_eq!(change(6, &[7]), Some(Kind::UnexpectedRecord));
    assert_eq!(change(8, &[0]), Some(Kind::Truncated));
    assert_eq!(change(interface + 4, &[2]), Some(Kind::UnsupportedVersion));
    assert_eq!(change(interface + 24, &[0x20]), Some(Kind::BadFlags));
    assert_eq!(change(interface + 30, &[1]), Some(Kind::ReservedNotZero));
    assert_eq!(change(peer, &[128]), Some(Kind::BadSize));
    assert_eq!(change(peer + 6, &[9]), Some(Kind::UnexpectedRecord));
    assert_eq!(change(peer + 8, &[0x80]), Some(Kind::BadFlags));
    assert_eq!(change(peer + 48, &[0; 32]), Some(Kind::ZeroKey));
    assert_eq!(change(peer + 82, &[0, 0]), Some(Kind::BadPort));
    assert_eq!(change(route + 26, &[33]), Some(Kind::BadPrefixLength));
    // The last peer claims to be longer than the answer.
    assert_eq!(change(SIZE - 136, &[144]), Some(Kind::Truncated));
}

#[test]
fn mutations_are_decoded_whole_or_refused() {
    let base = answer();
    let mut mutator = Mutator::new(0x9E37_79B9_7F4A_7C15);
    let mut accepted = 0;
    for _ in 0..MUTATIONS {
        let bytes = mutator.mutate(&base);
        let Ok(view) = ConfigurationView::decode(&bytes) else { continue };
        accepted += 1;
        let (mut peers, mut routes) = (0, 0);
        let (mut offset, mut end) = (native::Reply::SIZE, 0);
        while offset < bytes.len() {
            peers += usize::from(bytes[offset + 6] == native::Kind::Peer as u8);
            routes += usize::from(bytes[offset + 6] == native::Kind::Route as u8);
            let size = u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap());
            offset += size as usize;
            end = offset;
        }
        assert_eq!(end, bytes.len());
        let walked: Vec<_> = view.peers().map(|(_, allowed_ips)| allowed_ips.count()).collect();
        assert_eq!((walked.len(), walked.iter().sum::<usize>()), (peers, routes));
    }
    assert!((1..MUTATIONS).contains(&accepted), "{accepted}");
}
