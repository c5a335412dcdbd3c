//! Handshakes between two instances of the module.

use crate::adapter::{Adapter, Datagram, NO_KEY, Pair, at, millis, seconds};
use nic_engine::ControlHost;
use nic_engine::protocol::{ControlPlane, Discard, Event};
use nic_wireguard::TimerConstants;
use nic_wireguard::configure::{self, NewPeerError};

/// A payload with its padding.
fn padded(payload: &[u8]) -> Vec<u8> {
    let mut padded = payload.to_vec();
    padded.resize(payload.len().next_multiple_of(16), 0);
    padded
}

#[test]
fn data_flows_both_ways() {
    for psk in [NO_KEY, [7; 32]] {
        let mut pair = Pair::with(TimerConstants::PAPER, psk, psk);
        pair.a.send(pair.to_b, b"one");
        pair.a.send(pair.to_b, b"two");
        pair.run_for(millis(100));
        assert_eq!(pair.b.host.delivered, [padded(b"one"), padded(b"two")]);
        pair.b.send(pair.to_a, b"three");
        pair.run_for(millis(100));
        assert_eq!(pair.a.host.delivered, [padded(b"three")]);

        let kinds: Vec<u8> = pair.log.iter().map(|(_, datagram)| datagram.kind()).collect();
        assert_eq!(kinds, [1, 2, 4, 4, 4], "no message more than needed");
        assert_eq!(pair.a.host.events, [Event::HandshakeCompleted(pair.to_b)]);
        assert_eq!(pair.b.host.events, [Event::HandshakeCompleted(pair.to_a)]);
        assert!(pair.a.latest_handshake(pair.to_b).is_some());
        assert!(pair.b.latest_handshake(pair.to_a).is_some());
        assert_eq!(pair.a.discards() + pair.b.discards(), 0);
        assert_eq!((pair.a.host.receivers.len(), pair.b.host.receivers.len()), (1, 1));
        assert_eq!(pair.a.host.peer(pair.to_b).received_bytes, 92 + 48);
        assert_eq!(pair.b.host.peer(pair.to_a).received_bytes, 148 + 48 + 48);
    }
}

#[test]
fn without_data_an_initiator_confirms_by_a_keepalive() {
    let mut pair = Pair::new();
    pair.a.set_persistent_keepalive(pair.to_b, 25);
    pair.run_for(millis(100));
    assert_eq!(pair.b.host.keepalives_received, 1);
    assert_eq!(pair.b.host.events, [Event::HandshakeCompleted(pair.to_a)]);
}

#[test]
fn a_responder_waits_for_the_first_packet() {
    let mut pair = Pair::new();
    pair.is_lost = Box::new(|datagram| datagram.kind() == 4);
    pair.a.send(pair.to_b, b"lost");
    pair.run_for(millis(100));
    pair.b.send(pair.to_a, b"waits");
    pair.run_for(seconds(1));
    assert_eq!(pair.times_from_b(4), [], "no data before the key is confirmed");
    assert_eq!(pair.times_from_b(1), [], "and no handshake of its own while this one is new");
    assert!(pair.b.host.events.is_empty());

    pair.is_lost = Box::new(|_| false);
    pair.a.send(pair.to_b, b"arrives");
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered, [padded(b"arrives")]);
    assert_eq!(pair.a.host.delivered, [padded(b"waits")], "sent as soon as the key was confirmed");
    assert_eq!(pair.b.host.events, [Event::HandshakeCompleted(pair.to_a)]);
}

#[test]
fn a_wrong_preshared_key_lets_nothing_through() {
    let mut pair = Pair::with(TimerConstants::PAPER, [1; 32], [2; 32]);
    pair.a.send(pair.to_b, b"secret");
    pair.run_for(seconds(20));
    assert!(pair.b.host.delivered.is_empty());
    assert!(pair.a.host.events.is_empty());
    assert!(pair.times_from_a(4).is_empty());
    assert_eq!(pair.a.count(Discard::BadHandshake), 4, "one for each response");
    assert!(pair.a.latest_handshake(pair.to_b).is_none());
    // Set right, it works from the next handshake on.
    let peer = pair.to_a;
    configure::set_preshared_key(&mut pair.b.host, peer, &[1; 32]);
    pair.run_for(seconds(10));
    assert_eq!(pair.b.host.delivered, [padded(b"secret")]);
}

