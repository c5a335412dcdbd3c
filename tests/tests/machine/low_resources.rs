//! Memory runs out, once, at every place where it can.
//!
//! For each thing that one can do with the driver, every allocation on its way fails in turn. What
//! fails says so and has changed nothing; what is dropped is dropped whole; and afterwards all
//! works and nothing is left.

use std::net::Ipv4Addr;
use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::{handle::Handle, pool};
use nt_sys::ntdef::NTSTATUS;
use nt_sys::status::STATUS_INSUFFICIENT_RESOURCES;
use tunic::{
    AdapterState, AllowedIp, AllowedIpChange, Configuration, ConfigurationChange, Error, Key,
    PeerChange,
};
use tunic_tests::machine::{
    self, End, Loaded, alone, boot, connect, every_allocation, every_allocation_until,
};

const TIME: Duration = Duration::from_secs(120);

/// Sessions end and handshakes are tried again within tens of milliseconds.
const FAST: u32 = 100;

/// The refusal is one for want of memory.
fn require_no_memory(what: &str, failing: u64, status: NTSTATUS) {
    assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "{what}, allocation {failing}");
}

fn require_refused(what: &str, failing: u64, error: &Error) {
    match error {
        Error::Refused(status) => require_no_memory(what, failing, status.cast_signed()),
        error => panic!("{what}, allocation {failing}: {error}"),
    }
}

#[test]
fn load_and_unload() {
    alone("load_and_unload", TIME, || {
        let machine = boot();
        let mut refused = 0;
        // What a load that failed has left stops the process, and so does what an unload leaves.
        every_allocation(
            "load",
            || Loaded::load(machine),
            |failing, outcome| match outcome {
                Ok(loaded) => loaded.unload(),
                Err(status) => {
                    refused += 1;
                    require_no_memory("load", failing, status);
                }
            },
        );
        assert!(refused > 0);
        let loaded = Loaded::load(machine).expect("there is memory again");
        drop(End::new(&loaded, 1));
        loaded.unload();
        // An unload can't be refused.
        for failing in 1..50 {
            let loaded = Loaded::load(machine).expect("it loads");
            pool::fail_allocation(failing);
            loaded.unload();
            pool::fail_allocation(0);
        }
    });
}

#[test]
fn add_open_and_remove() {
    alone("add_open_and_remove", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        // The first one makes what all adapters share.
        drop(End::new(&loaded, 1));
        let (blocks, _) = pool::usage();
        let mut refused = 0;
        every_allocation(
            "add",
            || machine::add(&loaded, 1, FAST, &Capture::new()),
            |failing, outcome| {
                match outcome {
                    Ok(adapter) => {
                        // It is the adapter that was asked for, not one with defaults.
                        let opened = machine::open(&loaded, 1);
                        assert!(opened.is_ok(), "add, allocation {failing}: no such adapter");
                        drop(opened);
                        adapter.remove(false);
                    }
                    Err(status) => {
                        refused += 1;
                        require_no_memory("add", failing, status);
                    }
                }
                machine::wait_for_blocks(blocks);
            },
        );
        assert!(refused > 0);

        let end = End::new(&loaded, 1);
        let (blocks, _) = pool::usage();
        every_allocation(
            "open",
            || machine::open(&loaded, 1),
            |failing, outcome: Result<Handle, NTSTATUS>| {
                if let Err(status) = &outcome {
                    require_no_memory("open", failing, *status);
                }
                drop(outcome);
                machine::wait_for_blocks(blocks);
            },
        );
        end.remove(false);

        // A removal can't be refused, of whichever kind.
        for failing in 1..100 {
            let end = End::new(&loaded, 1);
            end.configure(PeerChange::new(Key::generate_private().expect("random").public()));
            pool::fail_allocation(failing);
            end.remove(failing % 2 == 0);
            pool::fail_allocation(0);
        }
        loaded.unload();
    });
}

