//! Two adapters and the link between them.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::{BTreeMap, VecDeque},
    vec,
    vec::Vec,
};

use nic_crypto::Processor;

use crate::{
    ControlSink, Drain, Endpoint, InnerPacket, Instant, Nic, Now, PacketQueue, Protocol,
    conformance::{Side, Subject},
    nic::{AcceptItem, NewPeer, PumpList, RxOutcome, TxBatch},
    plain::{Datagrams, Plain, PlainPacket, PlainQueue},
    protocol::{Class, Discard, Ecn, Event, OpenPacket, Opener, PeerId, SealPacket, Sealer},
    routes::Prefix,
};

/// An opened batch.
pub struct Opened<P: Protocol> {
    context: P::OpenContext,
    /// Each packet's plaintext, with what is to be judged.
    packets: Vec<(Vec<u8>, AcceptItem)>,
}

/// A datagram on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who shall get it.
    pub to: SocketAddr,
    /// Its payload.
    pub bytes: Vec<u8>,
    /// The ECN field of its IP header.
    pub ecn: Ecn,
}

/// What an adapter tells userspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Something happened.
    Event(Event),
    /// A control message was handed up.
    Datagram {
        /// Where it came from.
        from: Endpoint,
        /// Its payload.
        bytes: Vec<u8>,
    },
}

/// An adapter, as userspace configures it.
pub type Adapter<'a, P> = crate::nic::Configurator<'a, P, Plain<Opened<P>>>;

/// An adapter at one end of the link.
pub struct Node<P: Protocol> {
    /// The adapter.
    pub nic: Nic<P, Plain<Opened<P>>>,
    /// The other end as its peer.
    pub peer: PeerId,
    /// Where it is.
    pub address: SocketAddr,
    /// IP packets that have arrived, oldest first.
    pub delivered: Vec<Vec<u8>>,
    /// What it told userspace.
    pub events: Vec<Event>,
    /// What it handed up to userspace, and where each came from.
    pub handed_up: Vec<(Endpoint, Vec<u8>)>,
    /// What it sent and nobody has fetched.
    pub sent: VecDeque<Datagram>,
    side: Side,
    userspace: fn(Side, &Heard, &mut Adapter<'_, P>),
    random: Random,
}

/// Two adapters and the link between them.
pub struct Pair<T: Subject> {
    /// One end.
    pub left: Node<T::Protocol>,
    /// The other.
    pub right: Node<T::Protocol>,
    /// The time of the monotonic clock.
    pub now: Instant,
    /// What is on its way, by when it arrives.
    in_flight: BTreeMap<(Instant, u64), Datagram>,
    /// Datagrams that were ever sent.
    count: u64,
    /// Says which datagrams get lost.
    pub is_lost: fn(&Datagram) -> bool,
    /// All that was sent, lost or not.
    pub log: Vec<Datagram>,
}

impl<T: Subject> Pair<T> {
    /// Two adapters that have each other as a peer, with addresses and routes, up. No key is agreed
    /// yet.
    pub fn new() -> Self {
        let now = Instant::ZERO.after(Duration::from_secs(1000));
        Self {
            left: Node::of::<T>(Side::Left, now),
            right: Node::of::<T>(Side::Right, now),
            now,
            in_flight: BTreeMap::new(),
            count: 0,
            is_lost: |_| false,
            log: Vec::new(),
        }
    }

    /// Two adapters that have keys.
    pub fn keyed() -> Self {
        let mut pair = Self::new();
        pair.send(Side::Left, packet(Side::Left, 0, 64));
        pair.run_for(Duration::from_secs(1));
        pair.send(Side::Right, packet(Side::Right, 0, 64));
        pair.run_for(Duration::from_secs(1));
        assert_eq!((pair.left.delivered.len(), pair.right.delivered.len()), (1, 1), "no keys");
        pair.left.delivered.clear();
        pair.right.delivered.clear();
        pair.log.clear();
        pair
    }