#[test]
fn a_stranger_gets_no_answer() {
    let mut pair = Pair::new();
    let stranger_key = [0x33; 32];
    let mut stranger = Adapter::new("192.0.2.3:1003", stranger_key, TimerConstants::PAPER);
    let to_b = stranger.add_peer(&pair.b.public_key(), &NO_KEY, Some(pair.b.host.address));
    stranger.send(to_b, b"hello");
    let initiation = stranger.take_outbox().remove(0);
    pair.b.receive(&initiation);
    assert_eq!(pair.b.count(Discard::BadHandshake), 1);
    assert!(pair.b.host.outbox.is_empty());
    assert!(pair.b.host.receivers.is_empty());
    assert_eq!(pair.b.host.peer(pair.to_a).endpoint.unwrap().remote, pair.a.host.address);

    // Meant for somebody else: not even MAC1 is right.
    pair.a.receive(&Datagram { to: pair.a.host.address, ..initiation });
    assert_eq!(pair.a.count(Discard::BadAuthenticator), 1);
}

#[test]
fn a_replayed_initiation_gets_no_answer() {
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    pair.b.receive(&initiation);
    assert_eq!(pair.b.take_outbox().len(), 1);
    let contexts = pair.b.host.receivers.clone();
    pair.b.set_time(seconds(1001));
    let elsewhere = Datagram { from: "203.0.113.9:9".parse().unwrap(), ..initiation };
    pair.b.receive(&elsewhere);
    assert_eq!(pair.b.count(Discard::BadHandshake), 1);
    assert!(pair.b.host.outbox.is_empty());
    assert_eq!(pair.b.host.receivers, contexts);
    assert_eq!(pair.b.host.peer(pair.to_a).endpoint.unwrap().remote, pair.a.host.address);
}

#[test]
fn initiations_closer_than_20_ms_are_refused() {
    let mut pair = Pair::new();
    let mut initiations = Vec::new();
    for step in 0..3 {
        pair.a.set_time(seconds(1000 + 6 * step));
        pair.a.stop();
        pair.a.send(pair.to_b, b"x");
        initiations.extend(pair.a.take_outbox());
    }
    assert_eq!(initiations.len(), 3);
    pair.b.receive(&initiations[0]);
    pair.b.set_time(seconds(1000) + millis(19));
    pair.b.receive(&initiations[1]);
    assert_eq!(pair.b.count(Discard::RateLimited), 1);
    pair.b.set_time(seconds(1000) + millis(20));
    pair.b.receive(&initiations[2]);
    assert_eq!(pair.b.discards(), 1);
    assert_eq!(pair.b.take_outbox().len(), 2);
}

