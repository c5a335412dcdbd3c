//! Under load: cookies and the rate of addresses.

use crate::adapter::{Adapter, Datagram, NO_KEY, Pair, millis, seconds};
use nic_engine::protocol::{AddressValidator, ControlPlane, Discard, ReceiverId};
use nic_engine::{CONTROL_MESSAGES, ControlQueue, Endpoint};
use nic_wireguard::TimerConstants;

#[test]
fn a_cookie_lets_the_next_initiation_through() {
    let mut pair = Pair::new();
    pair.b.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    let kinds: Vec<u8> = pair.log.iter().map(|(_, datagram)| datagram.kind()).collect();
    assert_eq!(kinds, [1, 3], "a cookie instead of a response");
    assert!(pair.b.host.receivers.is_empty(), "and no state");
    assert_eq!(pair.b.count(Discard::CookieRequired), 1);
    assert!(pair.log[0].1.bytes[132..].iter().all(|byte| *byte == 0), "no MAC2 yet");

    pair.run_for(seconds(6));
    let kinds: Vec<u8> = pair.log.iter().map(|(_, datagram)| datagram.kind()).collect();
    assert_eq!(kinds, [1, 3, 1, 2, 4]);
    assert!(pair.log[2].1.bytes[132..].iter().any(|byte| *byte != 0));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn responses_need_cookies_too() {
    let mut pair = Pair::new();
    pair.a.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    let kinds: Vec<u8> = pair.log.iter().map(|(_, datagram)| datagram.kind()).collect();
    assert_eq!(kinds, [1, 2, 3]);
    pair.run_for(seconds(6));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn a_cookie_is_for_one_address() {
    let mut pair = Pair::new();
    pair.b.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    // A has its cookie now; an initiation with it that comes from another port is asked for
    // another.
    pair.a.host.address = "192.0.2.1:4444".parse().unwrap();
    pair.run_for(seconds(5));
    assert_eq!(pair.b.count(Discard::CookieRequired), 2);
    assert!(pair.b.host.delivered.is_empty());
    pair.run_for(seconds(5));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn a_cookie_ages() {
    // A uses it for 115 s; B's secret lives for 120 s.
    for (wait, has_mac2) in [(seconds(113), true), (seconds(116), false)] {
        let mut pair = Pair::new();
        pair.b.host.is_under_load = true;
        pair.a.send(pair.to_b, b"x");
        pair.run_for(seconds(1));
        pair.a.stop();
        pair.run_for(wait - seconds(1));
        pair.log.clear();
        pair.a.start();
        pair.a.send(pair.to_b, b"x");
        pair.run_for(millis(100));
        let mac2 = &pair.log[0].1.bytes[132..];
        assert_eq!(mac2.iter().any(|byte| *byte != 0), has_mac2, "after {wait:?}");
        assert_eq!(pair.b.host.delivered.is_empty(), !has_mac2);
    }
    // An initiation that took its time: the secret is gone when it arrives.
    let mut pair = Pair::new();
    pair.b.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    pair.is_lost = Box::new(|_| true);
    pair.run_for(seconds(6));
    let initiation = pair.log.last().unwrap().1.clone();
    assert_eq!(initiation.kind(), 1);
    pair.b.set_time(pair.now + seconds(114));
    pair.b.receive(&initiation);
    assert_eq!(pair.b.count(Discard::CookieRequired), 2);
}

#[test]
fn forged_cookie_replies_change_nothing() {
    let mut pair = Pair::new();
    pair.b.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    pair.b.receive(&initiation);
    let reply = pair.b.take_outbox().remove(0);
    assert_eq!(reply.kind(), 3);
    for bit in 32..64 * 8 {
        let mut forged = reply.clone();
        forged.bytes[bit / 8] ^= 1 << (bit % 8);
        pair.a.receive(&forged);
    }
    assert_eq!(pair.a.count(Discard::BadHandshake), 480);
    pair.a.receive(&reply);
    assert_eq!(pair.a.discards(), 480);
    pair.a.receive(&reply);
    assert_eq!(pair.a.discards(), 481, "each message is answered once");
    pair.a.set_time(seconds(1006));
    pair.a.settle();
    let second = pair.a.take_outbox().remove(0);
    pair.b.set_time(seconds(1006));
    pair.b.receive(&second);
    assert_eq!(pair.b.take_outbox()[0].kind(), 2, "the good one was used");
}

#[test]
fn without_random_numbers_no_cookie_is_made() {
    let mut pair = Pair::new();
    pair.b.host.is_under_load = true;
    pair.b.host.has_random = false;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    assert!(pair.times_from_b(3).is_empty());
    assert_eq!(pair.b.count(Discard::CookieRequired), 1);
}

#[test]
fn an_address_has_its_rate() {
    // Many peers behind one address, all with a cookie, all at once.
    let mut server = Adapter::new("192.0.2.2:1002", [0x22; 32], TimerConstants::PAPER);
    server.host.is_under_load = true;
    let mut initiations = Vec::new();
    for number in 0..20_u8 {
        let mut key = [number; 32];
        key[1] = 0x99;
        let mut client = Adapter::new("192.0.2.77:1", key, TimerConstants::PAPER);
        let to_server = client.add_peer(&server.public_key(), &NO_KEY, Some(server.host.address));
        server.add_peer(&client.public_key(), &NO_KEY, None);
        client.send(to_server, b"x");
        server.receive(&client.take_outbox().remove(0));
        let reply = server.take_outbox().remove(0);
        assert_eq!(reply.kind(), 3);
        client.receive(&reply);
        client.set_time(seconds(1006));
        client.settle();
        initiations.push(client.take_outbox().remove(0));
    }
    server.set_time(seconds(1006));
    for initiation in &initiations {
        server.receive(initiation);
    }
    assert_eq!(server.take_outbox().len(), 5, "a burst of five");
    assert_eq!(server.count(Discard::RateLimited), 15);
    // A fifth of a second later there is room for four more.
    server.set_time(seconds(1006) + millis(200));
    for initiation in &initiations[5..] {
        server.receive(initiation);
    }
    assert_eq!(server.take_outbox().len(), 4);
    // Without load there is no limit.
    server.host.is_under_load = false;
    for initiation in &initiations[9..] {
        server.receive(initiation);
    }
    assert_eq!(server.take_outbox().len(), 11);
}

/// Queues a datagram as a driver does; an error where it is refused, or (`None`) where there is no
/// room.
fn offer(
    server: &Adapter,
    queue: &mut ControlQueue<Datagram>,
    datagram: &Datagram,
) -> Result<(), Option<Discard>> {
    let (validator, from) = (server.control.address_validator(), Endpoint::new(datagram.from));
    let is_assigned = |ReceiverId(number)| server.host.receivers.contains_key(&number);
    let now = server.host.now.instant;
    let validation = validator.validate(&datagram.bytes, &from, &is_assigned, now)?;
    queue.push(validation, datagram.clone()).then_some(()).ok_or(None)
}

#[test]
fn a_flood_of_rubbish_keeps_no_handshake_out() {
    let mut pair = Pair::new();
    let mut queue = ControlQueue::new();
    let flood = |server: &Adapter, queue: &mut ControlQueue<Datagram>| {
        for (kind, length, reason) in [
            (1, 148, Discard::BadAuthenticator),
            (2, 92, Discard::BadAuthenticator),
            (3, 64, Discard::BadHandshake),
            (3, 65, Discard::Malformed),
        ] {
            let mut bytes = vec![0x77; length];
            bytes[..4].copy_from_slice(&[kind, 0, 0, 0]);
            let from = "203.0.113.1:53".parse().unwrap();
            let datagram = Datagram { from, to: server.host.address, bytes };
            for _ in 0..=CONTROL_MESSAGES {
                assert_eq!(offer(server, queue, &datagram), Err(Some(reason)));
            }
        }
    };
    // Each message of a handshake comes behind a flood, which nobody has handled.
    pair.a.send(pair.to_b, b"x");
    flood(&pair.b, &mut queue);
    for initiation in pair.a.take_outbox() {
        assert_eq!(offer(&pair.b, &mut queue, &initiation), Ok(()));
    }
    pair.b.receive(&queue.pop().expect("an initiation"));
    flood(&pair.a, &mut queue);
    for response in pair.b.take_outbox() {
        assert_eq!(offer(&pair.a, &mut queue, &response), Ok(()));
    }
    pair.a.receive(&queue.pop().expect("a response"));
    assert!(queue.is_empty());
    pair.run_for(millis(100));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn a_cookie_leads_past_a_flood_that_has_none() {
    let mut pair = Pair::new();
    let mut queue = ControlQueue::new();
    pair.b.host.is_under_load = true;
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    while offer(&pair.b, &mut queue, &initiation).is_ok() {}
    assert_eq!(queue.len(), CONTROL_MESSAGES, "it knows the key and proves nothing else");
    pair.b.receive(&initiation);
    let mut cookie = pair.b.take_outbox().remove(0);
    assert_eq!(offer(&pair.a, &mut ControlQueue::new(), &cookie), Ok(()));
    pair.a.receive(&cookie);
    cookie.bytes[4] ^= 1;
    let refused = offer(&pair.a, &mut ControlQueue::new(), &cookie);
    assert_eq!(refused, Err(Some(Discard::BadHandshake)), "it answers nothing of ours");

    // The next one bears its cookie. It is not behind the flood.
    pair.a.set_time(seconds(1006));
    pair.a.settle();
    pair.b.set_time(seconds(1006));
    let proven = pair.a.take_outbox().remove(0);
    assert_eq!(offer(&pair.b, &mut queue, &proven), Ok(()));
    let taken: Vec<_> = (0..2).filter_map(|_| queue.pop()).collect();
    assert!(taken.contains(&proven));
    // From elsewhere the same cookie proves nothing, nor does one that was made up.
    let elsewhere = Datagram { from: "192.0.2.1:4444".parse().unwrap(), ..proven.clone() };
    let mut made_up = proven.clone();
    made_up.bytes[147] ^= 1;
    // Two were taken, of which one was of the flood.
    for (unproven, expected) in [(elsewhere, Ok(())), (made_up, Err(None))] {
        assert_eq!(offer(&pair.b, &mut queue, &unproven), expected);
    }
    assert_eq!(offer(&pair.b, &mut queue, &proven), Ok(()));
    pair.b.receive(&proven);
    pair.run_for(millis(100));
    assert_eq!(pair.b.host.delivered.len(), 1);
}

#[test]
fn without_a_key_nothing_waits() {
    let mut pair = Pair::new();
    pair.a.send(pair.to_b, b"x");
    let initiation = pair.a.take_outbox().remove(0);
    assert_eq!(offer(&pair.b, &mut ControlQueue::new(), &initiation), Ok(()));
    pair.b.set_private_key(None);
    let refused = offer(&pair.b, &mut ControlQueue::new(), &initiation);
    assert_eq!(refused, Err(Some(Discard::BadAuthenticator)));
}

#[test]
fn a_flood_of_rubbish_costs_no_state() {
    let mut pair = Pair::connected();
    pair.b.host.is_under_load = true;
    let contexts = pair.b.host.receivers.clone();
    for number in 0..5000_u32 {
        let mut bytes = vec![0; 148];
        bytes[0] = 1;
        bytes[4..8].copy_from_slice(&number.to_le_bytes());
        let from = "203.0.113.1:53".parse().unwrap();
        pair.b.receive(&Datagram { from, to: pair.b.host.address, bytes });
    }
    assert_eq!(pair.b.count(Discard::BadAuthenticator), 5000);
    assert!(pair.b.host.outbox.is_empty());
    assert_eq!(pair.b.host.receivers, contexts);
    pair.a.send(pair.to_b, b"still works");
    pair.run_for(millis(100));
    assert_eq!(pair.b.host.delivered.len(), 1);
}
