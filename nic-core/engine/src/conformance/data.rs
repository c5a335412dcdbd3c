//! Data, keepalives, queues, counters.

use core::time::Duration;
use std::vec::Vec;

use crate::{
    conformance::{Pair, Side, Subject, packet, pair::number},
    protocol::Discard,
};

/// Packets of both families and any length arrive as they were sent, without padding, and nothing
/// is counted as dropped.
pub fn packets_arrive_both_ways_unchanged<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    for side in [Side::Left, Side::Right] {
        let packets: Vec<_> =
            (0..200).map(|n| packet(side, n, 44 + 7 * n as usize % 1377)).collect();
        let now = pair.now;
        assert_eq!(pair.node(side).submit(packets.iter().cloned(), now), []);
        pair.run_for(Duration::from_secs(1));
        assert!(pair.node(side.other()).delivered == packets);
    }
    for node in [&pair.left, &pair.right] {
        assert_eq!(node.nic.totals().discards, [0; Discard::COUNT]);
    }
}

/// What was sent before there was a key is not lost.
pub fn packets_that_wait_for_a_key_arrive_in_order<T: Subject>() {
    let mut pair = Pair::<T>::new();
    for n in 0..100 {
        pair.send(Side::Left, packet(Side::Left, n, 100));
    }
    assert!(pair.right.delivered.is_empty());
    pair.run_for(Duration::from_secs(1));
    assert!(pair.right.delivered.iter().map(|packet| number(packet)).eq(0..100));
}

/// An empty packet is accepted as the peer's, and nothing goes up.
pub fn a_keepalive_is_sent_and_consumed<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let (now, peer) = (pair.now, pair.left.peer);
    let received = |pair: &Pair<T>| pair.right.nic.peer_counters(pair.right.peer).unwrap();
    let before = received(&pair);
    pair.left.configure(now, |configuration| {
        configuration.with_protocol(|_, host| host.send_keepalive(peer));
    });
    pair.run_for(Duration::from_millis(100));
    let after = received(&pair);
    assert_eq!(after.received_packets, before.received_packets + 1);
    assert!(pair.right.delivered.is_empty());
    assert_eq!(pair.right.nic.totals().discards, [0; Discard::COUNT]);
}

/// A handshake whose messages get lost is repeated by itself, and what waits is sent then.
pub fn a_lost_handshake_is_tried_again<T: Subject>() {
    let mut pair = Pair::<T>::new();
    pair.is_lost = |_| true;
    pair.send(Side::Left, packet(Side::Left, 1, 100));
    pair.run_for(Duration::from_secs(12));
    assert!(pair.right.delivered.is_empty());
    pair.is_lost = |_| false;
    pair.run_for(Duration::from_secs(12));
    assert_eq!(pair.right.delivered, [packet(Side::Left, 1, 100)]);
}

/// Every packet that can't be sent comes back with the reason, and others are not affected.
pub fn what_cannot_be_sent_is_refused_with_its_reason<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let now = pair.now;
    let mut nowhere = packet(Side::Left, 0, 60);
    nowhere[16] = 11;
    let mut longer = packet(Side::Left, 0, 60);
    longer[3] += 1;
    let good = packet(Side::Left, 2, 60);
    let mix = [nowhere.clone(), good.clone(), Vec::new(), longer.clone(), good.clone()];
    assert_eq!(
        pair.left.submit(mix, now),
        [(nowhere, Discard::NoRoute), (Vec::new(), Discard::NotIp), (longer, Discard::NotIp)]
    );
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.right.delivered, [good.clone(), good]);
    assert_eq!(pair.left.discarded(Discard::NoRoute), 1);
    assert_eq!(pair.left.discarded(Discard::NotIp), 2);
}

/// While there is no key, the newest packets are kept.
pub fn the_queue_is_bounded_without_a_key<T: Subject>() {
    let mut pair = Pair::<T>::new();
    pair.is_lost = |_| true;
    let now = pair.now;
    let packets: Vec<_> = (0..1000).map(|n| packet(Side::Left, n, 100)).collect();
    let rejected = pair.left.submit(packets, now);
    assert!(rejected.iter().all(|(_, reason)| *reason == Discard::QueueFull));
    assert!(rejected.iter().map(|(packet, _)| number(packet)).eq(0..1000 - 128));
    pair.is_lost = |_| false;
    pair.run_for(Duration::from_secs(12));
    assert!(pair.right.delivered.iter().map(|packet| number(packet)).eq(1000 - 128..1000));
}

/// While it is down, nothing goes in or out; afterwards it goes on.
pub fn a_stopped_adapter_carries_nothing_and_keeps_its_keys<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let now = pair.now;
    let first = packet(Side::Left, 1, 60);
    pair.left.nic.set_up(false);
    assert_eq!(pair.left.submit([first.clone()], now), [(first.clone(), Discard::Down)]);
    pair.send(Side::Right, packet(Side::Right, 2, 60));
    pair.run_for(Duration::from_millis(100));
    assert!(pair.left.delivered.is_empty() && pair.right.delivered.is_empty());
    pair.log.clear();
    pair.left.nic.set_up(true);
    pair.send(Side::Left, first.clone());
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.right.delivered, [first]);
    assert_eq!(pair.log.len(), 1, "it had no keys any more");
}

/// What one side says that it sent, the other says that it received.
pub fn counters_agree_on_both_sides<T: Subject>() {
    let mut pair = Pair::<T>::new();
    for n in 0..50 {
        pair.send(Side::Left, packet(Side::Left, n, 500));
        pair.run_for(Duration::from_millis(50));
        pair.send(Side::Right, packet(Side::Right, n, 90));
        pair.run_for(Duration::from_millis(50));
    }
    pair.run_for(Duration::from_secs(60));
    let left = pair.left.nic.peer_counters(pair.left.peer).unwrap();
    let right = pair.right.nic.peer_counters(pair.right.peer).unwrap();
    assert_eq!(
        (left.sent_packets, left.sent_bytes, left.received_packets, left.received_bytes),
        (right.received_packets, right.received_bytes, right.sent_packets, right.sent_bytes)
    );
    let on_wire: usize = pair.log.iter().map(|datagram| datagram.bytes.len()).sum();
    assert_eq!(left.sent_bytes + right.sent_bytes, on_wire as u64);
    let totals = pair.left.nic.totals();
    assert_eq!((totals.sent_packets, totals.received_packets), (50, 50));
    assert_eq!((totals.sent_bytes, totals.received_bytes), (left.sent_bytes, left.received_bytes));
}
