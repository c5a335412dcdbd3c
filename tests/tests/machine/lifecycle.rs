//! Adapters come and go, pause, sleep and are pulled out while packets flow: nothing is lost but
//! packets, and nothing grows.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nt_host::pool;
use tunic_tests::image;
use tunic_tests::machine::{self, End, Loaded, alone, alone_with, boot, boot_with, connect};

const TIME: Duration = Duration::from_secs(150);
const CYCLES: usize = 200;

/// Sends from one end to another while something else is done to them. How many packets arrived.
fn under_traffic(from: &End, to: &End, act: impl FnOnce()) -> usize {
    let (packet, probe) = (from.packet(to, 700, 0x11), from.probe(to));
    let mut received = 0;
    let take = || {
        let mut packets = to.edge.take();
        // Of `End::reach`, which ends with the first that arrives.
        packets.retain(|found| *found != probe);
        assert!(packets.iter().all(|found| *found == packet), "whole packets");
        received += packets.len();
    };
    while_sending(from, &packet, take, act);
    received
}

/// Sends a packet again and again while something else is done.
fn while_sending(from: &End, packet: &[u8], mut between: impl FnMut() + Send, act: impl FnOnce()) {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if from.offer(packet, 32) == 0 {
                    std::thread::yield_now();
                }
                between();
            }
        });
        act();
        ended.store(true, Ordering::Relaxed);
    });
}

/// Waits until so many packets more were received.
fn wait_for_packets(end: &End, count: u64) {
    let goal = end.statistics().traffic.rx_packets + count;
    machine::wait_until(
        || end.statistics().traffic.rx_packets >= goal,
        || format!("packets stop: {:?}", end.all_discards()),
    );
}

#[test]
fn cycles() {
    alone("cycles", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        // What all adapters share is made by the first, and stays.
        drop(End::new(&loaded, 1));
        let before = pool::usage().0;
        let first = End::new(&loaded, 1);
        let mut delivered = 0;
        for cycle in 0..CYCLES {
            let second = End::new(&loaded, 2);
            connect(&first, &second);
            first.reach(&second);
            let session = first.peer().last_handshake;
            assert!(session.is_some());
            let surprise = cycle % 2 == 0;
            delivered += under_traffic(&first, &second, || {
                wait_for_packets(&second, 20);
                for end in [&second, &first] {
                    end.adapter.pause().expect("it pauses");
                    assert_eq!(end.adapter.outstanding(), (0, 0), "all packets are back");
                    end.adapter.restart().expect("it restarts");
                    wait_for_packets(&second, 20);
                }
                assert_eq!(first.peer().last_handshake, session, "the session survives a pause");
                if cycle % 4 < 2 {
                    second.down();
                }
            });
            if surprise {
                // It goes while packets come.
                let packet = first.packet(&second, 700, 0x11);
                while_sending(&first, &packet, || (), || second.remove(true));
            } else {
                second.remove(false);
            }
            first.down();
        }

        // An adapter keeps batches of packets for their next use, as many as traffic took. Without
        // traffic it needs no more, and what is lost in each cycle shows.
        let mut most = 0;
        for cycle in 0..CYCLES {
            let second = End::new(&loaded, 2);
            connect(&first, &second);
            first.reach(&second);
            second.remove(false);
            first.down();
            if cycle < CYCLES / 10 {
                most = pool::usage().0.max(most);
            }
        }
        println!("{delivered} packets; blocks of memory: {before}, {most}, {}", pool::usage().0);
        machine::wait_for_blocks(most + CYCLES / 2);
        first.remove(false);
        machine::wait_for_blocks(before + 8);
        loaded.unload();
    });
}

#[test]
fn surprise_removal_of_both_ends_under_traffic() {
    alone("surprise_removal_of_both_ends_under_traffic", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        for _ in 0..30 {
            let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
            connect(&first, &second);
            first.reach(&second);
            let packet = first.packet(&second, 1000, 3);
            let (port, edge) = (first.edge.port().expect("it is attached"), first.edge.clone());
            let ended = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !ended.load(Ordering::Relaxed) && edge.port().is_some() {
                        let mut batch = port.batch();
                        while batch.len() < 32 && batch.push(&packet) {}
                        // Refused as soon as it pauses.
                        if port.transmit(&mut batch).is_err() {
                            break;
                        }
                    }
                });
                wait_for_packets(&second, 50);
                second.remove(true);
                // The stack lets go before the adapter's memory may be gone.
                first.adapter.pause().expect("it pauses");
                ended.store(true, Ordering::Relaxed);
            });
            first.remove(true);
        }
        loaded.unload();
    });
}

#[test]
fn loads_and_unloads() {
    alone("loads_and_unloads", TIME, || {
        let machine = boot();
        for _ in 0..50 {
            load_carry_unload(machine);
        }
        assert_eq!(pool::usage(), (0, 0));
    });
}

/// How many loads settle what a process keeps: nt-host the addresses of the last images, Linux and
/// the allocator their caches.
const WARM_UP: usize = 100;

