//! Transport data: geometry, counters, replay, change of keys under traffic.

use crate::adapter::{NO_KEY, Pair, load, millis, seal, seconds, selector};
use nic_crypto::Processor;
use nic_engine::protocol::{DataPlane, Discard, NotReady, OpenPacket, Opener, SealPacket, Sealer};
use nic_engine::{Instant, Protocol};
use nic_wireguard::{TimerConstants, WireGuard};

#[test]
fn padding_goes_to_16_but_not_over_the_mtu() {
    for (payload, mtu, expected) in [
        (0, 1420, 32),
        (1, 1420, 48),
        (16, 1420, 48),
        (17, 1420, 64),
        (1400, 1420, 1408 + 32),
        (1409, 1420, 1420 + 32),
        (1420, 1420, 1420 + 32),
        (1500, 1420, 1500 + 32),
        (100, 0, 100 + 32),
        (usize::MAX, 1420, usize::MAX),
    ] {
        assert_eq!(WireGuard::datagram_bytes((), payload, mtu), expected, "{payload} over {mtu}");
    }
    assert_eq!(WireGuard::payload_capacity(31), 0);
    assert_eq!(WireGuard::payload_capacity(1452), 1420);
}

#[test]
fn every_length_arrives_as_it_was() {
    let mut pair = Pair::connected();
    for length in 1..=crate::adapter::MTU {
        let payload: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        pair.a.send(pair.to_b, &payload);
        pair.collect();
        let datagram = pair.log.pop().unwrap().1;
        pair.b.receive(&datagram);
        let delivered = pair.b.host.delivered.pop().unwrap();
        assert_eq!(&delivered[..length], payload);
        assert!(delivered[length..].iter().all(|byte| *byte == 0));
        assert!(delivered.len() == length.next_multiple_of(16).min(crate::adapter::MTU));
    }
}

#[test]
fn large_batches_number_their_packets() {
    let mut pair = Pair::connected();
    let now = pair.a.host.now.instant;
    let data = &mut pair.a.host.peer(pair.to_b).data;
    let payloads: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number; 20]).collect();
    let context = data.begin_seal(load(100), now).unwrap();
    let datagrams = seal(&context, &payloads);
    for (number, datagram) in (1_u64..).zip(&datagrams) {
        assert_eq!(datagram[..4], [4, 0, 0, 0]);
        assert_eq!(datagram[8..16], number.to_le_bytes(), "0 went with the first packet");
    }
    // The parts of a batch may be sealed on several CPUs: each knows where it begins.
    let mut part = vec![0; 20 + 12 + 32];
    let source: [&[u8]; 1] = [&payloads[57]];
    context.seal(
        Processor::PORTABLE.base(),
        57,
        &mut [SealPacket { source: &source, payload_bytes: 20, datagram: &mut part }],
    );
    assert_eq!(part, datagrams[57]);

    // Opened as one batch, in which some are bad.
    let mut received = datagrams.clone();
    received[30][20] ^= 1;
    received[31][4] ^= 1;
    received[32].truncate(31);
    let receiver = u32::from_le_bytes(datagrams[0][4..8].try_into().unwrap());
    let data = &pair.b.host.peer(pair.to_a).data;
    let open = data.begin_open(selector(receiver), now).unwrap();
    let mut outputs = vec![[0xee; 32]; 100];
    let sources: Vec<[&[u8]; 1]> = received.iter().map(|datagram| [&datagram[..]]).collect();
    let mut packets: Vec<OpenPacket<'_>> = sources
        .iter()
        .zip(&mut outputs)
        .map(|(source, output)| OpenPacket {
            source,
            datagram_bytes: source[0].len(),
            output,
            result: None,
        })
        .collect();
    open.open(Processor::PORTABLE.base(), &mut packets);
    for (number, packet) in packets.iter().enumerate() {
        match packet.result {
            Some(opened) => {
                assert!(!(30..33).contains(&number), "{number}");
                assert_eq!(opened.counter, number as u64 + 1);
                assert_eq!(packet.output[..20], payloads[number]);
            }
            None => assert!((30..33).contains(&number)),
        }
    }
}

