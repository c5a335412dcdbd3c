//! The suite for protocols, run with a small one.

use core::time::Duration;

use nic_engine::{
    PeerName,
    conformance::{Node, Pair, Side, Subject, packet},
    protocol::{Discard, Ecn, TrafficClass},
};
use preshared::{Control, PeerControl, PeerData, Preshared};

struct Small;

impl Subject for Small {
    type Protocol = Preshared;

    fn control(side: Side) -> Control {
        Control { name: [side as u8; 32], messages: Vec::new() }
    }

    fn peer(side: Side, _control: &Control) -> (PeerName, PeerControl, PeerData) {
        ([side.other() as u8; 32], PeerControl::new([42; 32]), PeerData::default())
    }
}

nic_engine::conformance_tests!(Small);

#[test]
fn a_control_message_passes_through_the_tunnel_and_is_answered() {
    let mut pair = Pair::<Small>::new();
    let (now, peer) = (pair.now, pair.left.peer);
    // There is no key yet: the message waits for the handshake.
    pair.left.configure(now, |configuration| {
        let sent = configuration.with_protocol(|_, host| host.send_sealed(peer, b"echo hello"));
        assert!(sent);
    });
    pair.run_for(Duration::from_secs(1));
    let now = pair.now;
    let messages = |node: &mut Node<Preshared>| {
        node.configure(now, |configuration| configuration.protocol().messages.clone())
    };
    assert_eq!(messages(&mut pair.right), [b"echo hello"]);
    assert_eq!(messages(&mut pair.left), [b"hello"]);
    assert!(pair.left.delivered.is_empty() && pair.right.delivered.is_empty());
    assert!(pair.log.iter().all(|datagram| !datagram.bytes.ends_with(b"hello")), "in the clear");
}

#[test]
fn sealed_control_messages_are_bounded_and_dropped_when_the_adapter_stops() {
    let mut pair = Pair::<Small>::new();
    let (now, peer) = (pair.now, pair.left.peer);
    pair.is_lost = |_| true;
    let queued = pair.left.configure(now, |configuration| {
        configuration.with_protocol(|_, host| {
            (0..100).filter(|_| host.send_sealed(peer, b"message")).count()
        })
    });
    assert_eq!(queued, 16);
    pair.left.nic.set_up(false);
    assert_eq!(pair.left.discarded(Discard::Down), 16);
}

#[test]
fn the_outer_ecn_mark_reaches_the_inner_header() {
    for (inner, outer, expected) in [
        (Ecn::Ect0, Ecn::Ce, Some(Ecn::Ce)),
        (Ecn::Ect0, Ecn::Ect1, Some(Ecn::Ect1)),
        (Ecn::Ect0, Ecn::NotEct, Some(Ecn::Ect0)),
        (Ecn::NotEct, Ecn::Ect0, Some(Ecn::NotEct)),
        (Ecn::NotEct, Ecn::Ce, None),
    ] {
        for number in [0, 1] {
            let mut pair = Pair::<Small>::keyed();
            let mut sent = packet(Side::Left, number, 60);
            set_ecn(&mut sent, inner);
            let class = pair.left.nic.outer_traffic_class(&sent);
            assert_eq!(class, TrafficClass { dscp: 0, ecn: inner });
            let now = pair.now;
            assert_eq!(pair.left.submit([sent], now), []);
            let mut datagrams: Vec<_> = pair.left.sent.drain(..).collect();
            datagrams.iter_mut().for_each(|datagram| datagram.ecn = outer);
            pair.right.receive(&datagrams, now);
            let delivered = pair.right.delivered.first().map(|it| TrafficClass::of_packet(it).ecn);
            assert_eq!(delivered, expected, "{inner:?} in {outer:?}");
        }
    }
}

fn set_ecn(packet: &mut [u8], ecn: Ecn) {
    if packet[0] >> 4 == 4 {
        packet[1] = ecn as u8;
    } else {
        packet[1] = (ecn as u8) << 4;
    }
}