/// So many new peers with four routes each, none of them another's.
fn peers(count: u8) -> Vec<PeerChange> {
    (0..count)
        .map(|number| {
            let mut peer =
                PeerChange::new(Key::generate_private().expect("random numbers").public());
            peer.preshared_key = Some(Some(Key::generate_preshared().expect("random numbers")));
            peer.endpoint = Some((Ipv4Addr::LOCALHOST, 9).into());
            peer.persistent_keepalive_s = Some(25);
            let networks = [
                AllowedIp::new([10, 1, number, 0].into(), 24),
                AllowedIp::new([10, 2, number, 1].into(), 32),
                AllowedIp::new([0xfd01, number.into(), 0, 0, 0, 0, 0, 0].into(), 64),
                AllowedIp::new([0xfd02, 0, 0, 0, 0, 0, 0, number.into()].into(), 128),
            ];
            peer.allowed_ips = networks.into_iter().flatten().map(AllowedIpChange::from).collect();
            peer
        })
        .collect()
}

#[test]
fn configure() {
    alone("configure", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let read = || end.control.configuration().expect("the configuration is told");
        let base = ConfigurationChange {
            listen_port: Some(7000),
            private_key: Some(Some(end.key.clone())),
            replace_peers: true,
            peers: peers(3),
        };
        let key = Key::generate_private().expect("random numbers");
        let added = ConfigurationChange { peers: peers(20), ..ConfigurationChange::default() };
        let rekeyed = ConfigurationChange {
            private_key: Some(Some(key)),
            listen_port: Some(7001),
            ..added.clone()
        };
        let replaced = ConfigurationChange { replace_peers: true, ..added.clone() };
        let taken = {
            // Routes go from one peer to another.
            let mut peer = base.peers[0].clone();
            peer.allowed_ips.clone_from(&base.peers[1].allowed_ips);
            peer.replace_allowed_ips = true;
            ConfigurationChange { peers: vec![peer], ..ConfigurationChange::default() }
        };
        let changes = [
            ("SET", added, 23),
            ("SET key", rekeyed, 23),
            ("SET replace", replaced, 20),
            ("SET take", taken, 3),
        ];
        for (what, change, peers) in changes {
            end.control.set_configuration(&base).expect("the base is applied");
            let before = read();
            let mut refused = 0;
            every_allocation(
                what,
                || end.control.set_configuration(&change),
                |failing, outcome| match outcome {
                    Ok(()) => {
                        assert_eq!(read().peers.len(), peers, "{what}, allocation {failing}");
                        end.control.set_configuration(&base).expect("the base is applied");
                        assert_eq!(by_key(read()), by_key(before.clone()));
                    }
                    Err(error) => {
                        refused += 1;
                        require_refused(what, failing, &error);
                        assert!(read() == before, "{what}, allocation {failing}: half applied");
                    }
                },
            );
            assert!(refused > 0, "{what}");
        }

        end.control.set_configuration(&base).expect("the base is applied");
        let before = read();
        every_allocation(
            "GET",
            || end.control.configuration(),
            |failing, outcome| match outcome {
                Ok(configuration) => assert!(configuration == before),
                Err(error) => require_refused("GET", failing, &error),
            },
        );
        end.remove(false);
        loaded.unload();
    });
}

/// Peers in an order that does not depend on when they were added.
fn by_key(mut configuration: Configuration) -> Configuration {
    configuration.peers.sort_by_key(|peer| *peer.public_key.as_bytes());
    configuration
}