/// The driver is loaded 1,000 times in one process: it leaves nothing, and the process does not
/// grow.
#[test]
fn an_image_is_loaded_a_thousand_times() {
    // glibc has an arena for each of some threads; the blocks that such threads leave in them are
    // holes, and memory that is not given back. With one arena, what is resident is what is used
    // (mallopt(3)).
    let one_arena = [("MALLOC_ARENA_MAX", "1")];
    alone_with("an_image_is_loaded_a_thousand_times", TIME, &one_arena, || {
        // Without guard pages, which are more mappings than memory.
        let machine = boot_with(nt_host::MachineOptions::default());
        for _ in 0..WARM_UP {
            load_carry_unload(machine);
        }
        let before = Process::at_rest();
        for _ in WARM_UP..1000 {
            load_carry_unload(machine);
        }
        let after = Process::at_rest();
        let form = if image::path().is_some() { "image" } else { "linked driver" };
        println!("the {form}, after {WARM_UP} loads: {before:?}; after 1000: {after:?}");
        assert_eq!(pool::usage(), (0, 0));
        assert_eq!(after.descriptors, before.descriptors);
        assert!(after.threads <= before.threads, "{before:?} {after:?}");
        // In all, and not for each load: tables that the host keeps may have grown.
        assert!(after.heap_blocks <= before.heap_blocks + 20, "{before:?} {after:?}");
        assert!(after.heap_bytes <= before.heap_bytes + (64 << 10), "{before:?} {after:?}");
        // Stacks of threads, which glibc keeps for the next.
        assert!(after.mappings <= before.mappings + 10, "{before:?} {after:?}");
        // Less than a page for each load.
        assert!(after.resident_kib <= before.resident_kib + 2048, "{before:?} {after:?}");
    });
}

fn load_carry_unload(machine: nt_host::Machine) {
    let loaded = Loaded::load(machine).expect("it loads again");
    let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
    connect(&first, &second);
    first.carry(&second);
    second.carry(&first);
    first.remove(false);
    second.remove(true);
    // Stops the process when anything is left.
    loaded.unload();
}

/// What this process has of Linux.
#[derive(Debug)]
struct Process {
    descriptors: usize,
    threads: usize,
    mappings: usize,
    resident_kib: usize,
    heap_blocks: usize,
    heap_bytes: usize,
}

impl Process {
    /// As it is when the threads of what was unloaded are gone: their ends are told a moment
    /// before.
    fn at_rest() -> Self {
        // The harness's and the test's.
        let own_threads = 2;
        machine::wait_until(
            || Self::look().is_ok_and(|now| now.threads <= own_threads),
            || format!("threads are left: {:?}", Self::look()),
        );
        Self::look().expect("Linux tells")
    }

    fn look() -> std::io::Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
        };
        let (heap_blocks, heap_bytes) = nt_host::heap::live();
        Ok(Self {
            descriptors: std::fs::read_dir("/proc/self/fd")?.count(),
            threads: number("Threads:"),
            mappings: std::fs::read_to_string("/proc/self/maps")?.lines().count(),
            resident_kib: number("VmRSS:"),
            heap_blocks,
            heap_bytes,
        })
    }
}

#[test]
fn sleep_keeps_keys() {
    alone("sleep_keeps_keys", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.carry(&second);
        let session = first.peer().last_handshake;
        for _ in 0..20 {
            let received = under_traffic(&first, &second, || {
                wait_for_packets(&second, 20);
                for end in [&first, &second] {
                    end.adapter.sleep().expect("it sleeps");
                    assert_eq!(end.adapter.outstanding(), (0, 0), "all packets are back");
                    assert_eq!(end.offer(&second.probe(&first), 1), 0, "nobody is served asleep");
                    end.adapter.wake().expect("it wakes");
                    wait_for_packets(&second, 20);
                }
            });
            assert!(received >= 40);
        }
        settle(&second);
        first.carry(&second);
        second.carry(&first);
        assert_eq!(first.peer().last_handshake, session, "no new handshake");
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

/// Waits until no packets are on their way any more.
fn settle(end: &End) {
    let quiet = Duration::from_millis(100);
    machine::wait_until(|| end.edge.wait_for(1, quiet).is_empty(), || "no end of packets".into());
}

#[test]
fn many_adapters_at_once() {
    alone("many_adapters_at_once", TIME, || {
        // Without guard pages: a system has only so many mappings.
        let loaded = Loaded::load(boot_with(nt_host::MachineOptions::default())).expect("it loads");
        let ends: Vec<End> = (1..=60).map(|number| End::new(&loaded, number)).collect();
        for pair in ends.chunks_exact(2) {
            connect(&pair[0], &pair[1]);
        }
        for pair in ends.chunks_exact(2) {
            pair[0].carry(&pair[1]);
            pair[1].carry(&pair[0]);
        }
        // They all go at the same time.
        std::thread::scope(|scope| {
            for (number, end) in ends.into_iter().enumerate() {
                scope.spawn(move || end.remove(number % 2 == 0));
            }
        });
        loaded.unload();
    });
}
