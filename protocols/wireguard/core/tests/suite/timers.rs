//! Each constant of the protocol, as it shows on the wire.

use std::time::Duration;

use crate::adapter::{LATENCY, Pair, millis, seconds};
use nic_engine::protocol::{Discard, Event};

const ROUND_TRIP: Duration = Duration::from_millis(20);

/// Whether a time lies within the jitter after another.
fn is_jittered(time: Duration, expected: Duration) -> bool {
    time >= expected && time <= expected + millis(334)
}

fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn initiations_are_repeated_each_5_s_with_jitter_for_90_s() {
    let mut pair = Pair::new();
    pair.is_lost = Box::new(|_| true);
    let start = pair.now;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(640));
    let times = pair.times_from_a(1);
    assert_eq!(times.len(), 18);
    assert_eq!(times[0], start, "the first at once");
    let gaps = gaps(&times);
    assert!(gaps.iter().all(|gap| is_jittered(*gap, seconds(5))), "{gaps:?}");
    let mut distinct = gaps.clone();
    distinct.sort();
    distinct.dedup();
    assert!(distinct.len() > 10, "jitter is drawn each time");
    assert_eq!(pair.a.host.events, [Event::HandshakeAbandoned(pair.to_b)]);
    assert_eq!(pair.a.host.dropped, 1);
    assert!(pair.a.host.receivers.is_empty(), "erased at last");

    let mut ephemerals: Vec<_> =
        pair.log.iter().map(|(_, datagram)| datagram.bytes[8..40].to_vec()).collect();
    ephemerals.sort();
    ephemerals.dedup();
    assert_eq!(ephemerals.len(), 18, "each with a new ephemeral key");
    // A new packet begins anew.
    pair.a.send(pair.to_b, b"y");
    pair.collect();
    assert_eq!(pair.times_from_a(1).len(), 19);
}

#[test]
fn packets_during_a_handshake_extend_it() {
    let mut pair = Pair::new();
    pair.is_lost = Box::new(|_| true);
    pair.a.send(pair.to_b, b"x");
    for _ in 0..20 {
        pair.run_for(seconds(10));
        pair.a.send(pair.to_b, b"x");
    }
    assert!(pair.a.host.events.is_empty());
    assert!(gaps(&pair.times_from_a(1)).iter().all(|gap| is_jittered(*gap, seconds(5))));
    pair.run_for(seconds(100));
    assert_eq!(pair.a.host.events, [Event::HandshakeAbandoned(pair.to_b)]);
    assert_eq!(pair.a.host.dropped, 21);
}

#[test]
fn received_data_is_answered_by_a_keepalive_after_10_s() {
    let mut pair = Pair::connected();
    let sent = pair.now;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(4));
    pair.a.send(pair.to_b, b"y");
    pair.run_for(seconds(30));
    assert_eq!(pair.times_from_b(4), [sent - millis(100) + ROUND_TRIP + LATENCY + seconds(10)]);
    assert_eq!(pair.a.host.keepalives_received, 1, "a keepalive itself is not answered");
    assert_eq!(pair.times_from_a(4).len(), 2);
}

#[test]
fn an_answer_makes_the_keepalive_needless() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(60));
    pair.log.clear();
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(5));
    pair.b.send(pair.to_a, b"y");
    let answered = pair.now;
    pair.run_for(seconds(30));
    assert_eq!(pair.times_from_b(4), [answered]);
    assert_eq!(pair.times_from_a(4).last(), Some(&(answered + LATENCY + seconds(10))));
}

#[test]
fn silence_after_data_begins_a_handshake_after_15_s() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(20));
    pair.log.clear();
    pair.is_lost = Box::new(|_| true);
    let start = pair.now;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(16));
    let initiations = pair.times_from_a(1);
    assert_eq!(initiations.len(), 1);
    assert!(is_jittered(initiations[0] - start, seconds(15)), "{:?}", initiations[0] - start);
    assert_eq!(pair.a.host.local_addresses_cleared, 1);
    // B sent nothing, so it has nothing to miss.
    assert!(pair.times_from_b(1).is_empty());
}

