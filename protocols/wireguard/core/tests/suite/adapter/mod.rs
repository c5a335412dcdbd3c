//! A small adapter to run the module in, and a link between two of them, with virtual time.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(unreachable_pub, reason = "a module of each test crate")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use nic_engine::fake_host::{FakeDatagram, FakeHost, seal_packets};
use nic_engine::protocol::{
    Class, ControlPlane, DataPlane, Discard, PeerId, ReceiverId, SealRequest, Selector,
};
use nic_engine::{ControlHost, Endpoint, Instant, Now, Protocol};
use nic_wireguard::configure::{self, AdapterState};
use nic_wireguard::{Control, TimerConstants, WireGuard};

pub const MTU: usize = 1420;
pub const LATENCY: Duration = Duration::from_millis(10);
pub const NO_KEY: [u8; 32] = [0; 32];

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// An adapter.
pub struct Adapter {
    pub control: Control,
    pub host: Host,
}

/// The engine, as the module sees it.
pub type Host = FakeHost<WireGuard>;

pub type Datagram = FakeDatagram;

impl Adapter {
    pub fn new(address: &str, private_key: [u8; 32], constants: TimerConstants) -> Self {
        let seed = u64::from_le_bytes(private_key[..8].try_into().unwrap());
        let mut host = Host::new(address.parse().unwrap(), seed);
        host.now = at(Duration::from_secs(1000));
        host.mtu_bytes = MTU;
        let mut adapter = Self { control: Control::new(constants), host };
        assert_eq!(adapter.set_private_key(Some(private_key)), None);
        adapter
    }

    pub fn set_private_key(&mut self, key: Option<[u8; 32]>) -> Option<PeerId> {
        let conflict = configure::set_private_key(&mut self.control, &mut self.host, key.as_ref());
        self.settle();
        conflict
    }

    pub fn public_key(&self) -> [u8; 32] {
        self.control.identity().unwrap().public_key().0
    }

    pub fn add_peer(
        &mut self,
        public_key: &[u8; 32],
        preshared_key: &[u8; 32],
        endpoint: Option<SocketAddr>,
    ) -> PeerId {
        let (control, data) =
            configure::new_peer(&self.control, public_key, preshared_key).unwrap();
        self.host.add_peer(*public_key, control, data, endpoint.map(Endpoint::new))
    }

    pub fn remove_peer(&mut self, peer: PeerId) {
        assert!(self.host.remove_peer(&mut self.control, peer));
    }

    pub fn set_persistent_keepalive(&mut self, peer: PeerId, interval_s: u16) {
        let now = self.host.now.instant;
        let state = AdapterState::Up;
        configure::set_persistent_keepalive(&mut self.host, peer, interval_s, state, now);
        self.settle();
    }

    pub fn stop(&mut self) {
        configure::stop(&mut self.host);
    }

    pub fn start(&mut self) {
        configure::start(&mut self.host);
        self.settle();
    }

    /// Sends a packet from the stack above.
    pub fn send(&mut self, peer: PeerId, payload: &[u8]) {
        self.host.submit(peer, payload);
        self.settle();
    }

    /// Takes a datagram from the network.
    pub fn receive(&mut self, datagram: &Datagram) {
        let from = Endpoint::new(datagram.from);
        let (bytes, now) = (&datagram.bytes, self.host.now);
        match WireGuard::classify(&bytes[..bytes.len().min(16)], bytes.len()) {
            Class::Malformed => self.host.count(Discard::Malformed),
            Class::Control => {
                self.control.control_message(&mut self.host, bytes, &from, now);
            }
            Class::Data(selector) => self.host.open(selector, bytes, from),
        }
        self.settle();
    }

    /// Does what is due, until nothing is.
    pub fn settle(&mut self) {
        let host = &self.host;
        assert!(host.handed_up.is_empty(), "handshakes are not userspace's");
        assert!(host.control_received.is_empty(), "data packets hold no control messages");
        assert_eq!(host.default_peer, None, "every receiver index is one peer's");
        for _ in 0..20 {
            let now = self.host.now;
            let due = (0..self.host.peers.len()).find(|&index| {
                self.host.peers[index]
                    .as_ref()
                    .is_some_and(|peer| peer.data.deadline() <= now.instant)
            });
            let Some(index) = due else {
                return;
            };
            let peer = PeerId { index: index as u32, generation: 0 };
            self.control.timeout(&mut self.host, peer, now);
        }
        panic!("the deadline stays due");
    }

    pub fn deadline(&self) -> Instant {
        let deadlines = self.host.peers.iter().flatten().map(|peer| peer.data.deadline());
        deadlines.min().unwrap_or(Instant::NEVER)
    }

    pub fn set_time(&mut self, now: Duration) {
        self.host.now = at(now);
    }

