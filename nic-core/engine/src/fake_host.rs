//! A [`ControlHost`] without an engine, for tests and measurements of one protocol's control plane.

use core::{net::SocketAddr, time::Duration};
use std::{
    collections::{HashMap, VecDeque},
    vec,
    vec::Vec,
};

use nic_crypto::Processor;

use crate::{
    ControlHost, Endpoint, Instant, Now, PeerName, Protocol,
    protocol::{
        ClaimError, Content, ControlPlane, DataPlane, Discard, Disposition, Event, OpenPacket,
        Opener, PeerId, ReceiverId, SealPacket, SealRequest, Sealer, Selector, SentPackets,
    },
};

/// The host of one adapter: peers in a vector, and all that the protocol has asked for.
///
/// It is stricter than the engine: a receiver ID that is released twice is a panic.
pub struct FakeHost<P: Protocol> {
    /// The adapter's own address.
    pub address: SocketAddr,
    /// The time at which packets are sealed and opened.
    pub now: Now,
    /// The bound of padding.
    pub mtu_bytes: usize,
    /// By index; `None` where one was removed.
    pub peers: Vec<Option<FakePeer<P>>>,
    /// The assigned receiver IDs.
    pub receivers: HashMap<u32, PeerId>,
    /// The peer that receives what has an unassigned receiver ID.
    pub default_peer: Option<PeerId>,
    /// Everything that was sent, oldest first.
    pub outbox: Vec<FakeDatagram>,
    /// The payloads that were received and are not control messages.
    pub delivered: Vec<Vec<u8>>,
    /// Keepalives that were received.
    pub keepalives_received: usize,
    /// Control messages that were received in data packets.
    pub control_received: Vec<(PeerId, Vec<u8>)>,
    /// Control messages for userspace.
    pub handed_up: Vec<(Endpoint, Vec<u8>)>,
    /// Events for userspace.
    pub events: Vec<Event>,
    /// Discarded messages and packets, by `Discard as usize`.
    pub counts: [u64; Discard::COUNT],
    /// The answer of [`ControlHost::is_under_load`].
    pub is_under_load: bool,
    /// Whether there are random bytes.
    pub has_random: bool,
    /// Whether data packets are only noted as sent, and not sealed: for measurements of the control
    /// plane.
    pub skips_sealing: bool,
    /// Packets that [`ControlHost::drop_queued`] dropped.
    pub dropped: usize,
    /// Calls of [`ControlHost::clear_local_address`].
    pub local_addresses_cleared: usize,
    /// The seed of the random bytes.
    pub random: u64,
}

/// A peer.
pub struct FakePeer<P: Protocol> {
    /// Its name.
    pub name: PeerName,
    /// Its control state.
    pub control: P::PeerControl,
    /// Its data state.
    pub data: P::PeerData,
    /// Its endpoint.
    pub endpoint: Option<Endpoint>,
    /// Payloads that wait to be sealed.
    pub queue: VecDeque<Vec<u8>>,
    /// Bytes of its authentic datagrams.
    pub received_bytes: usize,
}

/// A datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeDatagram {
    /// The source address.
    pub from: SocketAddr,
    /// The destination address.
    pub to: SocketAddr,
    /// The UDP payload.
    pub bytes: Vec<u8>,
}

impl FakeDatagram {
    /// The first byte: the message type of most protocols.
    pub fn kind(&self) -> u8 {
        self.bytes[0]
    }
}

impl<P: Protocol> FakeHost<P> {
    /// A host without peers, an hour after the start of its clocks.
    pub fn new(address: SocketAddr, random: u64) -> Self {
        Self {
            address,
            now: Now {
                instant: Instant::ZERO.after(Duration::from_secs(3600)),
                unix: Duration::from_secs(3600),
            },
            mtu_bytes: 1420,
            peers: Vec::new(),
            receivers: HashMap::new(),
            default_peer: None,
            outbox: Vec::new(),
            delivered: Vec::new(),
            keepalives_received: 0,
            control_received: Vec::new(),
            handed_up: Vec::new(),
            events: Vec::new(),
            counts: [0; Discard::COUNT],
            is_under_load: false,
            has_random: true,
            skips_sealing: false,
            dropped: 0,
            local_addresses_cleared: 0,
            random,
        }
    }

    /// Adds a peer. The control plane is not told.
    pub fn add_peer(
        &mut self,
        name: PeerName,
        control: P::PeerControl,
        data: P::PeerData,
        endpoint: Option<Endpoint>,
    ) -> PeerId {
        let index = self.peers.len() as u32;
        let (queue, received_bytes) = (VecDeque::new(), 0);
        self.peers.push(Some(FakePeer { name, control, data, endpoint, queue, received_bytes }));
        PeerId { index, generation: 0 }
    }