#[test]
fn keepalives_alone_expect_no_answer() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(20));
    pair.log.clear();
    pair.is_lost = Box::new(|_| true);
    pair.a.set_persistent_keepalive(pair.to_b, 5);
    pair.run_for(seconds(60));
    assert!(pair.times_from_a(1).is_empty());
}

#[test]
fn persistent_keepalives_come_when_nothing_else_does() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(20));
    pair.log.clear();
    let start = pair.now;
    pair.a.set_persistent_keepalive(pair.to_b, 25);
    pair.run_for(seconds(60));
    let expected = [start, start + seconds(25), start + seconds(50)];
    assert_eq!(pair.times_from_a(4), expected, "one at once, then by the interval");
    pair.a.send(pair.to_b, b"x");
    let sent = pair.now;
    pair.log.clear();
    pair.run_for(seconds(34));
    // B's passive keepalive at 10 s is traffic, too.
    let passive = sent + LATENCY + seconds(10);
    assert_eq!(pair.times_from_b(4), [passive]);
    assert_eq!(pair.times_from_a(4), [sent]);
    pair.run_for(seconds(2));
    assert_eq!(pair.times_from_a(4), [sent, passive + LATENCY + seconds(25)]);
    pair.a.set_persistent_keepalive(pair.to_b, 0);
    pair.log.clear();
    pair.run_for(seconds(100));
    assert!(pair.log.is_empty());
}

#[test]
fn an_initiator_that_sends_renews_after_120_s() {
    let mut pair = Pair::new();
    let start = pair.now;
    pair.a.send(pair.to_b, b"x");
    let ping = |pair: &mut Pair| {
        pair.a.send(pair.to_b, b"x");
        pair.run_for(millis(500));
        pair.b.send(pair.to_a, b"y");
        pair.run_for(millis(500));
    };
    for _ in 0..119 {
        ping(&mut pair);
    }
    assert_eq!(pair.times_from_a(1).len(), 1);
    for _ in 0..5 {
        ping(&mut pair);
    }
    let times = pair.times_from_a(1);
    assert_eq!(times.len(), 2);
    let age = times[1] - start;
    assert!(age >= seconds(120) && age <= seconds(121), "{age:?}");
    assert!(pair.times_from_b(1).is_empty(), "the responder doesn't");
    assert_eq!(pair.a.discards() + pair.b.discards(), 0);
    assert_eq!(pair.a.host.receivers.len(), 2, "current and previous");
    for _ in 0..400 {
        ping(&mut pair);
    }
    assert_eq!(pair.times_from_a(1).len(), 5, "every 120 s");
    assert_eq!(pair.b.host.delivered.len(), 525);
    assert_eq!(pair.a.host.delivered.len(), 524, "nothing was lost at any change");
    assert_eq!((pair.a.host.receivers.len(), pair.b.host.receivers.len()), (2, 2));
}

#[test]
fn lost_initiations_do_not_stop_keepalives() {
    let mut pair = Pair::connected();
    let begun = pair.now - millis(100);
    pair.is_lost = Box::new(|datagram| datagram.kind() == 1);
    while pair.now < begun + seconds(175) {
        pair.b.send(pair.to_a, b"y");
        pair.run_for(seconds(1));
    }
    let first = pair.times_from_a(1)[0] - begun;
    assert!(first >= seconds(120) && first <= seconds(131), "with a keepalive: {first:?}");
    let keepalives = pair.times_from_a(4).len();
    assert!((15..=18).contains(&keepalives), "every 10 s or so: {keepalives}");
    assert!(pair.times_from_b(1).is_empty(), "so B misses nothing");
}