    /// One end.
    pub const fn node(&mut self, side: Side) -> &mut Node<T::Protocol> {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    /// Lets one end send an IP packet; it leaves when time passes.
    pub fn send(&mut self, side: Side, packet: Vec<u8>) {
        let now = self.now;
        let rejected = self.node(side).submit([packet], now);
        assert_eq!(rejected, [], "a packet was refused");
    }

    /// Lets time pass: datagrams arrive, timers run out.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        // Far more steps than any test has: a protocol that never comes to rest fails here.
        for _ in 0..100_000 {
            let mut due = Instant::NEVER;
            let now = self.now;
            for side in [Side::Left, Side::Right] {
                due = due.min(self.node(side).tick(now));
                self.collect(side);
            }
            let next = self.in_flight.keys().next().map_or(Instant::NEVER, |key| key.0).min(due);
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(first) = self.in_flight.first_entry()
                && first.key().0 <= self.now
            {
                let datagram = first.remove();
                let now = self.now;
                for side in [Side::Left, Side::Right] {
                    if self.node(side).address == datagram.to {
                        self.node(side).receive(core::slice::from_ref(&datagram), now);
                        self.collect(side);
                    }
                }
            }
        }
        panic!("the adapters don't come to rest");
    }

    /// Puts what one end has sent on the link.
    fn collect(&mut self, side: Side) {
        while let Some(datagram) = self.node(side).sent.pop_front() {
            self.log.push(datagram.clone());
            if !(self.is_lost)(&datagram) {
                self.count += 1;
                self.in_flight.insert((self.now.after(LATENCY), self.count), datagram);
            }
        }
    }
}

impl<T: Subject> Default for Pair<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Protocol> Node<P> {
    /// An adapter without peers, up.
    pub fn new(side: Side, control: P::Control) -> Self {
        let control = nic_memory::boxed(control).expect("memory");
        let nic = Nic::new(control, [side as u8; 16]);
        nic.set_up(true);
        Self {
            nic,
            peer: PeerId { index: u32::MAX, generation: 0 },
            address: address(side),
            delivered: Vec::new(),
            events: Vec::new(),
            handed_up: Vec::new(),
            sent: VecDeque::new(),
            side,
            userspace: |_, _, _| {},
            random: Random(side as u64),
        }
    }

    /// An adapter with the other end as its peer, up.
    fn of<T: Subject<Protocol = P>>(side: Side, now: Instant) -> Self {
        let mut node = Self::new(side, T::control(side));
        node.userspace = T::userspace;
        node.peer = node.add_peer::<T>(side, now);
        node
    }

    /// Adds the other end as a peer.
    pub fn add_peer<T: Subject<Protocol = P>>(&mut self, side: Side, now: Instant) -> PeerId {
        self.configure(now, |configuration| {
            configuration.reserve(1, 1, 1).unwrap();
            let (key, control, data) = T::peer(side, configuration.protocol());
            let peer = configuration.add_peer(NewPeer::new(key, control, data).unwrap()).unwrap();
            assert!(configuration.set_endpoint(peer, Endpoint::new(address(side.other()))));
            for prefix in prefixes(side.other()) {
                configuration.add_route(peer, prefix).unwrap();
            }
            peer
        })
    }

    /// Removes a peer, from any thread. What the protocol still wants to say is lost.
    pub fn remove_peer(&self, peer: PeerId, now: Instant) -> bool {
        let mut random = Random(0);
        let mut sink = Sink::new(&mut random);
        self.nic.configure(wall(now), &mut sink, |configuration| configuration.remove_peer(peer))
    }