    pub fn count(&self, reason: Discard) -> u64 {
        self.host.counts[reason as usize]
    }

    pub fn discards(&self) -> u64 {
        self.host.counts.iter().sum()
    }

    pub fn latest_handshake(&mut self, peer: PeerId) -> Option<Duration> {
        configure::latest_handshake(&mut self.host, peer)
    }

    /// What an initiation of ours would be now.
    pub fn take_outbox(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.host.outbox)
    }
}

/// Virtual time; the wall clock started in 2020.
pub fn at(time: Duration) -> Now {
    Now { instant: Instant::ZERO.after(time), unix: Duration::from_secs(1_577_836_800) + time }
}

/// Seals payloads as a batch.
pub fn seal(context: &nic_wireguard::SealContext, payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    seal_packets::<WireGuard>(context, (), MTU, payloads)
}

/// The selector of a data packet for a receiver index.
pub fn selector(receiver: u32) -> Selector {
    Selector { receiver: ReceiverId(receiver), key: 0 }
}

/// A request for so many packets.
pub fn load(packets: u32) -> SealRequest {
    SealRequest::data(packets, 0)
}

/// Two adapters and the link between them.
pub struct Pair {
    pub a: Adapter,
    pub b: Adapter,
    /// B, as A knows it.
    pub to_b: PeerId,
    /// A, as B knows it.
    pub to_a: PeerId,
    pub now: Duration,
    /// Everything that was sent, and when.
    pub log: Vec<(Duration, Datagram)>,
    /// Which datagrams get lost.
    pub is_lost: Box<dyn FnMut(&Datagram) -> bool>,
    in_flight: VecDeque<(Duration, Datagram)>,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(TimerConstants::PAPER, NO_KEY, NO_KEY)
    }

    pub fn with(constants: TimerConstants, psk_a: [u8; 32], psk_b: [u8; 32]) -> Self {
        let mut a = Adapter::new("192.0.2.1:1001", [0x11; 32], constants);
        let mut b = Adapter::new("192.0.2.2:1002", [0x22; 32], constants);
        let to_b = a.add_peer(&b.public_key(), &psk_a, Some(b.host.address));
        let to_a = b.add_peer(&a.public_key(), &psk_b, Some(a.host.address));
        Self {
            a,
            b,
            to_b,
            to_a,
            now: Duration::from_secs(1000),
            log: Vec::new(),
            is_lost: Box::new(|_| false),
            in_flight: VecDeque::new(),
        }
    }

    /// A pair whose session A began.
    pub fn connected() -> Self {
        let mut pair = Self::new();
        pair.a.send(pair.to_b, b"hello");
        pair.run_for(millis(100));
        assert_eq!(pair.b.host.delivered.len(), 1);
        pair.b.host.delivered.clear();
        pair.log.clear();
        pair
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.collect();
            let arrival = self.in_flight.front().map(|(time, _)| *time);
            let timer = self.a.deadline().min(self.b.deadline());
            let timer = (timer != Instant::NEVER).then(|| timer.since(Instant::ZERO));
            let next = [arrival, timer].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.set_time(next.max(self.now));
            self.a.settle();
            self.b.settle();
            while self.in_flight.front().is_some_and(|(time, _)| *time <= self.now) {
                let (_, datagram) = self.in_flight.pop_front().unwrap();
                for adapter in [&mut self.a, &mut self.b] {
                    if adapter.host.address == datagram.to {
                        adapter.receive(&datagram);
                    }
                }
                self.collect();
            }
        }
        self.set_time(end);
    }

    /// Puts what was sent on the link.
    pub fn collect(&mut self) {
        for datagram in self.a.take_outbox().into_iter().chain(self.b.take_outbox()) {
            self.log.push((self.now, datagram.clone()));
            if !(self.is_lost)(&datagram) {
                self.in_flight.push_back((self.now + LATENCY, datagram));
            }
        }
    }

    /// When datagrams of this type were sent from A.
    pub fn times_from_a(&self, kind: u8) -> Vec<Duration> {
        let from = self.a.host.address;
        self.log
            .iter()
            .filter(|(_, datagram)| datagram.from == from && datagram.kind() == kind)
            .map(|(time, _)| *time)
            .collect()
    }

    /// When datagrams of this type were sent from B.
    pub fn times_from_b(&self, kind: u8) -> Vec<Duration> {
        let from = self.b.host.address;
        self.log
            .iter()
            .filter(|(_, datagram)| datagram.from == from && datagram.kind() == kind)
            .map(|(time, _)| *time)
            .collect()
    }

    fn set_time(&mut self, now: Duration) {
        self.now = now;
        self.a.set_time(now);
        self.b.set_time(now);
    }
}