#[test]
fn truncated_and_flipped_messages_change_nothing() {
    // The recorded messages of a good handshake, and the adapters before they received them.
    let record = || {
        let mut pair = Pair::with(TimerConstants::PAPER, [9; 32], [9; 32]);
        pair.a.send(pair.to_b, b"payload");
        let initiation = pair.a.take_outbox().remove(0);
        (pair, initiation)
    };
    let (mut pair, initiation) = record();
    let mut bad = 0;
    for forged in forgeries(&initiation) {
        pair.b.receive(&forged);
        bad += 1;
        assert_eq!(pair.b.discards(), bad, "each is counted once");
        assert!(pair.b.host.outbox.is_empty() && pair.b.host.receivers.is_empty());
    }
    // MAC2 alone means nothing where there is no load: those initiations count as good, so they are
    // left out above.
    pair.b.receive(&initiation);
    let response = pair.b.take_outbox().remove(0);
    assert_eq!(response.kind(), 2);

    let (contexts, mut bad) = (pair.a.host.receivers.clone(), 0);
    for forged in forgeries(&response) {
        pair.a.receive(&forged);
        bad += 1;
        assert_eq!(pair.a.discards(), bad);
        assert!(pair.a.host.outbox.is_empty() && pair.a.host.events.is_empty());
    }
    assert_eq!(pair.a.host.receivers, contexts);
    pair.a.receive(&response);
    let data = pair.a.take_outbox().remove(0);
    assert_eq!(data.kind(), 4);

    let mut bad = pair.b.discards();
    let data_forgeries = truncations(&data).into_iter().chain(flips(&data, data.bytes.len()));
    for forged in data_forgeries {
        pair.b.receive(&forged);
        bad += 1;
        assert_eq!(pair.b.discards(), bad);
    }
    assert!(pair.b.host.delivered.is_empty() && pair.b.host.events.is_empty());
    assert!(pair.b.count(Discard::Forged) > 8 * 32, "ciphertext, tag and counter");
    assert!(pair.b.count(Discard::UnknownContext) >= 32, "receiver index");
    pair.b.receive(&data);
    assert_eq!(pair.b.host.delivered, [padded(b"payload")]);
}

/// Every truncation, one longer, and every flipped bit before MAC2.
fn forgeries(good: &Datagram) -> Vec<Datagram> {
    let mut forgeries = truncations(good);
    let mut longer = good.clone();
    longer.bytes.push(0);
    forgeries.push(longer);
    forgeries.extend(flips(good, good.bytes.len() - 16));
    forgeries
}

fn truncations(good: &Datagram) -> Vec<Datagram> {
    (0..good.bytes.len())
        .map(|length| Datagram { bytes: good.bytes[..length].to_vec(), ..good.clone() })
        .collect()
}

