//! One peer, and many: who gets what, who may send what, who is where.

use std::net::SocketAddr;

use crate::channel::{Channel, any_packet, new_peer, packet, remote, symmetric_key};
use nic_engine::Endpoint;
use nic_engine::protocol::{Discard, PeerId};
use nic_engine::routes::Prefix;
use nic_openvpn::configure::{
    self, AddRouteError, NewPeer, NewPeerError, PeerChange, SetModeError,
};
use nic_openvpn::{Key, Mode, Slot};

fn at(number: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, number], 1194))
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

/// A server with so many clients: 10.8.0.1 to 10.8.0.N, each with its number as id, its own address
/// and its own key.
fn server(clients: u8) -> (Channel, Vec<PeerId>) {
    let mut server = Channel::new(Mode::MultiPeer);
    let peers = (1..=clients).map(|number| {
        let new = NewPeer {
            receive_id: Some(number.into()),
            transmit_id: None,
            endpoint: Endpoint::new(at(number)),
            vpn4: Some([10, 8, 0, number].into()),
            vpn6: Some(format!("fd00::{number}").parse().unwrap()),
        };
        let peer = server.configure(|nic| configure::new_peer(nic, &new)).unwrap();
        server.install(peer, Slot::Primary, &symmetric_key(1, number));
        peer
    });
    let peers = peers.collect();
    (server, peers)
}

/// What a client's adapter seals.
fn client(number: u8) -> Channel {
    let (mut client, peer) = Channel::with_peer();
    let key = Key { transmit_id: Some(number.into()), ..symmetric_key(1, number) };
    client.install(peer, Slot::Primary, &key);
    client
}

fn is_at(server: &Channel, peer: PeerId) -> SocketAddr {
    server.node.nic.endpoint(peer).unwrap().remote
}

#[test]
fn the_only_peer_gets_all_and_may_send_all_by_any_id() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 9));
    let mut v6 = vec![0; 60];
    v6[0] = 0x60;
    v6[5] = 20;
    for (id, sent) in [(9, any_packet()), (0, packet([1, 2, 3, 4], [5, 6, 7, 8], 60)), (77, v6)] {
        let key = Key { transmit_id: Some(id), ..symmetric_key(1, 9) };
        let (mut there, other) = Channel::with_peer();
        there.install(other, Slot::Primary, &key);
        // Its window saw this counter with the id before.
        here.install(peer, Slot::Primary, &symmetric_key(1, 9));
        assert_eq!(here.receive(&there.send(&sent)[0]), [&sent[..]], "id {id}");
        assert_eq!(here.send(&sent).len(), 1);
    }
}

#[test]
fn what_is_sent_to_the_only_peer_itself_does_not_go_round_in_circles() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 9));
    let SocketAddr::V4(v4) = remote() else { panic!("it is IPv4") };
    let mut own = packet([10, 0, 0, 1], v4.ip().octets(), 80);
    own[22..24].copy_from_slice(&v4.port().to_be_bytes());
    assert_eq!(here.node.submit([own.clone()], here.now), [(own.clone(), Discard::NotAdmitted)]);
    own[23] ^= 1;
    assert_eq!(here.send(&own).len(), 1, "to another port");
}

#[test]
fn the_only_peer_is_replaced_by_a_new_one() {
    let (mut here, old) = Channel::with_peer();
    here.install(old, Slot::Primary, &symmetric_key(1, 9));
    let new = NewPeer { endpoint: Endpoint::new(at(3)), ..new_peer(None) };
    let peer = here.configure(|nic| configure::new_peer(nic, &new)).unwrap();
    assert_ne!(peer, old);
    assert!(here.configure(|nic| configure::peer_state(nic, old)).is_none());
    here.install(peer, Slot::Primary, &symmetric_key(1, 9));
    here.send(&any_packet());
    assert_eq!(is_at(&here, peer), at(3));
    let mut there = client(9);
    assert_eq!(here.receive_from(at(3), &there.send(&any_packet())[0]).len(), 1);
}

#[test]
fn the_only_peer_is_not_followed() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 9));
    let mut there = client(9);
    let datagram = there.send(&any_packet()).remove(0);
    assert_eq!(here.receive_from(at(50), &datagram).len(), 1);
    assert_eq!(is_at(&here, peer), remote());
}