    /// A peer that exists.
    pub fn peer(&mut self, peer: PeerId) -> &mut FakePeer<P> {
        self.get_mut(peer).expect("the peer exists")
    }

    /// Queues a payload for a peer, and seals what is queued if there is a key.
    pub fn submit(&mut self, peer: PeerId, payload: &[u8]) {
        self.peer(peer).queue.push_back(payload.to_vec());
        self.send_queued(peer);
    }

    /// Opens a data packet and delivers it.
    pub fn open(&mut self, selector: Selector, bytes: &[u8], from: Endpoint) {
        let now = self.now.instant;
        let Some(id) = self.peer_by_receiver(selector.receiver) else {
            return self.count(Discard::UnknownContext);
        };
        let peer = self.peer(id);
        let Some(context) = peer.data.begin_open(selector, now) else {
            return self.count(Discard::UnknownContext);
        };
        // In one fragment or in three, as an MDL chain may be.
        let cut = bytes.len() / 3;
        let whole = [bytes];
        let fragments = [&bytes[..cut], &bytes[cut..cut], &bytes[cut..]];
        let source: &[&[u8]] = if bytes.len().is_multiple_of(2) { &whole } else { &fragments };
        let mut output = vec![0xee; P::payload_capacity(bytes.len())];
        let mut packets =
            [OpenPacket { source, datagram_bytes: bytes.len(), output: &mut output, result: None }];
        context.open(Processor::PORTABLE.base(), &mut packets);
        let Some(opened) = packets[0].result else {
            peer.data.authentication_failed(&context, 1);
            return self.count(Discard::Forged);
        };
        let disposition = peer.data.accept(&context, &opened, now);
        if disposition == Disposition::Replayed {
            return self.count(Discard::Replayed);
        }
        if peer.data.roams() {
            peer.endpoint = Some(from);
        }
        peer.received_bytes += bytes.len();
        output.truncate(opened.payload_bytes);
        match disposition {
            Disposition::Deliver => self.delivered.push(output),
            Disposition::Control => self.control_received.push((id, output)),
            Disposition::Consumed | Disposition::Replayed => self.keepalives_received += 1,
        }
    }

    /// Seals a batch and sends it. Returns false if there is no key.
    fn seal(&mut self, id: PeerId, request: SealRequest, payloads: &[Vec<u8>]) -> bool {
        let (now, mtu_bytes, skips_sealing) =
            (self.now.instant, self.mtu_bytes, self.skips_sealing);
        let peer = self.peer(id);
        let framing = peer.data.framing();
        let context = if skips_sealing {
            None
        } else {
            let Ok(context) = peer.data.begin_seal(request, now) else {
                return false;
            };
            Some(context)
        };
        let sent = match request.content {
            Content::Data => {
                SentPackets { data_packets: request.packets, ..SentPackets::default() }
            }
            Content::Keepalive => SentPackets { keepalives: 1, ..SentPackets::default() },
            Content::Control => SentPackets { control_messages: 1, ..SentPackets::default() },
        };
        peer.data.sent(sent, now);
        let to = peer.endpoint;
        if let Some(context) = context {
            for bytes in seal_packets::<P>(&context, framing, mtu_bytes, payloads) {
                if let Some(to) = to {
                    self.outbox.push(FakeDatagram { from: self.address, to: to.remote, bytes });
                }
            }
        }
        true
    }

    fn get(&self, peer: PeerId) -> Option<&FakePeer<P>> {
        self.peers.get(peer.index as usize)?.as_ref()
    }

    fn get_mut(&mut self, peer: PeerId) -> Option<&mut FakePeer<P>> {
        self.peers.get_mut(peer.index as usize)?.as_mut()
    }
}

/// Seals payloads as one batch, each from three fragments.
pub fn seal_packets<P: Protocol>(
    context: &P::SealContext,
    framing: P::Framing,
    mtu_bytes: usize,
    payloads: &[Vec<u8>],
) -> Vec<Vec<u8>> {
    let mut datagrams: Vec<Vec<u8>> = payloads
        .iter()
        .map(|payload| vec![0xee; P::datagram_bytes(framing, payload.len(), mtu_bytes)])
        .collect();
    let fragments: Vec<[&[u8]; 3]> = payloads
        .iter()
        .map(|payload| {
            let (front, back) = payload.split_at(payload.len() / 3);
            [front, &[], back]
        })
        .collect();
    let mut packets: Vec<SealPacket<'_>> = fragments
        .iter()
        .zip(payloads)
        .zip(&mut datagrams)
        .map(|((source, payload), datagram)| {
            let payload_bytes = payload.len();
            SealPacket { source, payload_bytes, datagram }
        })
        .collect();
    context.seal(Processor::PORTABLE.base(), 0, &mut packets);
    datagrams
}