fn flips(good: &Datagram, length: usize) -> impl Iterator<Item = Datagram> {
    (0..length * 8).map(move |bit| {
        let mut flipped = good.clone();
        flipped.bytes[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

#[test]
fn forged_messages_with_good_mac1_are_refused_too() {
    // MAC1 needs only the public key, so an attacker can repair it: what is behind it must hold by
    // itself.
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    for position in 8..116 {
        let mut forged = initiation.clone();
        forged.bytes[position] ^= 0x40;
        repair_mac1(&mut forged.bytes, &pair.b.public_key());
        pair.b.receive(&forged);
    }
    assert_eq!(pair.b.count(Discard::BadHandshake), 108);
    assert_eq!(pair.b.discards(), 108);
    assert!(pair.b.host.receivers.is_empty() && pair.b.host.outbox.is_empty());

    pair.b.receive(&initiation);
    let response = pair.b.take_outbox().remove(0);
    for position in 8..60 {
        let mut forged = response.clone();
        forged.bytes[position] ^= 0x40;
        repair_mac1(&mut forged.bytes, &pair.a.public_key());
        pair.a.receive(&forged);
    }
    assert_eq!(pair.a.count(Discard::BadHandshake), 52);
    // None of them spoiled the pending handshake.
    pair.a.receive(&response);
    assert_eq!(pair.a.host.events.len(), 1);
}

#[test]
fn a_response_is_for_its_initiation_alone() {
    let mut pair = Pair::connected();
    let old: Vec<u32> = pair.a.host.receivers.keys().copied().collect();
    pair.run_for(seconds(200));
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    pair.b.receive(&initiation);
    let response = pair.b.take_outbox().remove(0);
    // The receiver index is not part of what Noise authenticates.
    let mut forged = response.clone();
    forged.bytes[8..12].copy_from_slice(&old[0].to_le_bytes());
    repair_mac1(&mut forged.bytes, &pair.a.public_key());
    pair.a.receive(&forged);
    assert_eq!(pair.a.count(Discard::BadHandshake), 1);
    assert!(pair.a.host.outbox.is_empty());
    pair.a.receive(&response);
    assert_eq!(pair.a.take_outbox().len(), 1);
}

#[test]
fn low_order_points_are_refused() {
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    let mut zero = [0; 32];
    for last in [0, 1] {
        zero[0] = last;
        let mut forged = initiation.clone();
        forged.bytes[8..40].copy_from_slice(&zero);
        repair_mac1(&mut forged.bytes, &pair.b.public_key());
        pair.b.receive(&forged);
    }
    assert_eq!(pair.b.count(Discard::BadHandshake), 2);
    // A peer with such a static key is never sent an initiation.
    let peer = pair.a.add_peer(&NO_KEY, &NO_KEY, Some("192.0.2.7:7".parse().unwrap()));
    pair.a.send(peer, b"x");
    assert!(pair.a.host.outbox.is_empty());
}

fn repair_mac1(message: &mut [u8], receiver: &[u8; 32]) {
    use nic_crypto::blake2s;
    let key = blake2s::hash(&[b"mac1----", receiver]);
    let end = message.len() - 32;
    let mac1 = blake2s::keyed_mac16(&key, &[&message[..end]]);
    message[end..end + 16].copy_from_slice(&mac1);
}

#[test]
fn both_sides_may_begin_at_once() {
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"from a");
    pair.b.send(pair.to_a, b"from b");
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered, [padded(b"from a")]);
    assert_eq!(pair.a.host.delivered, [padded(b"from b")]);
    for _ in 0..5 {
        pair.a.send(pair.to_b, b"more");
        pair.b.send(pair.to_a, b"more");
        pair.run_for(seconds(1));
    }
    assert_eq!((pair.a.host.delivered.len(), pair.b.host.delivered.len()), (6, 6));
    assert_eq!(pair.a.discards() + pair.b.discards(), 0);
}

#[test]
fn lost_messages_are_sent_again() {
    for lost_kind in [1, 2] {
        let mut pair = Pair::new();
        let mut losses = 2;
        pair.is_lost = Box::new(move |datagram| {
            let is_lost = datagram.kind() == lost_kind && losses > 0;
            losses -= i32::from(is_lost);
            is_lost
        });
        pair.a.send(pair.to_b, b"x");
        pair.run_for(seconds(12));
        assert_eq!(pair.b.host.delivered, [padded(b"x")], "type {lost_kind} lost twice");
        assert_eq!(pair.times_from_a(1).len(), 3);
        assert_eq!(pair.a.host.local_addresses_cleared, 2);
        assert_eq!(pair.a.host.receivers.len(), 1, "those of the lost ones were given back");
    }
}

#[test]
fn a_restarted_peer_is_met_again() {
    let mut pair = Pair::connected();
    // B forgets everything.
    let mut b = Adapter::new("192.0.2.2:1002", [0x22; 32], TimerConstants::PAPER);
    let to_a = b.add_peer(&pair.a.public_key(), &NO_KEY, Some(pair.a.host.address));
    b.set_time(pair.now);
    pair.b = b;
    pair.to_a = to_a;
    pair.b.send(to_a, b"again");
    pair.run_for(seconds(1));
    assert_eq!(pair.a.host.delivered, [padded(b"again")]);
    pair.a.send(pair.to_b, b"back");
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered, [padded(b"back")]);
}

#[test]
fn an_address_may_become_known_later() {
    let mut pair = Pair::new();
    let endpoint = pair.a.host.peer(pair.to_b).endpoint.take();
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(30));
    assert!(pair.log.is_empty() && pair.a.host.receivers.is_empty());
    pair.a.host.peer(pair.to_b).endpoint = endpoint;
    pair.run_for(seconds(6));
    assert_eq!(pair.b.host.delivered, [padded(b"x")]);
}

