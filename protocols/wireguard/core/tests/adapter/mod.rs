//! A small adapter to run the module in, and a link between two of them, with virtual time.
#![allow(dead_code, reason = "each test file uses its part")]
#![expect(unreachable_pub, reason = "a module of each test crate")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use nic_engine::protocol::{
    ClaimError, Class, ControlPlane, DataPlane, Discard, Disposition, Event, OpenPacket, Opener,
    PeerId, ReceiverId, SealPacket, SealRequest, Sealer, Selector, SentPackets,
};
use nic_engine::{ControlHost, Endpoint, Instant, Now, PeerName, Protocol};
use nic_wireguard::configure::{self, AdapterState};
use nic_wireguard::{Control, PeerControl, PeerData, TimerConstants, WireGuard};

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

/// What surrounds the module.
pub struct Host {
    pub address: SocketAddr,
    pub now: Now,
    pub peers: Vec<Option<Peer>>,
    pub receivers: HashMap<u32, PeerId>,
    pub outbox: Vec<Datagram>,
    pub delivered: Vec<Vec<u8>>,
    pub keepalives_received: usize,
    pub events: Vec<Event>,
    pub counts: [u64; Discard::COUNT],
    pub is_under_load: bool,
    pub has_random: bool,
    pub dropped: usize,
    pub local_addresses_cleared: usize,
    random: u64,
}

pub struct Peer {
    pub control: PeerControl,
    pub data: PeerData,
    pub endpoint: Option<Endpoint>,
    pub queue: VecDeque<Vec<u8>>,
    pub received_bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Datagram {
    pub fn kind(&self) -> u8 {
        self.bytes[0]
    }
}

impl Adapter {
    pub fn new(address: &str, private_key: [u8; 32], constants: TimerConstants) -> Self {
        let mut adapter = Self {
            control: Control::new(constants),
            host: Host {
                address: address.parse().unwrap(),
                now: at(Duration::from_secs(1000)),
                peers: Vec::new(),
                receivers: HashMap::new(),
                outbox: Vec::new(),
                delivered: Vec::new(),
                keepalives_received: 0,
                events: Vec::new(),
                counts: [0; Discard::COUNT],
                is_under_load: false,
                has_random: true,
                dropped: 0,
                local_addresses_cleared: 0,
                random: u64::from_le_bytes(private_key[..8].try_into().unwrap()),
            },
        };
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
        let index = self.host.peers.len();
        self.host.peers.push(Some(Peer {
            control,
            data,
            endpoint: endpoint.map(Endpoint::new),
            queue: VecDeque::new(),
            received_bytes: 0,
        }));
        PeerId { index: index as u32, generation: 0 }
    }

