//! When the control thread is woken, and what it finds then.

use std::time::Duration;

use nic_engine::{
    ControlSink, Endpoint, Instant, Nic, Now, PacketQueue,
    conformance::{Opened, Side, packet},
    nic::{NewPeer, PumpList},
    plain::{Plain, PlainPacket, PlainQueue},
    protocol::{Discard, Event, PeerId},
    routes::Prefix,
};
use preshared::{Control, PeerControl, PeerData, Preshared};

type Adapter = Nic<Preshared, Plain<Opened<Preshared>>>;

/// Counts control messages.
#[derive(Default)]
struct Sink {
    sent: usize,
}

impl ControlSink for Sink {
    fn send(&mut self, _: Option<PeerId>, _to: &Endpoint, _datagram: &[u8]) -> bool {
        self.sent += 1;
        true
    }

    fn hand_up(&mut self, _from: &Endpoint, _datagram: &[u8]) -> bool {
        false
    }

    fn pump(&mut self, _peer: PeerId) {}

    fn event(&mut self, _event: Event) {}

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        bytes.fill_with(|| self.sent as u8);
        // Context numbers must differ.
        if let [first, second, ..] = bytes {
            let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            [*first, *second] = (count as u16).to_le_bytes();
        }
        true
    }

    fn is_under_load(&self) -> bool {
        false
    }
}

static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

fn at(milliseconds: u64) -> Now {
    let unix = Duration::from_millis(milliseconds);
    Now { instant: Instant::ZERO.after(unix), unix }
}

/// An adapter with so many peers, all at one place; the last has the routes.
fn adapter(peers: u32) -> (Adapter, Vec<PeerId>) {
    let nic = Adapter::new(
        nic_memory::boxed(Control { name: [0; 32], messages: Vec::new() }).unwrap(),
        [1; 16],
    );
    nic.set_up(true);
    let ids = nic.configure(at(0), &mut Sink::default(), |configuration| {
        configuration.reserve(peers as usize, 1, 1).unwrap();
        (0..peers)
            .map(|n| {
                let mut key = [0; 32];
                key[..4].copy_from_slice(&n.to_le_bytes());
                let new = NewPeer::new(key, PeerControl::new([2; 32]), PeerData::default());
                let peer = configuration.add_peer(new.unwrap()).unwrap();
                configuration.set_endpoint(peer, Endpoint::new("192.0.2.1:1".parse().unwrap()));
                for prefix in [("10.0.1.0", 24), ("fd01::", 16)] {
                    let (address, length) = (prefix.0.parse().unwrap(), prefix.1);
                    configuration.add_route(peer, Prefix { address, length }).unwrap();
                }
                peer
            })
            .collect()
    });
    (nic, ids)
}

fn submit(nic: &Adapter, now: Now) -> usize {
    let mut packets: PlainQueue =
        [PlainPacket::new(packet(Side::Left, 0, 60))].into_iter().collect();
    let mut refused = 0;
    nic.submit(&mut packets, now.instant, &mut PumpList::new(), &mut |_, reason| {
        assert_eq!(reason, Discard::Down);
        refused += 1;
    });
    assert!(packets.is_empty());
    refused
}

fn control_due(nic: &Adapter, peer: PeerId, now: Now) -> bool {
    let next = nic.begin_seal(peer, now.instant, &mut |_, _| {});
    assert!(next.batch.is_none());
    next.control_due
}

#[test]
fn a_packet_without_a_key_wakes_the_control_thread_once() {
    let (nic, peers) = adapter(3);
    let mut sink = Sink::default();
    assert_eq!(nic.tick(at(0), &mut sink), at(1000).instant, "the adapter's own timer");
    let peer = peers[2];
    assert!(!control_due(&nic, peer, at(10)), "nothing waits");
    submit(&nic, at(10));
    assert!(control_due(&nic, peer, at(10)));
    submit(&nic, at(11));
    assert!(!control_due(&nic, peer, at(11)), "it is awake already");
    assert_eq!(sink.sent, 0);
    assert_eq!(nic.tick(at(12), &mut sink), at(1000).instant);
    assert_eq!(sink.sent, 1);
    // The adapter's timer comes in between; nothing else is done.
    assert_eq!(nic.tick(at(1000), &mut sink), at(2000).instant);
    assert_eq!(sink.sent, 1);
    nic.tick(at(5012), &mut sink);
    assert_eq!(sink.sent, 2, "it is tried again");
}

#[test]
fn many_due_peers_are_served_in_turns() {
    let (nic, peers) = adapter(100);
    nic.configure(at(5), &mut Sink::default(), |configuration| {
        for &peer in &peers {
            assert!(configuration.with_peer_data(peer, |data| data.want_key(at(5).instant)));
        }
    });
    let mut sink = Sink::default();
    let mut ticks = 0;
    while nic.tick(at(6), &mut sink) <= at(6).instant {
        ticks += 1;
        assert!(ticks < 10, "it never ends");
    }
    assert_eq!(sink.sent, 100, "each once");
    assert!(ticks >= 3, "the control lock was held for all of them");
}

#[test]
fn a_stopped_adapter_is_quiet_and_gives_its_packets_back() {
    let (nic, peers) = adapter(1);
    submit(&nic, at(1));
    assert!(control_due(&nic, peers[0], at(1)));
    nic.set_up(false);
    assert_eq!(nic.totals().discarded(Discard::Down), 1);
    assert_eq!(submit(&nic, at(2)), 1);
    let mut sink = Sink::default();
    assert_eq!(nic.tick(at(3), &mut sink), Instant::NEVER);
    assert_eq!(sink.sent, 0);
    nic.set_up(true);
    submit(&nic, at(4));
    nic.set_up(false);
    assert_eq!(nic.totals().discarded(Discard::Down), 3);
}

#[test]
fn a_configuration_fails_as_a_whole_before_it_starts() {
    let (nic, peers) = adapter(2);
    nic.configure(at(0), &mut Sink::default(), |configuration| {
        let too_many = nic_engine::MAX_PEERS - 1;
        assert_eq!(
            configuration.reserve(too_many, 0, 0),
            Err(nic_engine::AddPeerError::TooManyPeers)
        );
        let new = |n: u8| NewPeer::new([n; 32], PeerControl::new([2; 32]), PeerData::default());
        assert_eq!(configuration.add_peer(new(0).unwrap()), Err(nic_engine::AddPeerError::Exists),);
        assert_eq!(configuration.peer_count(), 2);
        assert!(configuration.peers().eq(peers.iter().copied()));
        let mut routes = Vec::new();
        configuration.for_each_route(peers[1], &mut |prefix| routes.push(prefix.to_string()));
        assert_eq!(routes, ["10.0.1.0/24", "fd01::/16"]);
        configuration.for_each_route(peers[0], &mut |_| panic!("they moved to the other"));
    });
}
