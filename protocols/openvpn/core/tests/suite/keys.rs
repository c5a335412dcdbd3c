//! Slots, limits, and what userspace hears of them.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::channel::{Channel, any_packet, new_peer, symmetric_epoch_key, symmetric_key};
use nic_crypto::Suite;
use nic_engine::protocol::{Discard, Event, PeerId};
use nic_openvpn::configure::{self, InstallKeyError};
use nic_openvpn::{DirectionKey, Format, Key, KeyError, Material, Mode, Slot};

/// The key-id on a datagram.
fn key_id(datagram: &[u8]) -> u8 {
    datagram[0] & 7
}

/// Two adapters that have each other as their only peer.
fn pair() -> [(Channel, PeerId); 2] {
    [(); 2].map(|()| Channel::with_peer())
}

#[test]
fn the_primary_key_seals_and_both_open() {
    let [(mut here, peer), (mut there, other)] = pair();
    for (slot, key) in [(Slot::Primary, 1), (Slot::Secondary, 2)] {
        here.install(peer, slot, &symmetric_key(key, key));
        there.install(other, slot, &symmetric_key(key, key));
    }
    let first = here.send(&any_packet());
    assert_eq!(key_id(&first[0]), 1);
    assert!(here.configure(|nic| configure::swap_keys(nic, peer)));
    let second = here.send(&any_packet());
    assert_eq!(key_id(&second[0]), 2);
    for datagram in [&first[0], &second[0]] {
        assert_eq!(there.receive(datagram), [any_packet()]);
        assert!(there.receive(datagram).is_empty(), "it is a replay");
    }
    let state = here.configure(|nic| configure::peer_state(nic, peer)).unwrap();
    assert_eq!([state.primary, state.secondary].map(|slot| slot.unwrap().key_id), [2, 1]);
}

#[test]
fn a_new_key_in_a_slot_begins_anew_and_the_old_one_is_gone() {
    let [(mut here, peer), (mut there, other)] = pair();
    for (channel, peer) in [(&mut here, peer), (&mut there, other)] {
        channel.install(peer, Slot::Primary, &symmetric_key(1, 7));
    }
    let old = here.send(&any_packet());
    let late = here.send(&any_packet());
    assert_eq!(there.receive(&old[0]).len(), 1);
    // The same secret again: its counters and its window begin anew, as userspace asked for.
    for (channel, peer) in [(&mut here, peer), (&mut there, other)] {
        channel.install(peer, Slot::Primary, &symmetric_key(1, 7));
    }
    assert_eq!(here.send(&any_packet()), old);
    assert_eq!(there.receive(&old[0]).len(), 1);
    there.install(other, Slot::Primary, &symmetric_key(1, 8));
    assert!(there.receive(&late[0]).is_empty());
    assert_eq!(there.discarded(Discard::Forged), 1);
    there.install(other, Slot::Primary, &symmetric_key(2, 8));
    assert!(there.receive(&late[0]).is_empty());
    assert_eq!(there.discarded(Discard::UnknownContext), 1);
}

#[test]
fn a_packet_that_was_opened_before_its_key_went_is_dropped() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 7));
    let datagram = here.send(&any_packet()).remove(0);
    let nic_engine::protocol::Class::Data(selector) =
        here.node.nic.classify(&datagram, datagram.len())
    else {
        panic!("it is data");
    };
    let batch = here.node.nic.begin_open(selector, 1, here.now).unwrap();
    let received = nic_engine::conformance::Datagram {
        from: crate::channel::remote(),
        to: here.node.address,
        bytes: datagram,
        ecn: nic_engine::protocol::Ecn::NotEct,
    };
    let opened = here.node.open(batch.peer, &[received], batch.context);
    here.install(peer, Slot::Primary, &symmetric_key(1, 7));
    assert_eq!(here.node.nic.finish_open(peer, batch.ticket, opened), nic_engine::Drain::Required);
    here.node.indicate(peer, here.now);
    assert!(here.node.delivered.is_empty(), "its window is another key's");
    assert_eq!(here.discarded(Discard::Replayed), 1);
}