#[test]
fn packets_go_to_the_peer_of_their_address_or_of_the_longest_route() {
    let (mut server, peers) = server(3);
    for (peer, route) in [(0, "192.168.0.0/16"), (1, "192.168.7.0/24"), (2, "2001:db8::/32")] {
        let (peer, route) = (peers[peer], prefix(route));
        server.configure(|nic| configure::add_route(nic, peer, route)).unwrap();
    }
    let mut to_v6 = vec![0; 60];
    to_v6[0] = 0x60;
    to_v6[5] = 20;
    to_v6[24..28].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    for (sent, number) in [
        (packet([10, 8, 0, 254], [10, 8, 0, 2], 60), 2),
        (packet([10, 8, 0, 254], [192, 168, 1, 1], 60), 1),
        (packet([10, 8, 0, 254], [192, 168, 7, 1], 60), 2),
        (to_v6, 3),
    ] {
        assert_eq!(server.node.submit([sent], server.now), []);
        assert_eq!(server.sent()[0].to, at(number));
    }
    // Exactly that prefix, whoever has it.
    assert!(!server.configure(|nic| configure::remove_route(nic, prefix("192.168.7.0/25"))));
    assert!(server.configure(|nic| configure::remove_route(nic, prefix("192.168.7.0/24"))));
    assert!(!server.configure(|nic| configure::remove_route(nic, prefix("192.168.7.0/24"))));
    server.send(&packet([10, 8, 0, 254], [10, 8, 0, 3], 60));
    let moved = packet([10, 8, 0, 254], [192, 168, 7, 1], 60);
    server.node.submit([moved], server.now);
    assert_eq!(server.sent()[0].to, at(1));
    // With its peer, a route goes.
    server.configure(|nic| configure::remove_peer(nic, peers[0]));
    let gone = packet([10, 8, 0, 254], [192, 168, 7, 1], 60);
    assert_eq!(server.node.submit([gone.clone()], server.now), [(gone, Discard::NoRoute)]);
}

#[test]
fn a_peer_sends_from_its_own_addresses_alone() {
    let (mut server, peers) = server(2);
    server.configure(|nic| configure::add_route(nic, peers[0], prefix("172.16.0.0/12"))).unwrap();
    let mut client = client(1);
    for (source, is_allowed) in [
        ([10, 8, 0, 1], true),
        ([172, 20, 1, 1], true),
        ([10, 8, 0, 2], false),
        ([10, 9, 0, 1], false),
        ([172, 20, 1, 2], true),
    ] {
        let datagram = client.send(&packet(source, [10, 8, 0, 254], 60)).remove(0);
        assert_eq!(server.receive_from(at(1), &datagram).len(), usize::from(is_allowed));
    }
    assert_eq!(server.discarded(Discard::SourceNotAllowed), 2);
}

#[test]
fn datagrams_for_nobodys_id_are_counted_and_dropped() {
    let (mut server, _) = server(2);
    let datagram = client(3).send(&packet([10, 8, 0, 1], [10, 8, 0, 254], 60)).remove(0);
    assert!(server.receive_from(at(3), &datagram).is_empty());
    assert_eq!(server.discarded(Discard::UnknownContext), 1);
    assert!(server.node.handed_up.is_empty());
    // Another's id doesn't help.
    let mut stolen = client(2).send(&packet([10, 8, 0, 2], [10, 8, 0, 254], 60)).remove(0);
    stolen[3] = 1;
    assert!(server.receive_from(at(2), &stolen).is_empty());
    assert_eq!(server.discarded(Discard::Forged), 1);
}

#[test]
fn all_but_p_data_v2_goes_up_as_it_came() {
    let (mut server, _) = server(1);
    let mut expected = Vec::new();
    for opcode in (0..32_u8).filter(|opcode| *opcode != 9) {
        for length in [1, 3, 100, 1500] {
            let mut datagram = vec![opcode; length];
            datagram[0] = opcode << 3 | 5;
            assert!(server.receive_from(at(9), &datagram).is_empty());
            expected.push((Endpoint::new(at(9)), datagram));
        }
    }
    // Too short to name a peer.
    assert!(server.receive_from(at(9), &[0x48, 0, 0]).is_empty());
    expected.push((Endpoint::new(at(9)), vec![0x48, 0, 0]));
    assert_eq!(server.node.handed_up, expected);
    assert!(server.receive_from(at(9), &[]).is_empty());
    assert_eq!(server.discarded(Discard::Malformed), 1);
    assert_eq!(server.node.handed_up.len(), expected.len());
}

