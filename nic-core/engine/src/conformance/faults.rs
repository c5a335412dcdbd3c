//! Packets that must not get through.

use core::time::Duration;
use std::vec::Vec;

use crate::{
    Protocol,
    conformance::{Datagram, Pair, Side, Subject, packet, pair::Random},
    protocol::{Class, DataPlane, Discard, Ecn},
};

/// A packet is delivered once, however often its datagram arrives.
pub fn replayed_packets_are_refused<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let datagrams = some_datagrams(&mut pair, 20);
    let now = pair.now;
    pair.right.receive(&datagrams, now);
    assert_eq!(pair.right.delivered.len(), 20);
    let before = pair.right.nic.peer_counters(pair.right.peer);
    pair.right.receive(&datagrams, now);
    assert_eq!(pair.right.delivered.len(), 20);
    assert_eq!(pair.right.discarded(Discard::Replayed), 20);
    assert_eq!(pair.right.nic.peer_counters(pair.right.peer), before, "they count for nothing");
}

/// A datagram with any bit flipped is not delivered, does not move the peer, and does not spoil the
/// true one.
pub fn altered_packets_are_refused<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let datagrams = some_datagrams(&mut pair, 1);
    let (now, endpoint) = (pair.now, pair.right.nic.endpoint(pair.right.peer));
    for bit in 0..datagrams[0].bytes.len() * 8 {
        let mut altered = datagrams[0].clone();
        altered.bytes[bit / 8] ^= 1 << (bit % 8);
        altered.from.set_port(1);
        pair.right.receive(&[altered], now);
        assert!(pair.right.delivered.is_empty(), "bit {bit} is not authenticated");
    }
    assert_eq!(pair.right.nic.endpoint(pair.right.peer), endpoint);
    assert!(pair.right.discarded(Discard::Forged) > 0);
    pair.right.receive(&datagrams, now);
    assert_eq!(pair.right.delivered.len(), 1);
}

/// A datagram that lacks its end or has more is not delivered.
pub fn truncated_packets_are_refused<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let datagrams = some_datagrams(&mut pair, 1);
    let now = pair.now;
    for length in (0..datagrams[0].bytes.len() + 40).filter(|&it| it != datagrams[0].bytes.len()) {
        let mut altered = datagrams[0].clone();
        altered.bytes.resize(length, 0);
        pair.right.receive(&[altered], now);
        assert!(pair.right.delivered.is_empty(), "{length} bytes");
    }
    pair.right.receive(&datagrams, now);
    assert_eq!(pair.right.delivered.len(), 1);
}

/// Random datagrams, and handshakes with random changes, do nothing to a tunnel that stands.
pub fn noise_does_no_harm<T: Subject>() {
    let mut fresh = Pair::<T>::new();
    fresh.send(Side::Left, packet(Side::Left, 0, 60));
    fresh.run_for(Duration::from_secs(1));
    let control = fresh.log.into_iter().filter(|datagram| {
        let class = T::Protocol::classify(&datagram.bytes, datagram.bytes.len());
        class == Class::Control
    });
    let messages: Vec<Datagram> = control.collect();

    let mut pair = Pair::<T>::keyed();
    let mut random = Random(7);
    for _ in 0..2000 {
        let now = pair.now;
        let template = some_datagram(&pair);
        let mut noise = match random.next() % 3 {
            0 => Datagram {
                bytes: (0..random.next() % 300).map(|_| random.next() as u8).collect(),
                ..template
            },
            _ => messages
                .get(random.next() as usize % messages.len().max(1))
                .cloned()
                .unwrap_or(template),
        };
        if let Some(at) = (random.next() as usize).checked_rem(noise.bytes.len()) {
            noise.bytes[at] ^= 1 << (random.next() % 8);
        }
        pair.right.receive(&[noise], now);
    }
    assert!(pair.right.delivered.is_empty());
    pair.run_for(Duration::from_secs(1));
    pair.send(Side::Right, packet(Side::Right, 1, 60));
    pair.send(Side::Left, packet(Side::Left, 1, 60));
    pair.run_for(Duration::from_secs(1));
    assert_eq!((pair.left.delivered.len(), pair.right.delivered.len()), (1, 1));
}

/// A peer may send from its own allowed IPs alone.
pub fn packets_from_foreign_sources_are_refused<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let mut foreign = packet(Side::Left, 0, 60);
    foreign[12] = 11;
    let mut mirrored = packet(Side::Left, 1, 60);
    mirrored[9] = Side::Right as u8;
    let good = packet(Side::Left, 2, 60);
    for packet in [&foreign, &good, &mirrored, &foreign] {
        pair.send(Side::Left, packet.clone());
    }
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.right.delivered, [good]);
    assert_eq!(pair.right.discarded(Discard::SourceNotAllowed), 3);
}

/// Where the protocol roams, a peer is answered where its last authentic packet came from.
pub fn a_peer_that_moves_is_followed<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let old = pair.left.address;
    pair.left.address = "198.51.100.77:1024".parse().unwrap();
    pair.send(Side::Left, packet(Side::Left, 1, 60));
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.right.delivered.len(), 1);
    let (now, right, mut roams) = (pair.now, pair.right.peer, false);
    pair.right.configure(now, |adapter| {
        adapter.with_peer_data(right, |data| roams = data.roams());
    });
    let expected = if roams { pair.left.address } else { old };
    let endpoint = pair.right.nic.endpoint(pair.right.peer).unwrap();
    assert_eq!(endpoint.remote, expected);
    pair.send(Side::Right, packet(Side::Right, 1, 60));
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.left.delivered.len(), usize::from(roams));
}

/// Data packets of the left side that have not arrived.
fn some_datagrams<T: Subject>(pair: &mut Pair<T>, count: u32) -> Vec<Datagram> {
    let now = pair.now;
    pair.left.submit((0..count).map(|n| packet(Side::Left, n, 60)), now);
    pair.left.sent.drain(..).collect()
}

/// A datagram of nothing from the left to the right.
fn some_datagram<T: Subject>(pair: &Pair<T>) -> Datagram {
    Datagram {
        from: pair.left.address,
        to: pair.right.address,
        bytes: Vec::new(),
        ecn: Ecn::NotEct,
    }
}