#[test]
fn slots_can_be_emptied_and_swapped_while_empty() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(0, 7));
    assert!(here.configure(|nic| configure::swap_keys(nic, peer)));
    assert!(here.send(&any_packet()).is_empty());
    assert!(here.configure(|nic| configure::swap_keys(nic, peer)));
    assert_eq!(here.sent().len(), 1, "what waited is sent");
    assert!(!here.configure(|nic| configure::delete_key(nic, peer, Slot::Secondary)));
    assert!(here.configure(|nic| configure::delete_key(nic, peer, Slot::Primary)));
    assert!(!here.configure(|nic| configure::delete_key(nic, peer, Slot::Primary)));
    assert!(here.send(&any_packet()).is_empty());
}

#[test]
fn bad_keys_are_refused_and_change_nothing() {
    let (mut here, peer) = Channel::with_peer();
    here.install(peer, Slot::Primary, &symmetric_key(1, 7));
    let short = DirectionKey { key: &[1; 31], nonce_tail: &[0; 8] };
    let long = DirectionKey { key: &[1; 32], nonce_tail: &[0; 8] };
    let good = symmetric_key(1, 7);
    let with =
        |suite, seal, open| Key { suite, material: Material::Classic { seal, open }, ..good };
    for (key, expected) in [
        (Key { key_id: 8, ..good }, InstallKeyError::BadKey(KeyError::BadKeyId)),
        (Key { transmit_id: Some(1 << 24), ..good }, InstallKeyError::BadId),
        (with(Suite::Aes256Gcm, short, long), InstallKeyError::BadKey(KeyError::BadLength)),
        (with(Suite::Aes256Gcm, long, short), InstallKeyError::BadKey(KeyError::BadLength)),
        (with(Suite::Aes192Gcm, long, long), InstallKeyError::BadKey(KeyError::BadLength)),
    ] {
        let refused = here.configure(|nic| configure::install_key(nic, peer, Slot::Primary, &key));
        assert_eq!(refused, Err(expected));
    }
    assert_eq!(here.send(&any_packet())[0][4..8], [0, 0, 0, 1]);
    assert!(here.configure(|nic| configure::remove_peer(nic, peer)));
    let gone = here.configure(|nic| configure::install_key(nic, peer, Slot::Primary, &good));
    assert_eq!(gone, Err(InstallKeyError::NoPeer));
}

#[test]
fn userspace_hears_that_a_key_is_wanted_for_as_long_as_packets_wait() {
    let (mut here, peer) = Channel::with_peer();
    assert!(here.send(&any_packet()).is_empty());
    here.send(&any_packet());
    assert_eq!(here.events(), [Event::KeyWanted(peer)], "once, however many wait");
    here.run_for(Duration::from_millis(9900));
    assert_eq!(here.events(), []);
    here.run_for(Duration::from_millis(200));
    assert_eq!(here.events(), [Event::KeyWanted(peer)]);
    here.install(peer, Slot::Primary, &symmetric_key(1, 7));
    assert_eq!(here.sent().len(), 2);
    here.run_for(Duration::from_secs(60));
    assert_eq!(here.events(), []);
}

#[test]
fn a_ping_asks_for_no_key() {
    let (mut here, peer) = Channel::with_peer();
    here.configure(|nic| {
        let change = configure::PeerChange { keepalive_s: Some(5), ..Default::default() };
        configure::set_peer(nic, peer, &change);
        nic.with_protocol(|_, host| host.send_keepalive(peer));
    });
    here.run_for(Duration::from_secs(30));
    assert_eq!(here.events(), []);
    assert!(here.sent().is_empty());
}