#[test]
fn with_one_peer_control_datagrams_of_others_stay_away() {
    let mut here = Channel::new(Mode::PointToPoint);
    here.receive_from(at(1), &[0x38; 14]);
    here.configure(|nic| configure::new_peer(nic, &new_peer(None))).unwrap();
    here.receive_from(at(1), &[0x38; 14]);
    here.receive(&[0x40; 14]);
    let from: Vec<_> = here.node.handed_up.iter().map(|(from, _)| from.remote).collect();
    assert_eq!(from, [at(1), remote()]);
    assert_eq!(here.discarded(Discard::ForeignControl), 1);
}

#[test]
fn one_of_many_is_followed_and_userspace_hears_of_it() {
    let (mut server, peers) = server(2);
    let mut client = client(1);
    let inner = packet([10, 8, 0, 1], [10, 8, 0, 254], 60);
    let [first, second] = [(); 2].map(|()| client.send(&inner).remove(0));
    assert_eq!(server.receive_from(at(77), &second).len(), 1);
    assert_eq!(is_at(&server, peers[0]), at(77));
    // A replay from elsewhere moves nobody, nor does a forgery.
    server.receive_from(at(78), &second);
    let mut forged = first.clone();
    forged[40] ^= 1;
    server.receive_from(at(78), &forged);
    assert_eq!(is_at(&server, peers[0]), at(77));
    server.node.submit([packet([10, 8, 0, 254], [10, 8, 0, 1], 60)], server.now);
    assert_eq!(server.sent()[0].to, at(77));
    // A peer that floats is reported by whoever accepts its packets.
    let outcome = server.accept(&first, at(79));
    assert!(outcome.endpoint_moved);
}

#[test]
fn nobody_is_followed_to_anothers_address() {
    let (mut server, peers) = server(2);
    let mut client = client(1);
    let inner = packet([10, 8, 0, 1], [10, 8, 0, 254], 60);
    let mut send = || client.send(&inner).remove(0);
    assert!(server.receive_from(at(2), &send()).is_empty(), "it is dropped");
    assert_eq!(server.discarded(Discard::AddressTaken), 1);
    assert_eq!([is_at(&server, peers[0]), is_at(&server, peers[1])], [at(1), at(2)]);
    // Where the other has moved away, its address is free.
    let mut other = self::client(2);
    let datagram = other.send(&packet([10, 8, 0, 2], [10, 8, 0, 254], 60)).remove(0);
    assert_eq!(server.receive_from(at(3), &datagram).len(), 1);
    assert_eq!(server.receive_from(at(2), &send()).len(), 1);
    assert_eq!([is_at(&server, peers[0]), is_at(&server, peers[1])], [at(2), at(3)]);
    // And where it was removed.
    server.configure(|nic| configure::remove_peer(nic, peers[1]));
    assert_eq!(server.receive_from(at(3), &send()).len(), 1);
    for nowhere in
        ["0.0.0.0:5", "[::]:5", "[ff02::1]:5", "239.1.1.1:5", "255.255.255.255:5", "192.0.2.5:0"]
    {
        assert!(server.receive_from(nowhere.parse().unwrap(), &send()).is_empty());
    }
    assert_eq!(is_at(&server, peers[0]), at(3));
}

#[test]
fn what_userspace_says_of_addresses_counts_and_leaves_nothing_behind() {
    let (mut server, peers) = server(3);
    // The first is put where the second is, and goes; the second stays.
    server.configure(|nic| nic.set_endpoint(peers[0], Endpoint::new(at(2))));
    assert_eq!(is_at(&server, peers[0]), at(2));
    server.configure(|nic| configure::remove_peer(nic, peers[0]));
    let mut third = client(3);
    let inner = packet([10, 8, 0, 3], [10, 8, 0, 254], 60);
    let mut send = || third.send(&inner).remove(0);
    assert!(server.receive_from(at(2), &send()).is_empty());
    assert_eq!(server.receive_from(at(1), &send()).len(), 1);
    assert_eq!(is_at(&server, peers[2]), at(1));
}

