//! Batches that many threads work on.

use std::{
    sync::{
        Barrier, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant as Clock},
    vec::Vec,
};

use crate::{
    Drain, PacketQueue, Protocol,
    conformance::{
        Datagram, Pair, Side, Subject, packet,
        pair::{accept_all, number},
    },
    nic::PumpList,
    plain::{PlainPacket, PlainQueue},
    protocol::{Class, Discard, Ecn},
};

/// Batches finish in any order and leave in the order in which they were taken.
pub fn batches_sealed_out_of_order_leave_in_order<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let (now, peer) = (pair.now, pair.left.peer);
    pair.left.queue((0..600).map(|n| packet(Side::Left, n, 60)), now);
    let mut batches: Vec<_> = core::iter::from_fn(|| pair.left.begin_seal(now)).collect();
    assert!(batches.len() >= 9 && batches.iter().all(|batch| batch.packets.len() <= 64));
    batches.rotate_left(3);
    batches.reverse();
    let mut turns = 0;
    for batch in batches {
        let sealed = pair.left.seal(
            batch.packets,
            batch.message.as_deref().unwrap_or_default(),
            &batch.context,
            batch.framing,
        );
        if pair.left.nic.finish_seal(peer, batch.ticket, sealed) == Drain::Required {
            turns += 1;
            pair.left.send(peer, now);
        }
    }
    // Of ten, 2 1 0 9 8 7 6 5 4 3 finished: 0 let three through, and 3 the others.
    assert_eq!(turns, 2);
    pair.run_for(Duration::from_millis(100));
    assert!(pair.right.delivered.iter().map(|packet| number(packet)).eq(0..600));
}

/// Batches are opened in any order and delivered in the order in which they arrived.
pub fn batches_opened_out_of_order_arrive_in_order<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let now = pair.now;
    let rejected = pair.left.submit((0..500).map(|n| packet(Side::Left, n, 60)), now);
    assert_eq!(rejected, []);
    let datagrams: Vec<Datagram> = pair.left.sent.drain(..).collect();
    let mut batches = Vec::new();
    for run in datagrams.chunks(50) {
        let selector = selector::<T>(&run[0]);
        let batch = pair.right.nic.begin_open(selector, run.len() as u32, now).unwrap();
        batches.push((run, batch));
    }
    batches.rotate_left(4);
    batches.reverse();
    for (run, batch) in batches {
        let opened = pair.right.open(batch.peer, run, batch.context);
        if pair.right.nic.finish_open(batch.peer, batch.ticket, opened) == Drain::Required {
            pair.right.indicate(batch.peer, now);
        }
    }
    assert!(pair.right.delivered.iter().map(|packet| number(packet)).eq(0..500));
}

/// A batch that is given up, on either side, delays none behind it, and its place is free again.
pub fn abandoned_batches_hold_nobody_up<T: Subject>() {
    let mut pair = Pair::<T>::keyed();
    let (now, peer) = (pair.now, pair.left.peer);
    for round in 0..200 {
        pair.left.queue((0..192).map(|n| packet(Side::Left, n, 60)), now);
        let batches: Vec<_> = core::iter::from_fn(|| pair.left.begin_seal(now)).collect();
        assert_eq!(batches.len(), 3, "round {round}");
        for (n, batch) in batches.into_iter().enumerate().rev() {
            let turn = if n == 2 {
                let sealed = pair.left.seal(
                    batch.packets,
                    batch.message.as_deref().unwrap_or_default(),
                    &batch.context,
                    batch.framing,
                );
                pair.left.nic.finish_seal(peer, batch.ticket, sealed)
            } else {
                pair.left.nic.abandon_seal(peer, batch.ticket, now)
            };
            assert_eq!(turn == Drain::Required, n == 0);
        }
        pair.left.send(peer, now);
        let datagrams: Vec<Datagram> = pair.left.sent.drain(..).collect();
        assert_eq!(datagrams.len(), 64);
        let [lost, kept] = [0, 1]
            .map(|n| pair.right.nic.begin_open(selector::<T>(&datagrams[n]), 1, now).unwrap());
        let opened = pair.right.open(kept.peer, &datagrams[1..2], kept.context);
        assert_eq!(pair.right.nic.finish_open(kept.peer, kept.ticket, opened), Drain::NotRequired);
        assert_eq!(pair.right.nic.abandon_open(lost.peer, lost.ticket), Drain::Required);
        pair.right.indicate(lost.peer, now);
        assert_eq!(pair.right.delivered.len(), round + 1);
    }
}