impl<P: Protocol> ControlHost<P> for FakeHost<P> {
    fn peer_by_name(&self, name: &PeerName) -> Option<PeerId> {
        let mut peers = self.peers.iter();
        let index = peers.position(|peer| peer.as_ref().is_some_and(|peer| peer.name == *name))?;
        Some(PeerId { index: index as u32, generation: 0 })
    }

    fn next_peer(&self, after: Option<PeerId>) -> Option<PeerId> {
        let first = after.map_or(0, |peer| peer.index as usize + 1);
        let index = (first..self.peers.len()).find(|&index| self.peers[index].is_some())?;
        Some(PeerId { index: index as u32, generation: 0 })
    }

    fn peer_by_receiver(&self, receiver: ReceiverId) -> Option<PeerId> {
        self.receivers.get(&receiver.0).copied().or(self.default_peer)
    }

    fn peer_control(&mut self, peer: PeerId) -> Option<&mut P::PeerControl> {
        Some(&mut self.get_mut(peer)?.control)
    }

    fn with_peer_data(&mut self, peer: PeerId, f: &mut dyn FnMut(&mut P::PeerData)) -> bool {
        self.get_mut(peer).map(|peer| f(&mut peer.data)).is_some()
    }

    fn allocate_receiver(&mut self, peer: PeerId) -> Option<ReceiverId> {
        let mut bytes = [0; 4];
        self.fill_random(&mut bytes);
        let receiver = u32::from_le_bytes(bytes);
        assert_eq!(self.receivers.insert(receiver, peer), None, "drawn twice");
        Some(ReceiverId(receiver))
    }

    fn claim_receiver(&mut self, peer: PeerId, receiver: ReceiverId) -> Result<(), ClaimError> {
        if self.receivers.contains_key(&receiver.0) {
            return Err(ClaimError::Taken);
        }
        self.receivers.insert(receiver.0, peer);
        Ok(())
    }

    fn release_receiver(&mut self, receiver: ReceiverId) {
        assert!(self.receivers.remove(&receiver.0).is_some(), "released twice");
    }

    fn set_default_peer(&mut self, peer: Option<PeerId>) {
        self.default_peer = peer;
    }

    fn name(&self, peer: PeerId) -> Option<PeerName> {
        Some(self.get(peer)?.name)
    }

    fn remove_peer(&mut self, control: &mut P::Control, peer: PeerId) -> bool {
        if self.get(peer).is_none() {
            return false;
        }
        control.peer_removed(self, peer);
        self.peers[peer.index as usize] = None;
        true
    }

    fn endpoint(&self, peer: PeerId) -> Option<Endpoint> {
        self.get(peer)?.endpoint
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
        let endpoint = self.endpoint(peer);
        if let Some(endpoint) = &endpoint {
            self.reply(endpoint, datagram);
        }
        endpoint.is_some()
    }

    fn send_sealed(&mut self, peer: PeerId, message: &[u8]) -> bool {
        self.seal(peer, SealRequest::control(message.len()), &[message.to_vec()])
    }

    fn hand_up(&mut self, from: &Endpoint, datagram: &[u8]) -> bool {
        self.handed_up.push((*from, datagram.to_vec()));
        true
    }

    fn reply(&mut self, to: &Endpoint, datagram: &[u8]) {
        let bytes = datagram.to_vec();
        self.outbox.push(FakeDatagram { from: self.address, to: to.remote, bytes });
    }

    fn received(&mut self, peer: PeerId, datagram_bytes: usize) {
        self.peer(peer).received_bytes += datagram_bytes;
    }

    fn send_queued(&mut self, peer: PeerId) -> bool {
        let queue: Vec<_> = core::mem::take(&mut self.peer(peer).queue).into();
        if queue.is_empty() {
            return false;
        }
        let payload_bytes = queue.iter().map(Vec::len).sum();
        let request = SealRequest::data(queue.len() as u32, payload_bytes);
        if !self.seal(peer, request, &queue) {
            self.peer(peer).queue = queue.into();
        }
        true
    }

    fn send_keepalive(&mut self, peer: PeerId) {
        self.seal(peer, SealRequest::keepalive(), &[Vec::new()]);
    }

    fn drop_queued(&mut self, peer: PeerId) {
        self.dropped += core::mem::take(&mut self.peer(peer).queue).len();
    }

    fn is_under_load(&self) -> bool {
        self.is_under_load
    }

    fn fill_random(&mut self, bytes: &mut [u8]) -> bool {
        for byte in bytes {
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