    /// Configures the adapter.
    pub fn configure<R>(&mut self, now: Instant, f: impl FnOnce(&mut Adapter<'_, P>) -> R) -> R {
        let mut sink = Sink::new(&mut self.random);
        let result = self.nic.configure(wall(now), &mut sink, f);
        let collected = sink.collected;
        self.act(collected, now);
        result
    }

    /// Lets the adapter send IP packets, and returns what it refused, with the reasons.
    pub fn submit(
        &mut self,
        packets: impl IntoIterator<Item = Vec<u8>>,
        now: Instant,
    ) -> Vec<(Vec<u8>, Discard)> {
        let mut packets: PlainQueue = packets.into_iter().map(PlainPacket::new).collect();
        let mut rejected = Vec::new();
        let mut pumps = PumpList::new();
        while !packets.is_empty() {
            self.nic.submit(&mut packets, now, &mut pumps, &mut |packet, reason| {
                rejected.push((packet.bytes, reason));
            });
            for &peer in pumps.peers() {
                self.pump(peer, now);
            }
            pumps.clear();
        }
        rejected
    }

    /// Queues IP packets without sealing any.
    pub fn queue(&self, packets: impl IntoIterator<Item = Vec<u8>>, now: Instant) {
        let mut packets: PlainQueue = packets.into_iter().map(PlainPacket::new).collect();
        self.nic.submit(&mut packets, now, &mut PumpList::new(), &mut |_, reason| {
            panic!("a packet was refused: {reason:?}");
        });
    }

    /// Takes a batch.
    pub fn begin_seal(&self, now: Instant) -> Option<TxBatch<P, Plain<Opened<P>>>> {
        self.nic.begin_seal(self.peer, now, &mut |_, _| {}).batch
    }

    /// Seals and sends what a peer has queued.
    pub fn pump(&mut self, peer: PeerId, now: Instant) {
        while let Some(batch) = self.nic.begin_seal(peer, now, &mut |_, _| {}).batch {
            let sealed = self.seal(
                batch.packets,
                batch.message.as_deref().unwrap_or_default(),
                &batch.context,
                batch.framing,
            );
            if self.nic.finish_seal(peer, batch.ticket, sealed) == Drain::Required {
                self.send(peer, now);
            }
        }
    }

    /// Seals a batch's packets.
    pub fn seal(
        &self,
        mut packets: PlainQueue,
        message: &[u8],
        context: &P::SealContext,
        framing: P::Framing,
    ) -> Datagrams {
        let mut payloads: Vec<Vec<u8>> =
            core::iter::from_fn(|| packets.pop_front()).map(|packet| packet.bytes).collect();
        if payloads.is_empty() {
            payloads.push(message.to_vec());
        }
        let mut datagrams: Datagrams = payloads
            .iter()
            .map(|payload| vec![0xaa; self.nic.datagram_bytes(framing, payload, payload.len())])
            .collect();
        // In two parts, as different threads might; and from fragments, as memory may lie.
        let first = payloads.len() / 2;
        let mut fragments: Vec<[&[u8]; 2]> = Vec::new();
        for payload in &payloads {
            let (front, back) = payload.split_at(payload.len() / 3);
            fragments.push([front, back]);
        }
        let mut jobs: Vec<SealPacket<'_>> = fragments
            .iter()
            .zip(&mut datagrams)
            .map(|(source, datagram)| SealPacket {
                source,
                payload_bytes: source.iter().map(|part| part.len()).sum(),
                datagram,
            })
            .collect();
        let (early, late) = jobs.split_at_mut(first);
        context.seal(Processor::PORTABLE.base(), first as u32, late);
        context.seal(Processor::PORTABLE.base(), 0, early);
        datagrams
    }

    /// Sends what is sealed and has its turn.
    pub fn send(&mut self, peer: PeerId, now: Instant) {
        while let Some(next) = self.nic.next_to_send(peer, now) {
            let bytes: usize = next.sealed.iter().map(Vec::len).sum();
            assert_eq!(bytes, next.batch.bytes, "the batch said otherwise");
            for bytes in next.sealed {
                let (from, to) = (self.address, next.endpoint.remote);
                self.sent.push_back(Datagram { from, to, bytes, ecn: Ecn::NotEct });
            }
            self.nic.send_completed(peer, &next.batch, true, now);
        }
    }

    /// Receives datagrams that arrive together.
    pub fn receive(&mut self, datagrams: &[Datagram], now: Instant) {
        for datagram in datagrams {
            match self.nic.classify(&datagram.bytes, datagram.bytes.len()) {
                Class::Malformed => {}
                Class::Control => {
                    let mut sink = Sink::new(&mut self.random);
                    let from = Endpoint::new(datagram.from);
                    if self.nic.validate_address(&datagram.bytes, &from, now).is_err() {
                        continue;
                    }
                    self.nic.control_message(&datagram.bytes, &from, wall(now), &mut sink);
                    let collected = sink.collected;
                    self.act(collected, now);
                }
                Class::Data(selector) => {
                    let Ok(batch) = self.nic.begin_open(selector, 1, now) else {
                        continue;
                    };
                    let opened =
                        self.open(batch.peer, core::slice::from_ref(datagram), batch.context);
                    if self.nic.finish_open(batch.peer, batch.ticket, opened) == Drain::Required {
                        self.indicate(batch.peer, now);
                    }
                }
            }
        }
    }

    /// Opens datagrams of one context.
    pub fn open(&self, peer: PeerId, datagrams: &[Datagram], context: P::OpenContext) -> Opened<P> {
        let mut outputs: Vec<Vec<u8>> = datagrams
            .iter()
            .map(|datagram| vec![0xbb; P::payload_capacity(datagram.bytes.len())])
            .collect();
        let fragments: Vec<[&[u8]; 2]> = datagrams
            .iter()
            .map(|datagram| datagram.bytes.split_at(datagram.bytes.len() / 2).into())
            .collect();
        let mut jobs: Vec<OpenPacket<'_>> = fragments
            .iter()
            .zip(&mut outputs)
            .map(|(source, output)| OpenPacket {
                source,
                datagram_bytes: source.iter().map(|part| part.len()).sum(),
                output,
                result: None,
            })
            .collect();
        context.open(Processor::PORTABLE.base(), &mut jobs);
        let results: Vec<_> = jobs.into_iter().map(|job| job.result).collect();
        let mut packets = Vec::new();
        let mut forged = 0;
        for ((result, output), datagram) in results.into_iter().zip(outputs).zip(datagrams) {
            let Some(packet) = result else {
                forged += 1;
                continue;
            };
            packets.push((
                output[..packet.payload_bytes].to_vec(),
                AcceptItem {
                    packet,
                    from: Endpoint::new(datagram.from),
                    datagram_bytes: datagram.bytes.len(),
                    outer_ecn: datagram.ecn,
                    inner: InnerPacket::parse(&output, packet.payload_bytes),
                    outcome: RxOutcome::Dropped(Discard::Malformed),
                },
            ));
        }
        self.nic.count_forged(peer, &context, forged);
        Opened { context, packets }
    }

    /// Accepts what is opened and has its turn.
    pub fn indicate(&mut self, peer: PeerId, now: Instant) {
        let delivered = &mut self.delivered;
        let mut messages = Vec::new();
        accept_all(&self.nic, peer, now, &mut |item, bytes| match item.outcome {
            RxOutcome::Control => messages.push((item.from, bytes)),
            _ => delivered.push(bytes),
        });
        for (from, message) in messages {
            let mut sink = Sink::new(&mut self.random);
            self.nic.authenticated_message(peer, &message, &from, wall(now), &mut sink);
            let collected = sink.collected;
            self.act(collected, now);
        }
    }

    /// How many packets it dropped for a reason.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.nic.totals().discarded(reason)
    }