/// Threads seal, send, open and deliver as fast as they can; each packet arrives once and in order.
pub fn many_threads_keep_the_order<T: Subject>() {
    const PACKETS: u32 = 20_000;
    let pair = Pair::<T>::keyed();
    let (now, left, right) = (pair.now, &pair.left, &pair.right);
    let wire = Mutex::new(std::collections::VecDeque::<Datagram>::new());
    let delivered = Mutex::new(Vec::new());
    let submitted = AtomicU32::new(0);
    // Held while packets are numbered and queued, and while datagrams are taken off the wire in
    // order.
    let [submitting, receiving] = [Mutex::new(()), Mutex::new(())];
    let end = Clock::now() + Duration::from_secs(60);
    let is_done = || {
        assert!(Clock::now() < end, "packets got lost");
        delivered.lock().unwrap().len() == PACKETS as usize
    };
    let send_some = || {
        if let Ok(_turn) = submitting.try_lock() {
            let from = submitted.load(Ordering::Relaxed);
            // No more than the queue has room for: none may be dropped here.
            if from < PACKETS && from < delivered.lock().unwrap().len() as u32 + 500 {
                let to = (from + 50).min(PACKETS);
                left.queue((from..to).map(|n| packet(Side::Left, n, 60)), now);
                submitted.store(to, Ordering::Relaxed);
            }
        }
        while let Some(batch) = left.begin_seal(now) {
            let sealed = left.seal(
                batch.packets,
                batch.message.as_deref().unwrap_or_default(),
                &batch.context,
                batch.framing,
            );
            if left.nic.finish_seal(left.peer, batch.ticket, sealed) == Drain::NotRequired {
                continue;
            }
            while let Some(next) = left.nic.next_to_send(left.peer, now) {
                let (from, to) = (left.address, next.endpoint.remote);
                let datagrams = next.sealed.into_iter().map(|bytes| Datagram {
                    from,
                    to,
                    bytes,
                    ecn: Ecn::NotEct,
                });
                wire.lock().unwrap().extend(datagrams);
                left.nic.send_completed(left.peer, &next.batch, true, now);
            }
        }
    };
    let receive_some = || {
        let turn = receiving.lock().unwrap();
        let run: Vec<Datagram> = {
            let mut wire = wire.lock().unwrap();
            let count = wire.len().min(13);
            wire.drain(..count).collect()
        };
        let Some(first) = run.first() else {
            return;
        };
        let batch = right.nic.begin_open(selector::<T>(first), run.len() as u32, now).unwrap();
        drop(turn);
        let opened = right.open(batch.peer, &run, batch.context);
        if right.nic.finish_open(batch.peer, batch.ticket, opened) == Drain::Required {
            accept_all(&right.nic, batch.peer, now, &mut |_, packet| {
                delivered.lock().unwrap().push(number(&packet));
            });
        }
    };
    thread::scope(|scope| {
        for n in 0..6 {
            let work: &(dyn Fn() + Sync) = if n < 3 { &send_some } else { &receive_some };
            scope.spawn(move || {
                while !is_done() {
                    work();
                    thread::yield_now();
                }
            });
        }
    });
    assert!(delivered.lock().unwrap().iter().copied().eq(0..PACKETS));
}

/// A peer is removed while threads queue, seal and send for it: they all come to an end, and the
/// adapter goes on.
pub fn a_peer_removed_under_load_does_no_harm<T: Subject>() {
    const THREADS: usize = 3;
    for round in 0..20 {
        let mut pair = Pair::<T>::keyed();
        pair.run_for(core::time::Duration::from_secs(1));
        let (now, old, right) = (pair.now, pair.left.peer, pair.right.peer);
        let left = &pair.left;
        let batches = AtomicU32::new(0);
        let start = Barrier::new(THREADS + 1);
        let end = Clock::now() + Duration::from_secs(60);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    let mut no_route = false;
                    while !no_route {
                        assert!(Clock::now() < end, "the peer is not gone");
                        let packets = (0..40).map(|n| PlainPacket::new(packet(Side::Left, n, 60)));
                        let mut packets: PlainQueue = packets.collect();
                        left.nic.submit(
                            &mut packets,
                            now,
                            &mut PumpList::new(),
                            &mut |_, reason| no_route |= reason == Discard::NoRoute,
                        );
                        while let Some(batch) = left.begin_seal(now) {
                            batches.fetch_add(1, Ordering::Relaxed);
                            let sealed = left.seal(
                                batch.packets,
                                batch.message.as_deref().unwrap_or_default(),
                                &batch.context,
                                batch.framing,
                            );
                            if left.nic.finish_seal(old, batch.ticket, sealed) == Drain::NotRequired
                            {
                                continue;
                            }
                            while let Some(next) = left.nic.next_to_send(old, now) {
                                left.nic.send_completed(old, &next.batch, true, now);
                            }
                        }
                    }
                });
            }
            start.wait();
            // At another moment in each round.
            while batches.load(Ordering::Relaxed) < round {
                thread::yield_now();
            }
            assert!(left.remove_peer(old, now));
        });
        assert_eq!(left.nic.receiver_count(), 0);
        pair.right.configure(now, |configuration| configuration.remove_peer(right));
        pair.left.peer = pair.left.add_peer::<T>(Side::Left, now);
        pair.right.peer = pair.right.add_peer::<T>(Side::Right, now);
        pair.send(Side::Left, packet(Side::Left, 1, 60));
        pair.run_for(core::time::Duration::from_secs(10));
        assert_eq!(pair.right.delivered, [packet(Side::Left, 1, 60)]);
    }
}

fn selector<T: Subject>(datagram: &Datagram) -> crate::protocol::Selector {
    match T::Protocol::classify(&datagram.bytes, datagram.bytes.len()) {
        Class::Data(selector) => selector,
        other => panic!("{other:?} is no data"),
    }
}
