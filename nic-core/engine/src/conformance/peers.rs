//! Peers that go, and come again.

use core::time::Duration;

use crate::nic::{SendEffects, SentBatch};
use crate::{
    Drain, Protocol,
    conformance::{Pair, Side, Subject, packet},
    protocol::{Class, Discard},
};

/// A removed peer has no contexts, no routes and no packets; its name means nothing.
pub fn a_removed_peer_leaves_nothing_behind<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let (now, peer) = (pair.now, pair.left.peer);
    assert!(pair.left.nic.receiver_count() > 0);
    pair.left.queue((0..10).map(|n| packet(Side::Left, n, 60)), now);
    assert!(pair.left.configure(now, |configuration| configuration.remove_peer(peer)));
    assert!(!pair.left.configure(now, |configuration| configuration.remove_peer(peer)));
    assert_eq!(pair.left.nic.receiver_count(), 0);
    assert!(pair.left.nic.peer_counters(peer).is_none());
    let count = pair.left.configure(now, |configuration| configuration.peer_count());
    assert_eq!(count, 0);
    let refused = packet(Side::Left, 1, 60);
    assert_eq!(pair.left.submit([refused.clone()], now), [(refused, Discard::NoRoute)]);
    pair.send(Side::Right, packet(Side::Right, 1, 60));
    pair.run_for(Duration::from_secs(30));
    assert!(pair.left.delivered.is_empty());
}

/// Batches that are being sealed, sent, opened or delivered when their peer is removed disappear
/// quietly.
pub fn a_peer_removed_in_flight_does_no_harm<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let now = pair.now;
    let [left, right] = [pair.left.peer, pair.right.peer];
    pair.left.submit((0..3).map(|n| packet(Side::Left, n, 60)), now);
    let [a, b, c] = [(); 3].map(|()| pair.left.sent.pop_front().unwrap());
    let [a, b, c] = [a, b, c].map(|datagram| {
        let class = T::Protocol::classify(&datagram.bytes, datagram.bytes.len());
        let Class::Data(selector) = class else {
            panic!("{class:?} is no data");
        };
        (pair.right.nic.begin_open(selector, 1, now).unwrap(), datagram)
    });
    let opened = pair.right.open(a.0.peer, &[a.1], a.0.context);
    assert_eq!(pair.right.nic.finish_open(right, a.0.ticket, opened), Drain::Required);
    pair.left.queue((0..192).map(|n| packet(Side::Left, n, 60)), now);
    let [x, y, z] = [(); 3].map(|()| pair.left.begin_seal(now).unwrap());
    let sealed =
        pair.left.seal(x.packets, x.message.as_deref().unwrap_or_default(), &x.context, x.framing);
    assert_eq!(pair.left.nic.finish_seal(left, x.ticket, sealed), Drain::Required);

    for (node, peer) in [(&mut pair.left, left), (&mut pair.right, right)] {
        assert!(node.configure(now, |configuration| configuration.remove_peer(peer)));
    }
    assert!(pair.left.nic.next_to_send(left, now).is_none());
    let sealed =
        pair.left.seal(y.packets, y.message.as_deref().unwrap_or_default(), &y.context, y.framing);
    assert_eq!(pair.left.nic.finish_seal(left, y.ticket, sealed), Drain::NotRequired);
    assert_eq!(pair.left.nic.abandon_seal(left, z.ticket, now), Drain::NotRequired);
    let done = pair.left.nic.send_completed(left, &SentBatch::default(), true, now);
    assert_eq!(done, SendEffects::default());
    assert!(pair.left.begin_seal(now).is_none());

    let opened = pair.right.open(b.0.peer, &[b.1], b.0.context);
    assert_eq!(pair.right.nic.finish_open(right, b.0.ticket, opened), Drain::NotRequired);
    assert_eq!(pair.right.nic.abandon_open(right, c.0.ticket), Drain::NotRequired);
    pair.right.indicate(right, now);
    assert!(pair.right.delivered.is_empty());
    pair.run_for(Duration::from_secs(30));
}

/// A peer added again gets the place of the old one and works; the old one's name stays dead.
pub fn a_new_peer_in_an_old_place_is_another<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    // The wall clock of handshakes must have moved on.
    pair.run_for(Duration::from_secs(10));
    let now = pair.now;
    let [left, right] = [pair.left.peer, pair.right.peer];
    for (node, peer) in [(&mut pair.left, left), (&mut pair.right, right)] {
        node.configure(now, |configuration| configuration.remove_peer(peer));
    }
    pair.left.peer = pair.left.add_peer::<T>(Side::Left, now);
    pair.right.peer = pair.right.add_peer::<T>(Side::Right, now);
    assert_eq!(pair.left.peer.index, left.index);
    assert_ne!(pair.left.peer, left);
    assert!(pair.left.nic.endpoint(left).is_none());
    pair.left.delivered.clear();
    pair.send(Side::Left, packet(Side::Left, 1, 60));
    pair.run_for(Duration::from_secs(10));
    pair.send(Side::Right, packet(Side::Right, 1, 60));
    pair.run_for(Duration::from_secs(10));
    assert_eq!((pair.left.delivered.len(), pair.right.delivered.len()), (1, 1));
    assert_eq!(pair.left.nic.peer_counters(left), None);
}
