//! What anybody can send to an adapter's UDP port: none of it is delivered, all of it is counted,
//! and sessions go on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nic_crypto::blake2s;
use nt_host::pool;
use tunic::ConfigurationChange;
use tunic_tests::machine::{self, End, Loaded, alone, boot, connect};
use tunic_tests::random::Random;
use tunic_tests::wire::{Recorded, Wire};

const TIME: Duration = Duration::from_secs(150);

/// Message types (WireGuard paper, section 5.4).
const INITIATION: u8 = 1;
const RESPONSE: u8 = 2;
const COOKIE_REPLY: u8 = 3;
const DATA: u8 = 4;

const INITIATION_BYTES: usize = 148;
const MAC1_AT: usize = 116;
const MAC2_AT: usize = 132;

/// Datagrams that are sent before the driver's counters are looked at: no more than a socket's
/// buffer holds.
const BURST: usize = 64;

/// More than the bytes of control messages that may wait, and of what judges senders' addresses.
const LOAD_BYTES: usize = 4 << 20;

/// A stranger's socket, aimed at an end.
struct Stranger<'a> {
    socket: UdpSocket,
    target: SocketAddr,
    end: &'a End,
    sent: u64,
    counted: u64,
}

impl<'a> Stranger<'a> {
    fn new(end: &'a End) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        Self { socket, target: end.endpoint(), end, sent: 0, counted: refused(end) }
    }

    /// Sends a datagram; now and then waits until all so far are counted.
    fn send(&mut self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.target).expect("it is sent");
        self.sent += 1;
        if self.sent.is_multiple_of(BURST as u64) {
            self.settle();
        }
    }

    /// Waits until every datagram is counted as refused for one reason or another.
    fn settle(&self) {
        let goal = self.counted + self.sent;
        machine::wait_until(
            || refused(self.end) >= goal,
            || format!("{} sent: {:?}", self.sent, self.end.all_discards()),
        );
        assert_eq!(refused(self.end), goal, "{:?}", self.end.all_discards());
    }
}

/// Datagrams that an end has refused, for whatever reason.
fn refused(end: &End) -> u64 {
    end.all_discards().iter().map(|(_, count)| count).sum()
}

/// Two ends with a session, and the wire between them.
fn wired(loaded: &Loaded) -> (End, End, Wire) {
    let [first, second] = [1, 2].map(|number| End::new(loaded, number));
    let wire = Wire::between(&first, &second);
    first.carry(&second);
    second.carry(&first);
    (first, second, wire)
}

/// A whole initiation with a valid first authenticator and nothing else that is right.
fn initiation(to: &End, random: &mut Random) -> [u8; INITIATION_BYTES] {
    let mut message = [0; INITIATION_BYTES];
    random.fill(&mut message);
    message[..4].copy_from_slice(&[INITIATION, 0, 0, 0]);
    let key = blake2s::hash(&[b"mac1----", to.key.public().as_bytes()]);
    let mac1 = blake2s::keyed_mac16(&key, &[&message[..MAC1_AT]]);
    message[MAC1_AT..MAC2_AT].copy_from_slice(&mac1);
    message
}