    /// Does what is due, and returns when to come again.
    pub fn tick(&mut self, now: Instant) -> Instant {
        // A driver would call again at once where peers are left.
        loop {
            let mut sink = Sink::new(&mut self.random);
            let due = self.nic.tick(wall(now), &mut sink);
            let collected = sink.collected;
            self.act(collected, now);
            if due > now {
                return due;
            }
        }
    }

    /// Does what the control plane wanted.
    fn act(&mut self, collected: Collected, now: Instant) {
        for (to, bytes) in collected.datagrams {
            self.sent.push_back(Datagram { from: self.address, to, bytes, ecn: Ecn::NotEct });
        }
        for heard in collected.heard {
            let (side, userspace) = (self.side, self.userspace);
            self.configure(now, |adapter| userspace(side, &heard, adapter));
            match heard {
                Heard::Event(event) => self.events.push(event),
                Heard::Datagram { from, bytes } => self.handed_up.push((from, bytes)),
            }
        }
        for peer in collected.pumps {
            self.pump(peer, now);
        }
    }
}

/// Accepts what is opened and has its turn, from any thread.
pub(super) fn accept_all<P: Protocol>(
    nic: &Nic<P, Plain<Opened<P>>>,
    peer: PeerId,
    now: Instant,
    deliver: &mut dyn FnMut(&AcceptItem, Vec<u8>),
) {
    while let Some(Opened { context, mut packets }) = nic.next_to_indicate(peer) {
        let mut items: Vec<AcceptItem> = packets.iter().map(|(_, item)| *item).collect();
        nic.accept(peer, &context, &mut items, now);
        for ((bytes, _), item) in packets.iter_mut().zip(items) {
            match item.outcome {
                RxOutcome::Deliver { total_bytes, ecn } => {
                    bytes.truncate(total_bytes);
                    mark(bytes, ecn);
                    deliver(&item, core::mem::take(bytes));
                }
                RxOutcome::Control => deliver(&item, core::mem::take(bytes)),
                RxOutcome::Consumed | RxOutcome::Dropped(_) => {}
            }
        }
    }
}

/// Sets the ECN field of an IP packet; the checksum of its header is left as it is.
fn mark(packet: &mut [u8], ecn: Ecn) {
    let [first, second, ..] = packet else { return };
    match *first >> 4 {
        4 => *second = *second & !0b11 | ecn as u8,
        _ => *second = *second & !0b11_0000 | (ecn as u8) << 4,
    }
}

/// An IP packet of one side, IPv4 for even numbers and IPv6 for odd ones, which carries its number.
pub fn packet(from: Side, number: u32, length: usize) -> Vec<u8> {
    let mut packet = vec![number as u8; length.max(44)];
    let length = packet.len() as u16;
    if number.is_multiple_of(2) {
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet[12..20].copy_from_slice(&[10, 0, from as u8, 1, 10, 0, from.other() as u8, 1]);
    } else {
        packet[0] = 0x60;
        packet[4..6].copy_from_slice(&(length - 40).to_be_bytes());
        packet[8..40].fill(0);
        for (at, side) in [(8, from), (24, from.other())] {
            packet[at] = 0xfd;
            packet[at + 1] = side as u8;
        }
    }
    packet[40..44].copy_from_slice(&number.to_be_bytes());
    packet
}

/// The number that a packet carries.
pub(super) fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[40..44].try_into().unwrap())
}