#[test]
fn wrong_buffers_seal_nothing() {
    let mut pair = Pair::connected();
    let now = pair.a.host.now.instant;
    let data = &mut pair.a.host.peer(pair.to_b).data;
    let context = data.begin_seal(load(1), now).unwrap();
    let payload = [0x55; 100];
    for length in [0, 15, 16, 31, 32, 131] {
        let mut datagram = vec![0xee; length];
        let source: [&[u8]; 1] = [&payload];
        let packet = SealPacket { source: &source, payload_bytes: 100, datagram: &mut datagram };
        context.seal(Processor::PORTABLE.base(), 0, &mut [packet]);
        assert!(!datagram.starts_with(&[4]), "{length}");
        assert!(!datagram.windows(8).any(|window| window == [0x55; 8]));
    }
}

#[test]
fn a_packet_is_accepted_once() {
    let mut pair = Pair::connected();
    for _ in 0..3 {
        pair.a.send(pair.to_b, b"x");
    }
    let datagrams = pair.a.take_outbox();
    for datagram in datagrams.iter().rev() {
        pair.b.receive(datagram);
    }
    assert_eq!(pair.b.host.delivered.len(), 3, "reordering is fine");
    for datagram in &datagrams {
        let mut elsewhere = datagram.clone();
        elsewhere.from = "203.0.113.5:5".parse().unwrap();
        pair.b.receive(&elsewhere);
    }
    assert_eq!(pair.b.host.delivered.len(), 3);
    assert_eq!(pair.b.count(Discard::Replayed), 3);
    let endpoint = pair.b.host.peer(pair.to_a).endpoint.unwrap();
    assert_eq!(endpoint.remote, pair.a.host.address, "a replay moves nobody");
}

#[test]
fn the_window_is_8128_packets_long() {
    let mut pair = Pair::connected();
    let now = pair.a.host.now.instant;
    let mut datagrams = Vec::new();
    let data = &mut pair.a.host.peer(pair.to_b).data;
    let context = data.begin_seal(load(8200), now).unwrap();
    datagrams.extend(seal(&context, &vec![b"x".to_vec(); 8200]));
    let wrap = |bytes: &Vec<u8>| crate::adapter::Datagram {
        from: "192.0.2.1:1001".parse().unwrap(),
        to: "192.0.2.2:1002".parse().unwrap(),
        bytes: bytes.clone(),
    };
    // Counters 1 to 8200; the last one first.
    pair.b.receive(&wrap(&datagrams[8199]));
    pair.b.receive(&wrap(&datagrams[8199 - 8129]));
    assert_eq!((pair.b.host.delivered.len(), pair.b.count(Discard::Replayed)), (1, 1));
    pair.b.receive(&wrap(&datagrams[8199 - 8128]));
    assert_eq!((pair.b.host.delivered.len(), pair.b.count(Discard::Replayed)), (2, 1));
}

#[test]
fn counters_run_out() {
    let constants = TimerConstants {
        rekey_after_messages: 10,
        reject_after_messages: 20,
        ..TimerConstants::PAPER
    };
    let mut pair = Pair::with(constants, NO_KEY, NO_KEY);
    pair.a.send(pair.to_b, b"0");
    pair.run_for(seconds(6));
    // Either side renews when its counter asks for it, also the responder.
    for number in 1..11 {
        pair.b.send(pair.to_a, &[number]);
    }
    pair.collect();
    assert_eq!(pair.times_from_b(1).len(), 0);
    pair.b.send(pair.to_a, b"eleventh");
    pair.run_for(seconds(1));
    assert_eq!(pair.times_from_b(1).len(), 1);
    assert_eq!(pair.a.host.delivered.len(), 11);

    // Without a successor it stops at the limit.
    pair.run_for(seconds(6));
    pair.is_lost = Box::new(|datagram| datagram.kind() == 1);
    pair.log.clear();
    for _ in 0..30 {
        pair.b.send(pair.to_a, b"x");
    }
    pair.run_for(millis(100));
    let sent = pair.times_from_b(4).len();
    assert!((15..=20).contains(&sent), "{sent}");
    let now = pair.b.host.now.instant;
    let data = &mut pair.b.host.peer(pair.to_a).data;
    assert_eq!(data.begin_seal(load(1), now).err(), Some(NotReady::NoKey));
    pair.is_lost = Box::new(|_| false);
    pair.run_for(seconds(6));
    assert_eq!(pair.a.host.delivered.len(), 41, "what waited went by the next session");
}

