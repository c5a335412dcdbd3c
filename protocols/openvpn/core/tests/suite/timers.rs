//! Pings, silence, and what else is said in band.

use std::time::Duration;

use crate::channel::{Channel, any_packet, new_peer, packet, symmetric_key};
use nic_engine::protocol::{Discard, Event, PeerId};
use nic_openvpn::configure::{self, PeerChange};
use nic_openvpn::{Mode, Slot};

fn set(channel: &mut Channel, peer: PeerId, keepalive_s: Option<u32>, timeout_s: Option<u32>) {
    let change = PeerChange { keepalive_s, timeout_s, mss_bytes: None };
    assert!(channel.configure(|nic| configure::set_peer(nic, peer, &change)));
}

fn keyed() -> (Channel, PeerId) {
    let (mut channel, peer) = Channel::with_peer();
    channel.install(peer, Slot::Primary, &symmetric_key(1, 7));
    (channel, peer)
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_ping_is_sent_when_nothing_else_was() {
    let (mut here, peer) = keyed();
    set(&mut here, peer, Some(10), None);
    here.run_for(9 * SECOND);
    here.send(&any_packet());
    here.run_for(9 * SECOND);
    assert!(here.sent().is_empty());
    here.run_for(SECOND);
    let pings = here.sent();
    assert_eq!(pings.len(), 1);
    assert_eq!(pings[0].bytes.len(), 16 + 24);
    here.run_for(30 * SECOND);
    assert_eq!(here.sent().len(), 3);
    set(&mut here, peer, Some(0), None);
    here.run_for(60 * SECOND);
    assert!(here.sent().is_empty());
    // It is consumed at the other end.
    let (mut there, _) = keyed();
    assert!(there.receive(&pings[0].bytes).is_empty());
    let totals = there.node.nic.totals();
    assert_eq!((totals.received_packets, totals.received_bytes), (0, 40));
    assert_eq!(totals.discards, [0; Discard::COUNT]);
}

#[test]
fn anything_authentic_keeps_a_peer_alive_and_nothing_else_does() {
    let (mut there, other) = keyed();
    set(&mut there, other, Some(2), None);
    let (mut here, peer) = keyed();
    set(&mut here, peer, None, Some(5));
    let first = there.send(&any_packet()).remove(0);
    for _ in 0..10 {
        there.run_for(3 * SECOND);
        here.run_for(3 * SECOND);
        here.receive(&there.sent().pop().unwrap().bytes);
    }
    assert_eq!(here.events(), []);
    here.receive(&first);
    for _ in 0..5 {
        here.run_for(SECOND);
        let mut forged = there.send(&any_packet()).remove(0);
        forged[30] ^= 1;
        here.receive(&forged);
        here.receive(&first);
    }
    assert_eq!(here.events(), [Event::TimedOut(peer)]);
    here.run_for(60 * SECOND);
    assert_eq!(here.events(), [], "it is told once");
    // It stays, and it may come back.
    assert_eq!(here.receive(&there.send(&any_packet())[0]).len(), 1);
    here.run_for(5 * SECOND);
    assert_eq!(here.events(), [Event::TimedOut(peer)]);
}

#[test]
fn setting_a_timer_restarts_it_and_leaves_the_other() {
    let (mut here, peer) = keyed();
    set(&mut here, peer, Some(10), Some(20));
    here.run_for(15 * SECOND);
    assert_eq!(here.sent().len(), 1);
    set(&mut here, peer, None, Some(20));
    here.run_for(6 * SECOND);
    assert_eq!(here.sent().len(), 1, "that of before went on");
    assert_eq!(here.events(), []);
    here.run_for(14 * SECOND);
    assert_eq!(here.events(), [Event::TimedOut(peer)]);
    let state = here.configure(|nic| configure::peer_state(nic, peer)).unwrap();
    assert_eq!((state.keepalive_s, state.timeout_s), (10, 20));
}

#[test]
fn one_of_many_that_is_silent_is_removed() {
    let mut here = Channel::new(Mode::MultiPeer);
    let [silent, other] = [5, 6].map(|id| {
        let mut new = new_peer(Some(id));
        new.vpn4 = Some([10, 8, 0, id as u8].into());
        new.endpoint.remote.set_port(id as u16);
        here.configure(|nic| configure::new_peer(nic, &new)).unwrap()
    });
    set(&mut here, silent, None, Some(30));
    set(&mut here, other, None, Some(40));
    here.run_for(30 * SECOND);
    let events = here.events();
    let [Event::Expired(name)] = events[..] else { panic!("{events:?}") };
    assert_eq!(configure::receive_id(&name), Some(5));
    let found = [5, 6].map(|id| here.configure(|nic| configure::find_peer(nic, Some(id))));
    assert_eq!(found, [None, Some(other)]);
    let lost = packet([10, 8, 0, 1], [10, 8, 0, 5], 60);
    assert_eq!(here.node.submit([lost.clone()], here.now), [(lost, Discard::NoRoute)]);
}

#[test]
fn other_things_said_in_band_are_dropped_and_counted() {
    let (mut here, _) = keyed();
    let (mut there, _) = keyed();
    let ip = any_packet();
    let mut stub = vec![0xfa];
    stub.extend(&ip);
    let mut swapped = vec![0xfb];
    swapped.extend(&ip[1..]);
    swapped.push(ip[0]);
    let mut stub_v2 = vec![0x50, 0];
    stub_v2.extend(&ip);
    let mut lzo = vec![0x66];
    lzo.extend(&ip);
    let occ = crate::hex::hex("287f346bd4ef7a812d56b8d3afc5459c06");
    let payloads = [occ, stub, swapped, stub_v2, lzo];
    let sealed = there.seal_raw(&payloads);
    for datagram in sealed {
        assert!(here.receive(&datagram).is_empty());
    }
    assert_eq!(here.discarded(Discard::NotIp), 5);
}

#[test]
fn while_it_is_stopped_nothing_is_due() {
    let (mut here, peer) = keyed();
    set(&mut here, peer, Some(1), Some(3));
    here.node.nic.set_up(false);
    here.run_for(60 * SECOND);
    assert!(here.sent().is_empty() && here.events().is_empty());
    here.node.nic.set_up(true);
    assert_eq!(here.events(), [Event::TimedOut(peer)]);
}