#[test]
fn userspace_hears_of_a_limit_before_it_is_reached_and_sending_stops_there() {
    for key in [symmetric_key(1, 7), symmetric_epoch_key(1, 7)] {
        let (mut here, peer) = Channel::with_peer();
        let limited = Key { packet_limit: NonZeroU64::new(80), ..key };
        here.install(peer, Slot::Primary, &limited);
        for n in 1..=80 {
            assert_eq!(here.send(&any_packet()).len(), 1);
            // A key for later changes nothing.
            here.install(peer, Slot::Secondary, &Key { key_id: 2, ..key });
            let expected = if n == 71 { vec![Event::KeyLimitNear(peer)] } else { vec![] };
            assert_eq!(here.events(), expected, "after {n}");
        }
        assert!(here.send(&any_packet()).is_empty());
        assert_eq!(here.events(), [Event::KeyWanted(peer)]);
        // The other slot comes into its place, and what waited goes with it.
        here.configure(|nic| configure::swap_keys(nic, peer));
        assert_eq!(key_id(&here.sent()[0].bytes), 2);
    }
}

#[test]
fn a_renegotiation_under_traffic_loses_nothing() {
    let [(mut client, peer), (mut server, other)] = pair();
    client.install(peer, Slot::Primary, &symmetric_key(0, 1));
    server.install(other, Slot::Primary, &symmetric_key(0, 1));
    let (mut sent, mut received) = (0, 0);
    let mut on_its_way = std::collections::VecDeque::new();
    for round in 0..200_u8 {
        let id = round / 20 % 7 + 1;
        match round % 20 {
            // The server first, as it answers the client's last message.
            3 => server.install(other, Slot::Secondary, &symmetric_key(id, round)),
            5 => client.install(peer, Slot::Secondary, &symmetric_key(id, round - 2)),
            7 => assert!(client.configure(|nic| configure::swap_keys(nic, peer))),
            15 => assert!(server.configure(|nic| configure::swap_keys(nic, other))),
            _ => {}
        }
        sent += 2;
        on_its_way.push_back((true, client.send(&any_packet()).remove(0)));
        on_its_way.push_back((false, server.send(&any_packet()).remove(0)));
        while on_its_way.len() > 4 {
            let (is_up, datagram) = on_its_way.pop_front().unwrap();
            let to = if is_up { &mut server } else { &mut client };
            received += to.receive(&datagram).len();
        }
    }
    assert_eq!(received + on_its_way.len(), sent);
}

#[test]
fn each_format_has_its_own_length() {
    for (key, overhead, format) in
        [(symmetric_key(1, 7), 24, Format::Classic), (symmetric_epoch_key(1, 7), 28, Format::Epoch)]
    {
        let (mut here, peer) = Channel::with_peer();
        here.install(peer, Slot::Primary, &key);
        assert_eq!(here.send(&any_packet())[0].len(), 100 + overhead);
        let state = here.configure(|nic| configure::peer_state(nic, peer)).unwrap();
        assert_eq!(state.primary.unwrap().format, format);
        assert_eq!(state.counters.sent_bytes, 100 + overhead as u64);
        assert_eq!(state.counters.sent_payload_bytes, 100);
    }
}

#[test]
fn the_ids_each_way_are_separate() {
    let mut here = Channel::new(Mode::MultiPeer);
    let new = configure::NewPeer { transmit_id: Some(0x0001_0203), ..new_peer(Some(9)) };
    let peer = here.configure(|nic| configure::new_peer(nic, &new)).unwrap();
    let route = nic_engine::routes::Prefix { address: [10, 8, 0, 2].into(), length: 32 };
    here.configure(|nic| configure::add_route(nic, peer, route)).unwrap();
    here.install(peer, Slot::Primary, &symmetric_key(5, 7));
    assert_eq!(here.send(&any_packet())[0][..4], [0x4d, 1, 2, 3]);
    here.install(peer, Slot::Primary, &Key { transmit_id: Some(4), ..symmetric_key(5, 7) });
    assert_eq!(here.send(&any_packet())[0][..4], [0x4d, 0, 0, 4]);
}