#[test]
fn up_and_down() {
    alone("up_and_down", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let end = End::new(&loaded, 1);
        let change = ConfigurationChange {
            private_key: Some(Some(end.key.clone())),
            peers: peers(20)
                .into_iter()
                .map(|peer| PeerChange { endpoint: None, ..peer })
                .collect(),
            ..ConfigurationChange::default()
        };
        end.control.set_configuration(&change).expect("the configuration is applied");
        let mut refused = 0;
        every_allocation(
            "up",
            || end.control.set_state(AdapterState::Up),
            |failing, outcome| {
                let state = end.control.state().expect("the state is told");
                let is_up = end.edge.port().is_some_and(|port| port.is_up());
                match outcome {
                    Ok(()) => {
                        assert_eq!(state, AdapterState::Up, "allocation {failing}");
                        assert!(is_up, "allocation {failing}");
                        end.down();
                    }
                    Err(error) => {
                        refused += 1;
                        require_refused("up", failing, &error);
                        assert_eq!(state, AdapterState::Down, "allocation {failing}");
                        assert!(!is_up, "allocation {failing}");
                    }
                }
            },
        );
        assert!(refused > 0);

        // A new port while it is up: the old one stays when the new one can't be had.
        end.up();
        let mut refused = 0;
        let change = ConfigurationChange { listen_port: Some(0), ..ConfigurationChange::default() };
        let mut port = end.endpoint();
        every_allocation(
            "port",
            || end.control.set_configuration(&change),
            |failing, outcome| match outcome {
                Ok(()) => {
                    assert_ne!(end.endpoint(), port, "allocation {failing}");
                    port = end.endpoint();
                }
                Err(error) => {
                    refused += 1;
                    require_refused("port", failing, &error);
                    assert_eq!(end.endpoint(), port, "allocation {failing}");
                }
            },
        );
        assert!(refused > 0);

        // The driver can't fail to go down; the system can fail to ask it.
        every_allocation(
            "down",
            || end.control.set_state(AdapterState::Down),
            |failing, outcome| {
                let state = end.control.state().expect("the state is told");
                let is_up = end.edge.port().is_some_and(|port| port.is_up());
                if let Err(error) = outcome {
                    require_refused("down", failing, &error);
                    assert_eq!(state, AdapterState::Up, "allocation {failing}");
                    assert!(is_up, "allocation {failing}");
                } else {
                    assert_eq!(state, AdapterState::Down, "allocation {failing}");
                    assert!(!is_up, "allocation {failing}");
                    end.up();
                }
            },
        );
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn handshake() {
    alone("handshake", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::with_timers(&loaded, number, FAST));
        connect(&first, &second);
        let packet = first.packet(&second, 100, 1);
        every_allocation_until(
            "handshake",
            || (),
            |()| {
                let _ = first.edge.send(&[&packet]);
                second.edge.wait_for(1, Duration::from_millis(100))
            },
            |failing, received| {
                let is_ours = |found: &Vec<u8>| *found == packet || *found == first.probe(&second);
                assert!(received.iter().all(is_ours), "allocation {failing}");
                first.reach(&second);
                second.reach(&first);
                // The session ends with the adapter's being up.
                first.down();
                first.up();
                !received.is_empty()
            },
        );
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

#[test]
fn first_traffic() {
    alone("first_traffic", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        // Nothing that is kept for reuse is there yet: adapters are new for every allocation.
        every_allocation_until(
            "first traffic",
            || {
                let [first, second] = [1, 2].map(|number| End::with_timers(&loaded, number, FAST));
                connect(&first, &second);
                [first, second]
            },
            |[first, second]| {
                let packets: Vec<_> =
                    (0..60).map(|fill| first.packet(&second, 100, fill)).collect();
                let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
                let _ = first.edge.send(&slices);
                let received = second.edge.wait_for(packets.len(), Duration::from_millis(60));
                ([first, second], packets, received)
            },
            |failing, ([first, second], packets, received)| {
                let mut sent = packets.iter();
                let in_order = received.iter().all(|found| sent.any(|packet| packet == found));
                assert!(in_order, "allocation {failing}");
                first.reach(&second);
                second.reach(&first);
                first.remove(false);
                second.remove(false);
                received.len() == packets.len()
            },
        );
        loaded.unload();
    });
}

#[test]
fn traffic() {
    alone("traffic", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        connect(&first, &second);
        first.reach(&second);
        let packets: Vec<_> =
            (0..40).map(|fill| first.packet(&second, 100 + usize::from(fill), fill)).collect();
        let slices: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
        let handshake = first.peer().last_handshake;
        every_allocation_until(
            "traffic",
            || (),
            |()| {
                let _ = second.edge.take();
                let _ = first.edge.send(&slices);
                second.edge.wait_for(packets.len(), Duration::from_millis(100))
            },
            |failing, received| {
                // Some may be missing; those that are there are whole, and in order.
                let mut sent = packets.iter();
                let in_order = received.iter().all(|found| sent.any(|packet| packet == found));
                assert!(in_order, "allocation {failing}");
                first.carry(&second);
                second.carry(&first);
                received.len() == packets.len()
            },
        );
        assert_eq!(first.peer().last_handshake, handshake, "the session goes on");
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}