#[test]
fn a_receiver_enforces_the_counter_limit() {
    let sender = TimerConstants::PAPER;
    let mut pair = Pair::with(sender, NO_KEY, NO_KEY);
    let receiver = TimerConstants { reject_after_messages: 3, ..TimerConstants::PAPER };
    let mut b = crate::adapter::Adapter::new("192.0.2.2:1002", [0x22; 32], receiver);
    pair.to_a = b.add_peer(&pair.a.public_key(), &NO_KEY, None);
    pair.b = b;
    for _ in 0..5 {
        pair.a.send(pair.to_b, b"x");
    }
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered.len(), 3);
    assert_eq!(pair.b.count(Discard::Replayed), 2);
}

#[test]
fn keys_change_under_traffic_without_loss() {
    // Times are a twentieth: a session is renewed after 6 s. 100 packets a second each way for five
    // minutes.
    for (head_start, handshakes) in [(millis(50), 45..=55), (millis(0), 90..=110)] {
        let mut pair = Pair::with(TimerConstants::shortened(20), [3; 32], [3; 32]);
        pair.a.send(pair.to_b, &u32::MAX.to_le_bytes());
        pair.run_for(head_start);
        let mut sent = 0_u32;
        for _ in 0..30_000 {
            pair.a.send(pair.to_b, &sent.to_le_bytes());
            pair.b.send(pair.to_a, &sent.to_le_bytes());
            sent += 1;
            pair.run_for(millis(10));
        }
        pair.run_for(seconds(1));
        pair.b.host.delivered.remove(0);
        for delivered in [&pair.a.host.delivered, &pair.b.host.delivered] {
            let mut numbers: Vec<u32> = delivered
                .iter()
                .map(|payload| u32::from_le_bytes(payload[..4].try_into().unwrap()))
                .collect();
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..sent), "each once");
        }
        // Where both always begin at the same moment there are twice as many, and still nothing is
        // lost.
        let initiations = pair.times_from_a(1).len() + pair.times_from_b(1).len();
        assert!(handshakes.contains(&initiations), "{initiations} after {head_start:?}");
        assert_eq!(pair.a.discards() + pair.b.discards(), 0);
        assert!(pair.a.host.receivers.len() <= 3 && pair.b.host.receivers.len() <= 3);
    }
}

#[test]
fn keys_change_under_loss() {
    let mut pair = Pair::with(TimerConstants::shortened(20), NO_KEY, NO_KEY);
    let mut state = 1_u64;
    pair.is_lost = Box::new(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 60 == 0
    });
    for _ in 0..10_000 {
        pair.a.send(pair.to_b, b"x");
        pair.b.send(pair.to_a, b"y");
        pair.run_for(millis(10));
    }
    // One in 16 is lost on the way; the keys must not add to it much.
    let (a, b) = (pair.a.host.delivered.len(), pair.b.host.delivered.len());
    assert!(a > 9200 && b > 9200, "{a} {b}");
    assert!(pair.a.host.receivers.len() <= 4 && pair.b.host.receivers.len() <= 4);
}

#[test]
fn a_session_is_for_its_peer_alone() {
    let mut pair = Pair::connected();
    let now = pair.a.host.now.instant;
    let stranger = pair.a.add_peer(&[9; 32], &NO_KEY, None);
    let receiver = *pair.a.host.receivers.keys().next().unwrap();
    let peer = &pair.a.host.peer(stranger).data;
    assert!(peer.begin_open(selector(receiver), now).is_none());
    assert_eq!(peer.deadline(), Instant::NEVER);
}