/// What a side's adapter may send from.
fn prefixes(side: Side) -> [Prefix; 2] {
    let v4 = core::net::Ipv4Addr::new(10, 0, side as u8, 0);
    let v6 = core::net::Ipv6Addr::new(0xfd00 | side as u16, 0, 0, 0, 0, 0, 0, 0);
    [Prefix { address: v4.into(), length: 24 }, Prefix { address: v6.into(), length: 16 }]
}

fn address(side: Side) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1 + side as u8], 51820))
}

pub(super) fn wall(now: Instant) -> Now {
    let unix = Duration::from_secs(1_800_000_000) + now.since(Instant::ZERO);
    Now { instant: now, unix }
}

/// What a control plane wants.
#[derive(Default)]
struct Collected {
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
    pumps: Vec<PeerId>,
    heard: Vec<Heard>,
}

struct Sink<'a> {
    random: &'a mut Random,
    collected: Collected,
}

impl<'a> Sink<'a> {
    fn new(random: &'a mut Random) -> Self {
        Self { random, collected: Collected::default() }
    }
}

impl ControlSink for Sink<'_> {
    fn send(&mut self, _: Option<PeerId>, to: &Endpoint, datagram: &[u8]) -> bool {
        self.collected.datagrams.push((to.remote, datagram.to_vec()));
        true
    }

    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool {
        self.collected.heard.push(Heard::Datagram { from: *from, bytes: datagram.to_vec() });
        true
    }

    fn pump(&mut self, peer: PeerId) {
        self.collected.pumps.push(peer);
    }

    fn event(&mut self, event: Event) {
        self.collected.heard.push(Heard::Event(event));
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        bytes.fill_with(|| self.random.next() as u8);
        true
    }

    fn is_under_load(&self) -> bool {
        false
    }
}

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }
}

const LATENCY: Duration = Duration::from_millis(10);