    pub fn remove_peer(&mut self, peer: PeerId) {
        self.control.peer_removed(&mut self.host, peer);
        self.host.peers[peer.index as usize] = None;
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
        self.host.peer(peer).queue.push_back(payload.to_vec());
        self.host.flush(peer);
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

impl Host {
    pub fn peer(&mut self, peer: PeerId) -> &mut Peer {
        self.peers[peer.index as usize].as_mut().expect("peer exists")
    }

    fn flush(&mut self, id: PeerId) -> bool {
        let now = self.now.instant;
        let peer = self.peers[id.index as usize].as_mut().unwrap();
        if peer.queue.is_empty() {
            return false;
        }
        let Ok(context) = peer.data.begin_seal(load(peer.queue.len() as u32), now) else {
            return true;
        };
        let payloads: Vec<Vec<u8>> = peer.queue.drain(..).collect();
        let datagrams = seal(&context, &payloads);
        let data_packets = payloads.len() as u32;
        peer.data.sent(SentPackets { data_packets, ..SentPackets::default() }, now);
        for bytes in datagrams {
            self.transmit(id, bytes);
        }
        true
    }

    fn transmit(&mut self, peer: PeerId, bytes: Vec<u8>) -> bool {
        let from = self.address;
        let Some(endpoint) = self.peer(peer).endpoint else {
            return false;
        };
        self.outbox.push(Datagram { from, to: endpoint.remote, bytes });
        true
    }

    fn open(&mut self, selector: Selector, bytes: &[u8], from: Endpoint) {
        let now = self.now.instant;
        let Some(&id) = self.receivers.get(&selector.receiver.0) else {
            return self.count(Discard::UnknownContext);
        };
        let peer = self.peer(id);
        let Some(open) = peer.data.begin_open(selector, now) else {
            return self.count(Discard::UnknownContext);
        };
        // Cut in odd places, as MDL chains are.
        let cut = bytes.len() / 3;
        let whole = [bytes];
        let pieces = [&bytes[..cut], &bytes[cut..cut], &bytes[cut..]];
        let source: &[&[u8]] = if bytes.len().is_multiple_of(2) { &whole } else { &pieces };
        let mut output = vec![0xee; WireGuard::payload_capacity(bytes.len())];
        let mut packets =
            [OpenPacket { source, datagram_bytes: bytes.len(), output: &mut output, result: None }];
        open.open(&mut packets);
        let Some(opened) = packets[0].result else {
            return self.count(Discard::Forged);
        };
        match peer.data.accept(&open, &opened, now) {
            Disposition::Replayed => return self.count(Discard::Replayed),
            Disposition::Deliver => {
                output.truncate(opened.payload_bytes);
                self.delivered.push(output);
            }
            Disposition::Consumed => self.keepalives_received += 1,
            Disposition::Control => {
                unreachable!("WireGuard has no control messages in data packets")
            }
        }
        let peer = self.peer(id);
        peer.endpoint = Some(from);
        peer.received_bytes += bytes.len();
    }
}

/// Seals payloads as a batch.
pub fn seal(context: &nic_wireguard::SealContext, payloads: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = payloads
        .iter()
        .map(|payload| vec![0xee; WireGuard::datagram_bytes((), payload.len(), MTU)])
        .collect();
    let pieces: Vec<[&[u8]; 3]> = payloads
        .iter()
        .map(|payload| {
            let cut = payload.len() / 3;
            [&payload[..cut], &[], &payload[cut..]]
        })
        .collect();
    let mut packets: Vec<SealPacket<'_>> = pieces
        .iter()
        .zip(payloads)
        .zip(&mut datagrams)
        .map(|((source, payload), datagram)| SealPacket {
            source,
            payload_bytes: payload.len(),
            datagram,
        })
        .collect();
    context.seal(0, &mut packets);
    datagrams
}

/// What a data packet for a receiver asks for.
pub fn selector(receiver: u32) -> Selector {
    Selector { receiver: ReceiverId(receiver), key: 0 }
}

/// So many packets of no matter which length.
pub fn load(packets: u32) -> SealRequest {
    SealRequest::data(packets, 0)
}

impl ControlHost<WireGuard> for Host {
    fn peer_by_name(&self, public_key: &PeerName) -> Option<PeerId> {
        let index = self
            .peers
            .iter()
            .position(|peer| peer.as_ref().is_some_and(|p| p.control.public_key() == public_key))?;
        Some(PeerId { index: index as u32, generation: 0 })
    }

    fn peer_by_receiver(&self, receiver: ReceiverId) -> Option<PeerId> {
        self.receivers.get(&receiver.0).copied()
    }

    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId> {
        let first = after.map_or(0, |peer| peer.index as usize + 1);
        let index = (first..self.peers.len()).find(|&index| self.peers[index].is_some())?;
        Some(PeerId { index: index as u32, generation: 0 })
    }

    fn peer_control(&mut self, peer: PeerId) -> Option<&mut PeerControl> {
        Some(&mut self.peers[peer.index as usize].as_mut()?.control)
    }

    fn with_peer_data(&mut self, peer: PeerId, f: &mut dyn FnMut(&mut PeerData)) -> bool {
        let peer = self.peers[peer.index as usize].as_mut();
        peer.map(|peer| f(&mut peer.data)).is_some()
    }

    fn claim_receiver(&mut self, _: PeerId, _: ReceiverId) -> Result<(), ClaimError> {
        unreachable!("WireGuard draws its receiver indices")
    }

    fn set_default_peer(&mut self, _: Option<PeerId>) {
        unreachable!("WireGuard has no default peer")
    }

    fn name(&self, _: PeerId) -> Option<PeerName> {
        unreachable!("WireGuard knows its peers by their keys")
    }

    fn remove_peer(&mut self, _: &mut Control, _: PeerId) -> bool {
        unreachable!("WireGuard removes nobody")
    }

    fn send_sealed(&mut self, _: PeerId, _: &[u8]) -> bool {
        unreachable!("WireGuard has no control messages in data packets")
    }

    fn hand_up(&mut self, _: &Endpoint, _: &[u8]) -> bool {
        unreachable!("WireGuard's handshakes are its own")
    }

    fn allocate_receiver(&mut self, peer: PeerId) -> Option<ReceiverId> {
        let mut bytes = [0; 4];
        self.fill_random(&mut bytes);
        let receiver = u32::from_le_bytes(bytes);
        assert_eq!(self.receivers.insert(receiver, peer), None);
        Some(ReceiverId(receiver))
    }

    fn release_receiver(&mut self, receiver: ReceiverId) {
        assert!(self.receivers.remove(&receiver.0).is_some(), "released twice");
    }

    fn endpoint(&self, peer: PeerId) -> Option<Endpoint> {
        self.peers[peer.index as usize].as_ref()?.endpoint
    }

    fn set_endpoint(&mut self, peer: PeerId, endpoint: &Endpoint) {
        self.peer(peer).endpoint = Some(*endpoint);
        self.events.push(Event::EndpointMoved(peer));
    }

    fn clear_local_address(&mut self, peer: PeerId) {
        self.local_addresses_cleared += 1;
        if let Some(endpoint) = &mut self.peer(peer).endpoint {
            endpoint.local = None;
        }
    }

    fn send(&mut self, peer: PeerId, datagram: &[u8]) -> bool {
        self.transmit(peer, datagram.to_vec())
    }

    fn reply(&mut self, to: &Endpoint, datagram: &[u8]) {
        let from = self.address;
        self.outbox.push(Datagram { from, to: to.remote, bytes: datagram.to_vec() });
    }

    fn received(&mut self, peer: PeerId, datagram_bytes: usize) {
        self.peer(peer).received_bytes += datagram_bytes;
    }

    fn send_queued(&mut self, peer: PeerId) -> bool {
        self.flush(peer)
    }

    fn send_keepalive(&mut self, peer: PeerId) {
        let now = self.now.instant;
        let data = &mut self.peer(peer).data;
        if let Ok(context) = data.begin_seal(load(1), now) {
            data.sent(SentPackets { keepalives: 1, ..SentPackets::default() }, now);
            let bytes = seal(&context, &[Vec::new()]).remove(0);
            self.transmit(peer, bytes);
        }
    }

    fn drop_queued(&mut self, peer: PeerId) {
        let queue = &mut self.peer(peer).queue;
        let dropped = queue.len();
        queue.clear();
        self.dropped += dropped;
    }

    fn is_under_load(&self) -> bool {
        self.is_under_load
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        for byte in bytes.iter_mut() {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(12345);
            *byte = (self.random >> 56) as u8;
        }
        self.has_random
    }

    fn count(&mut self, reason: Discard) {
        self.counts[reason as usize] += 1;
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
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