#[test]
fn syn_packets_are_lowered_both_ways_and_the_stacks_copy_is_not() {
    let syn = crate::hex::hex(concat!(
        "4500002c000040004006",
        "0000",
        "0a080001",
        "0a080002",
        "04d2005000000001000000006002ffff",
        "0000",
        "0000",
        "020405b4",
    ));
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 9));
    let (mut plain, other) = Channel::with_peer();
    plain.install(other, Slot::Primary, &symmetric_key(1, 9));
    let unchanged = here.send(&syn).remove(0);
    assert_eq!(plain.receive(&unchanged), [&syn[..]]);
    let change = PeerChange { mss_bytes: Some(1300), ..Default::default() };
    here.configure(|nic| configure::set_peer(nic, peer, &change));
    let lowered = here.send(&syn).remove(0);
    let mut expected = syn.clone();
    expected[42..44].copy_from_slice(&1300_u16.to_be_bytes());
    // The difference of 160, in ones' complement.
    expected[36..38].copy_from_slice(&160_u16.to_be_bytes());
    assert_eq!(plain.receive(&lowered), [&expected[..]]);
    let incoming = plain.send(&syn).remove(0);
    assert_eq!(here.receive(&incoming), [&expected[..]]);
    let state = here.configure(|nic| configure::peer_state(nic, peer)).unwrap();
    assert_eq!(state.mss_bytes, 1300);
}

#[test]
fn what_does_not_fit_the_mode_is_refused() {
    let mut here = Channel::new(Mode::PointToPoint);
    let make =
        |here: &mut Channel, new: NewPeer| here.configure(|it| configure::new_peer(it, &new));
    assert_eq!(make(&mut here, new_peer(Some(1))), Err(NewPeerError::WrongMode));
    let peer = make(&mut here, new_peer(None)).unwrap();
    let route = prefix("10.0.0.0/8");
    let added = here.configure(|nic| configure::add_route(nic, peer, route));
    assert_eq!(added, Err(AddRouteError::WrongMode));
    let set = here.configure(|nic| configure::set_mode(nic, Mode::MultiPeer));
    assert_eq!(set, Err(SetModeError::HasPeers));
    here.configure(configure::reset);
    assert_eq!(here.configure(|nic| configure::set_mode(nic, Mode::MultiPeer)), Ok(()));
    assert_eq!(make(&mut here, new_peer(None)), Err(NewPeerError::WrongMode));
    for id in [0x00ff_ffff, 1 << 24, u32::MAX] {
        assert_eq!(make(&mut here, new_peer(Some(id))), Err(NewPeerError::BadId));
    }
    let peer = make(&mut here, new_peer(Some(0x00ff_fffe))).unwrap();
    assert_eq!(make(&mut here, new_peer(Some(0x00ff_fffe))), Err(NewPeerError::Exists));
    let long = Prefix { address: [10, 0, 0, 0].into(), length: 33 };
    let added = here.configure(|nic| configure::add_route(nic, peer, long));
    assert_eq!(added, Err(AddRouteError::BadLength));
    assert!(here.configure(|nic| configure::remove_peer(nic, peer)));
    assert!(!here.configure(|nic| configure::remove_peer(nic, peer)));
    let added = here.configure(|nic| configure::add_route(nic, peer, route));
    assert_eq!(added, Err(AddRouteError::NoPeer));
}

#[test]
fn many_peers_come_and_go() {
    let mut server = Channel::new(Mode::MultiPeer);
    for round in 0..3_u32 {
        let peers: Vec<PeerId> = (0..2000_u32)
            .map(|n| {
                let address = SocketAddr::from(([10, round as u8, (n >> 8) as u8, n as u8], 1194));
                let new = NewPeer {
                    endpoint: Endpoint::new(address),
                    vpn4: Some(std::net::Ipv4Addr::from_bits(0x0a08_0000 + n)),
                    // Spread over all 24 bits.
                    ..new_peer(Some(n.wrapping_mul(8191) & 0x00ff_ffff))
                };
                server.configure(|nic| configure::new_peer(nic, &new)).unwrap()
            })
            .collect();
        assert_eq!(server.node.nic.receiver_count(), 2000);
        for (n, peer) in (0..2000_u32).zip(peers).filter(|(n, _)| n % 100 == 7) {
            server.install(peer, Slot::Primary, &symmetric_key(1, n as u8));
            let (mut client, only) = Channel::with_peer();
            let id = n.wrapping_mul(8191) & 0x00ff_ffff;
            let key = Key { transmit_id: Some(id), ..symmetric_key(1, n as u8) };
            client.install(only, Slot::Primary, &key);
            let inner = packet([10, 8, (n >> 8) as u8, n as u8], [10, 8, 0, 0], 60);
            assert_eq!(server.receive(&client.send(&inner)[0]).len(), 1);
            // What moved there makes way for the next.
            server.configure(|nic| configure::remove_peer(nic, peer));
        }
        server.configure(configure::reset);
        assert_eq!(server.node.nic.receiver_count(), 0);
        server.configure(|nic| configure::set_mode(nic, Mode::MultiPeer)).unwrap();
    }
}