#[test]
fn endpoints_follow_handshakes() {
    let mut pair = Pair::new();
    let moved = "198.51.100.7:7".parse().unwrap();
    pair.a.host.address = moved;
    pair.b.host.peer(pair.to_a).endpoint = None;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.peer(pair.to_a).endpoint.unwrap().remote, moved);
    assert!(pair.b.host.events.contains(&Event::EndpointMoved(pair.to_a)));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn without_random_numbers_nothing_is_keyed() {
    let mut pair = Pair::new();
    pair.a.host.has_random = false;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(2));
    assert!(pair.log.is_empty());
    assert!(pair.a.host.receivers.is_empty());
    pair.a.host.has_random = true;
    pair.run_for(seconds(4));
    assert_eq!(pair.b.host.delivered.len(), 1, "tried again later");

    let mut pair = Pair::new();
    pair.b.host.has_random = false;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(2));
    assert!(pair.b.host.receivers.is_empty());
    assert_eq!(pair.b.count(Discard::NoMemory), 1);
    pair.b.host.has_random = true;
    pair.run_for(seconds(4));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn a_new_identity_ends_sessions() {
    let mut pair = Pair::connected();
    let same = pair.a.set_private_key(Some([0x11; 32]));
    assert_eq!(same, None);
    assert_eq!(pair.a.host.receivers.len(), 1, "the same key changes nothing");

    pair.a.set_private_key(Some([0x44; 32]));
    assert!(pair.a.host.receivers.is_empty());
    pair.a.send(pair.to_b, b"as another");
    pair.run_for(seconds(1));
    assert!(pair.b.host.delivered.is_empty());
    assert_eq!(pair.b.count(Discard::BadHandshake), 1, "B doesn't know us");
    let key = pair.a.public_key();
    let address = pair.a.host.address;
    pair.b.add_peer(&key, &NO_KEY, Some(address));
    pair.run_for(seconds(6));
    assert_eq!(pair.b.host.delivered, [padded(b"as another")]);

    pair.a.set_private_key(None);
    assert!(pair.a.host.receivers.is_empty());
    pair.log.clear();
    pair.a.send(pair.to_b, b"nobody");
    pair.run_for(seconds(20));
    assert!(pair.times_from_a(1).is_empty() && pair.times_from_a(4).is_empty());
    // What waits is sent once we are somebody again.
    pair.a.set_private_key(Some([0x44; 32]));
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered.last(), Some(&padded(b"nobody")));
}

#[test]
fn our_own_key_is_no_peer() {
    let mut pair = Pair::new();
    let own = pair.a.public_key();
    let refused = configure::new_peer(&pair.a.control, &own, &NO_KEY).map(|_| ());
    assert_eq!(refused, Err(NewPeerError::OwnKey));
    assert_eq!(pair.a.set_private_key(Some([0x22; 32])), Some(pair.to_b));
}

#[test]
fn down_ends_sessions_and_up_begins_anew() {
    let mut pair = Pair::connected();
    pair.a.set_persistent_keepalive(pair.to_b, 25);
    pair.run_for(millis(100));
    pair.a.stop();
    assert!(pair.a.host.receivers.is_empty());
    assert_eq!(pair.a.deadline(), nic_engine::Instant::NEVER);
    pair.log.clear();
    pair.run_for(seconds(1));
    pair.a.start();
    pair.run_for(seconds(1));
    assert_eq!(pair.times_from_a(1).len(), 1, "the persistent keepalive wants a session");
    assert_eq!(pair.times_from_a(4).len(), 1);

    let mut pair = Pair::new();
    pair.a.host.peer(pair.to_b).queue.push_back(b"waited".to_vec());
    pair.a.start();
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered, [padded(b"waited")]);
}

#[test]
fn a_removed_peer_leaves_nothing() {
    let mut pair = Pair::connected();
    pair.a.remove_peer(pair.to_b);
    pair.b.remove_peer(pair.to_a);
    assert!(pair.a.host.receivers.is_empty() && pair.b.host.receivers.is_empty());
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"x");
    pair.a.remove_peer(pair.to_b);
    assert!(pair.a.host.receivers.is_empty(), "nor does a pending handshake");
    pair.a.control.timeout(&mut pair.a.host, pair.to_b, at(seconds(2000)));
    assert!(!pair.a.host.is_under_load());
}