#[test]
fn random_datagrams() {
    alone("random_datagrams", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let (first, second, _wire) = wired(&loaded);
        let mut stranger = Stranger::new(&second);
        let mut random = Random::new(10);
        let lengths = [0, 1, 3, 4, 15, 16, 31, 32, 64, 92, 148, 1500, 9000, 65_000];
        for number in 0..20_000 {
            let length = match number % 4 {
                0 if number % 64 == 0 => lengths[random.below(lengths.len())],
                0 => lengths[random.below(12)],
                _ => random.below(400),
            };
            let mut datagram = vec![0; length];
            random.fill(&mut datagram);
            // Half of them look like a message.
            if number % 2 == 0 && length >= 4 {
                datagram[..4].copy_from_slice(&[1 + random.below(5) as u8, 0, 0, 0]);
            }
            stranger.send(&datagram);
        }
        stranger.settle();
        println!("{:?}", second.all_discards());
        for reason in ["malformed", "unknown-context", "bad-authenticator"] {
            assert!(second.discards(reason) > 0, "{reason}");
        }
        assert!(second.edge.take().is_empty(), "nothing is delivered");
        first.carry(&second);
        second.carry(&first);
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// The reason for which an end that has a session refuses a datagram in which one bit is another.
fn reason_for_flipped(datagram: &[u8], at: usize) -> &'static [&'static str] {
    match (datagram[0], at) {
        // Type, and the zeros behind it.
        (_, 0..4) => &["malformed", "bad-authenticator", "unknown-context"],
        // The receiver's index.
        (DATA, 4..8) => &["unknown-context"],
        (DATA, _) => &["forged"],
        // The second authenticator does not count without load: it is a replay.
        (INITIATION, MAC2_AT..) | (RESPONSE, 76..) => &["bad-handshake"],
        (INITIATION | RESPONSE, _) => &["bad-authenticator"],
        _ => panic!("no such datagram was captured"),
    }
}

#[test]
fn truncated_and_flipped() {
    alone("truncated_and_flipped", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let (first, second, wire) = wired(&loaded);
        let handshake = wire.take();
        // Data that has not arrived yet: damage must not use it up.
        wire.hold_data(true);
        let packets: Vec<_> = (0..4).map(|fill| first.packet(&second, 50, fill)).collect();
        for packet in &packets {
            assert_eq!(first.offer(packet, 1), 1);
        }
        machine::wait_until(|| wire.recorded() == packets.len(), || "the wire is dead".into());
        let held = wire.take();
        wire.hold_data(false);
        let before = (first.peer().endpoint, second.peer().endpoint);

        for (end, to_second) in [(&second, true), (&first, false)] {
            let mut stranger = Stranger::new(end);
            let of_type = |wanted| {
                let mut all = handshake.iter().filter(|recorded| recorded.to_second == to_second);
                all.find(|recorded| recorded.datagram[0] == wanted)
            };
            let messages = [of_type(INITIATION), of_type(RESPONSE), held.first()];
            let messages = messages.into_iter().flatten().filter(|one| one.to_second == to_second);
            for Recorded { datagram, .. } in messages {
                for length in 0..datagram.len() {
                    stranger.send(&datagram[..length]);
                }
                stranger.settle();
                for bit in 0..datagram.len() * 8 {
                    let mut flipped = datagram.clone();
                    flipped[bit / 8] ^= 1 << (bit % 8);
                    let reasons = reason_for_flipped(datagram, bit / 8);
                    let count = || reasons.iter().map(|reason| end.discards(reason)).sum::<u64>();
                    let counted = count();
                    stranger.send(&flipped);
                    stranger.settle();
                    let what = format!("type {}, bit {bit}: {:?}", datagram[0], end.all_discards());
                    assert_eq!(count(), counted + 1, "{what}");
                }
            }
            println!("{} datagrams: {:?}", stranger.sent, end.all_discards());
            assert!(stranger.sent > 500);
            assert!(end.edge.take().is_empty(), "nothing is delivered");
        }
        assert_eq!((first.peer().endpoint, second.peer().endpoint), before, "nobody has moved");

        // The true ones are still good, once.
        held.iter().for_each(|recorded| wire.send(recorded));
        assert!(second.edge.wait_for(packets.len(), machine::TIMEOUT) == packets);
        first.carry(&second);
        second.carry(&first);
        drop(wire);
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

#[test]
fn replayed_session() {
    alone("replayed_session", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let (first, second, wire) = wired(&loaded);
        for _ in 0..20 {
            first.carry(&second);
            second.carry(&first);
        }
        let session = first.peer().last_handshake;
        let record = wire.take();
        let count = |to_second, wanted: &[u8]| {
            let matches =
                |one: &&Recorded| one.to_second == to_second && wanted.contains(&one.datagram[0]);
            record.iter().filter(matches).count() as u64
        };
        assert!(count(true, &[DATA]) >= 420 && count(false, &[DATA]) >= 420);
        let replay = || {
            let goals = [&first, &second].map(refused);
            let mut sent = [0, 0];
            for recorded in &record {
                wire.send(recorded);
                let to = usize::from(recorded.to_second);
                sent[to] += 1;
                if (sent[to] as usize).is_multiple_of(BURST) {
                    let end = [&first, &second][to];
                    machine::wait_until(
                        || refused(end) >= goals[to] + sent[to],
                        || format!("{:?}", end.all_discards()),
                    );
                }
            }
            for (end, (goal, sent)) in
                [&first, &second].into_iter().zip(goals.into_iter().zip(sent))
            {
                machine::wait_until(
                    || refused(end) == goal + sent,
                    || format!("{sent} sent: {:?}", end.all_discards()),
                );
            }
        };

        replay();
        println!("first {:?}, second {:?}", first.all_discards(), second.all_discards());
        assert_eq!(second.discards("replayed"), count(true, &[DATA]));
        assert_eq!(first.discards("replayed"), count(false, &[DATA]));
        assert_eq!(second.discards("bad-handshake"), count(true, &[INITIATION, RESPONSE]));
        assert_eq!(first.discards("bad-handshake"), count(false, &[INITIATION, RESPONSE]));
        for end in [&first, &second] {
            assert!(end.edge.take().is_empty(), "nothing is delivered");
        }
        first.carry(&second);
        second.carry(&first);
        assert_eq!(first.peer().last_handshake, session, "the session goes on");

        // When the second's session is over, packets of it are from nowhere, and its handshake
        // can't be repeated.
        let port = second.endpoint().port();
        let known = second.discards("bad-handshake");
        second.down();
        let change = ConfigurationChange { listen_port: Some(port), ..Default::default() };
        second.control.set_configuration(&change).expect("it can have its port again");
        second.up();
        let from_first: Vec<_> = record.iter().filter(|recorded| recorded.to_second).collect();
        for recorded in &from_first {
            let goal = refused(&second) + 1;
            wire.send(recorded);
            machine::wait_until(|| refused(&second) >= goal, || "not refused".into());
        }
        assert_eq!(second.discards("unknown-context"), count(true, &[DATA]));
        assert_eq!(second.discards("bad-handshake") - known, count(true, &[INITIATION, RESPONSE]));
        assert!(second.edge.take().is_empty(), "nothing is delivered");
        first.remove(false);
        second.remove(false);
        drop(wire);
        loaded.unload();
    });
}

/// What came of a flood.
struct Flood {
    cookies: u64,
    sent: u64,
    delivered: u64,
    most_bytes: usize,
}

/// Floods an end with datagrams, while the other sends to it at a steady rate.
fn flood(first: &End, second: &End, count: u64, mut next: impl FnMut() -> Vec<u8> + Send) -> Flood {
    let (is_over, cookies) = (AtomicBool::new(false), AtomicU64::new(0));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let target = second.endpoint();
    let packet = first.packet(second, 100, 9);
    let mut result = Flood { cookies: 0, sent: 0, delivered: 0, most_bytes: 0 };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..count {
                // A full buffer is a loss as any other.
                let _ = socket.send_to(&next(), target);
            }
            is_over.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            let mut buffer = [0; 2048];
            while !is_over.load(Ordering::Relaxed) {
                if let Ok((length, _)) = socket.recv_from(&mut buffer) {
                    assert_eq!((length, buffer[0]), (64, COOKIE_REPLY), "only cookies come back");
                    cookies.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        while !is_over.load(Ordering::Relaxed) {
            result.sent += first.offer(&packet, 4) as u64;
            let received = second.edge.wait_for(4, Duration::from_millis(2));
            assert!(received.iter().all(|found| *found == packet), "whole packets");
            result.delivered += received.len() as u64;
            result.most_bytes = result.most_bytes.max(pool::usage().1);
        }
        let received = second.edge.wait_for(result.sent as usize, Duration::from_millis(200));
        result.delivered += received.len() as u64;
    });
    result.cookies = cookies.into_inner();
    println!(
        "{} of {} delivered, {} cookies, {} KiB at most, {:?}",
        result.delivered,
        result.sent,
        result.cookies,
        result.most_bytes / 1024,
        second.all_discards(),
    );
    result
}

#[test]
fn flood_of_forged_initiations() {
    alone("flood_of_forged_initiations", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.carry(&second);
        let (session, bytes) = (first.peer().last_handshake, pool::usage().1);
        let mut random = Random::new(20);
        let flooded = flood(&first, &second, 100_000, || {
            let mut message = vec![0; INITIATION_BYTES];
            random.fill(&mut message);
            message[..4].copy_from_slice(&[INITIATION, 0, 0, 0]);
            message
        });
        assert_eq!(flooded.cookies, 0, "who does not know the key gets no answer");
        assert!(flooded.sent > 50);
        assert!(flooded.delivered * 4 >= flooded.sent, "packets get through");
        assert!(flooded.most_bytes < bytes + LOAD_BYTES);
        assert!(second.discards("bad-authenticator") > 1000);
        second.carry(&first);
        first.carry(&second);
        assert_eq!(first.peer().last_handshake, session, "the session goes on");
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

#[test]
fn flood_of_initiations_that_know_the_key() {
    alone("flood_of_initiations_that_know_the_key", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.carry(&second);
        let (session, bytes) = (first.peer().last_handshake, pool::usage().1);
        let mut random = Random::new(21);
        let messages: Vec<_> = (0..1000).map(|_| initiation(&second, &mut random)).collect();
        let mut messages = messages.iter().cycle();
        let flooded = flood(&first, &second, 100_000, || {
            messages.next().map(|message| message.to_vec()).unwrap_or_default()
        });
        assert!(flooded.cookies > 100, "who does not prove an address is asked to");
        assert!(second.discards("cookie-required") >= flooded.cookies);
        assert!(flooded.sent > 50);
        assert!(flooded.delivered * 4 >= flooded.sent, "packets get through");
        assert!(flooded.most_bytes < bytes + LOAD_BYTES);
        second.carry(&first);
        first.carry(&second);
        assert_eq!(first.peer().last_handshake, session, "the session goes on");
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// Enough at once to be load, and soon handled also by a machine that is busy.
const LOADING: usize = 700;

#[test]
fn a_peer_gets_through_by_its_cookie() {
    alone("a_peer_gets_through_by_its_cookie", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        // Handshakes are tried again after half a second, and not after five.
        let [first, second] = [1, 2].map(|number| End::with_timers(&loaded, number, 10));
        connect(&first, &second);
        first.reach(&second);
        let mut random = Random::new(22);
        let messages: Vec<_> = (0..LOADING).map(|_| initiation(&second, &mut random)).collect();
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let (target, is_over) = (second.endpoint(), AtomicBool::new(false));
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) && start.elapsed() < 2 * machine::TIMEOUT {
                    for message in &messages {
                        let _ = socket.send_to(message, target);
                    }
                    // A busy machine handles them late. One burst at a time: a cookie that waits
                    // for several comes too late.
                    let mut handled = 0;
                    while second.discards("cookie-required") != handled {
                        handled = second.discards("cookie-required");
                        std::thread::park_timeout(Duration::from_millis(300));
                    }
                }
            });
            machine::wait_until(
                || second.discards("cookie-required") > 1000,
                || format!("no load: {:?}", second.all_discards()),
            );
            // New sessions, each of which begins with a cookie or with its proof.
            for _ in 0..3 {
                first.down();
                first.up();
                let _ = second.edge.take();
                first.reach(&second);
            }
            println!("through after {:?}: {:?}", start.elapsed(), second.all_discards());
            is_over.store(true, Ordering::Relaxed);
        });
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}