#[test]
fn an_initiator_that_only_receives_renews_after_165_s() {
    use nic_wireguard::TimerConstants;
    // Without passive keepalives and without renewal by age, only the rule for what is received is
    // left.
    let constants = TimerConstants {
        rekey_after_time: seconds(1000),
        keepalive_timeout: seconds(10),
        ..TimerConstants::PAPER
    };
    let mut pair = Pair::with(constants, [0; 32], [0; 32]);
    let begun = pair.now;
    pair.a.send(pair.to_b, b"x");
    pair.run_for(seconds(1));
    for _ in 0..162 {
        pair.b.send(pair.to_a, b"y");
        pair.run_for(seconds(1));
    }
    assert_eq!(pair.times_from_a(1).len(), 1);
    for _ in 0..4 {
        pair.b.send(pair.to_a, b"y");
        pair.run_for(seconds(1));
    }
    let times = pair.times_from_a(1);
    assert_eq!(times.len(), 2);
    let age = times[1] - begun;
    assert!(age >= seconds(165) && age <= seconds(166) + ROUND_TRIP, "{age:?}");
    for _ in 0..170 {
        pair.b.send(pair.to_a, b"y");
        pair.run_for(seconds(1));
    }
    assert_eq!(pair.times_from_a(1).len(), 3, "and the next session likewise");
    assert!(pair.times_from_b(1).is_empty(), "a responder never does");
}

#[test]
fn sessions_end_after_180_s() {
    let mut pair = Pair::connected();
    let begun = pair.now - millis(100);
    // No new handshake gets through.
    pair.is_lost = Box::new(|datagram| datagram.kind() == 1);
    pair.run_for(begun + seconds(179) - pair.now);
    pair.a.send(pair.to_b, b"in time");
    pair.b.send(pair.to_a, b"in time");
    pair.run_for(millis(900));
    assert_eq!((pair.a.host.delivered.len(), pair.b.host.delivered.len()), (1, 1));
    // What is on its way when the time is over is refused.
    pair.b.send(pair.to_a, b"late");
    pair.collect();
    let late = pair.log.last().unwrap().1.clone();
    pair.run_for(millis(200));
    pair.a.receive(&late);
    assert_eq!(pair.a.count(Discard::UnknownContext), 1);
    pair.log.clear();
    pair.a.send(pair.to_b, b"too late");
    pair.run_for(seconds(1));
    assert!(pair.times_from_a(4).is_empty());
}

#[test]
fn key_material_is_erased_after_540_s() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(539));
    assert_eq!((pair.a.host.receivers.len(), pair.b.host.receivers.len()), (1, 1));
    pair.run_for(seconds(2));
    assert!(pair.a.host.receivers.is_empty() && pair.b.host.receivers.is_empty());
    assert_eq!(pair.a.deadline(), nic_engine::Instant::NEVER, "and nothing is left to do");
    assert_eq!(pair.b.deadline(), nic_engine::Instant::NEVER);
}

#[test]
fn sleep_counts_as_time() {
    let mut pair = Pair::connected();
    pair.run_for(seconds(10_000));
    pair.log.clear();
    pair.a.send(pair.to_b, b"awake");
    pair.run_for(seconds(1));
    assert_eq!(pair.b.host.delivered.len(), 1);
    let kinds: Vec<u8> = pair.log.iter().map(|(_, datagram)| datagram.kind()).collect();
    assert_eq!(kinds, [1, 2, 4]);
}

#[test]
fn shortened_constants_keep_their_proportions() {
    use nic_wireguard::TimerConstants;
    let mut pair = Pair::with(TimerConstants::shortened(60), [0; 32], [0; 32]);
    for _ in 0..100 {
        pair.a.send(pair.to_b, b"x");
        pair.run_for(millis(100));
    }
    let renewals = pair.times_from_a(1).len();
    assert!((4..=6).contains(&renewals), "about every 2 s in 10 s: {renewals}");
    assert_eq!(pair.b.host.delivered.len(), 100);
}

#[test]
fn constants_of_existing_peers_may_be_replaced() {
    use nic_wireguard::{TimerConstants, configure};
    let mut pair = Pair::new();
    let shortened = TimerConstants::shortened(60);
    for adapter in [&mut pair.a, &mut pair.b] {
        configure::set_timer_constants(&mut adapter.control, &mut adapter.host, shortened);
    }
    for _ in 0..50 {
        pair.a.send(pair.to_b, b"x");
        pair.run_for(millis(100));
    }
    assert_eq!(pair.times_from_a(1).len(), 3, "every 2 s in 5 s");
    assert_eq!(pair.b.host.delivered.len(), 50);
}
