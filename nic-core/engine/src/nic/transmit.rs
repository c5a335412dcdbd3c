//! The transmit path: submit, seal, send.

use alloc::boxed::Box;

use crate::{
    Endpoint, Instant, LocalAddress, Mtu, Packet, PacketQueue, Protocol, System,
    inner_packet::InnerPacket,
    nic::Nic,
    path::IsOpen,
    peer::{Peer, SealedBatch},
    protocol::{DataPlane, Discard, PeerId, SealRequest, SentPackets},
    resequencer::{Drain, SequenceTicket},
};

/// Peers with packets to send. The caller calls [`Nic::begin_seal`] for each until it returns no
/// batch.
#[derive(Debug)]
pub struct PumpList {
    peers: [PeerId; Self::CAPACITY],
    length: usize,
}

/// A batch to be sealed, if there is one.
pub struct NextTxBatch<P: Protocol, S: System> {
    /// The batch; `None` where nothing waits, nothing more may be in flight, or there is no key.
    /// All that is told again: by [`Nic::submit`], [`Nic::send_completed`], and the control
    /// plane's pump.
    pub batch: Option<TxBatch<P, S>>,
    /// The control thread has to look at once: a key is wanted, or a timer was set.
    pub control_due: bool,
}

/// Packets of one peer that are sealed under one key.
pub struct TxBatch<P: Protocol, S: System> {
    /// Whose.
    pub peer: PeerId,
    /// To be given back by [`Nic::finish_seal`] or [`Nic::abandon_seal`], in any order.
    pub ticket: TxTicket,
    /// The key and the counters, one for each packet.
    pub context: P::SealContext,
    /// The packets, in order. If there are none, the batch is one packet with the payload
    /// `message`, or a keepalive.
    pub packets: S::Queue,
    /// The payload of a control message; `None` for packets or a keepalive.
    pub message: Option<Box<[u8]>>,
    /// How they are framed, for [`Nic::datagram_bytes`].
    pub framing: P::Framing,
    /// The sum of the datagrams' lengths.
    pub bytes: usize,
}

/// The position of a batch in its peer's transmit order.
#[derive(Clone, Copy, Debug)]
#[must_use = "later batches wait until the ticket is returned"]
pub struct TxTicket {
    ticket: SequenceTicket,
    sent: SentPackets,
    payload_bytes: usize,
    bytes: usize,
}

/// A sealed batch that goes to the network now.
#[must_use = "its bytes stay in flight until they are completed"]
pub struct ToSend<S: System> {
    /// The batch.
    pub sealed: S::Sealed,
    /// Where it goes.
    pub endpoint: Endpoint,
    /// For [`Nic::send_completed`].
    pub batch: SentBatch,
    /// The control thread has to look at once: a timer was set.
    pub control_due: bool,
}

/// What is known of a batch while the network has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SentBatch {
    /// The sum of the datagrams' lengths.
    pub bytes: usize,
    payload_bytes: usize,
    sent: SentPackets,
    local: Option<LocalAddress>,
}

/// What is to be done when the network is done with a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendEffects {
    /// More waits: the peer is to be pumped again.
    pub pump: bool,
    /// The control thread has to look at once.
    pub control_due: bool,
}

impl<P: Protocol, S: System> Nic<P, S> {
    /// Takes packets from the stack above: routes each, and queues it with its peer. Packets that
    /// can't be queued are passed to `rejected`.
    ///
    /// Ends early when `pumps` is full: pump, clear it, and call again until `packets` is empty.
    /// Peers' locks are taken once for each run of packets of one peer; `rejected` is called under
    /// no lock.
    pub fn submit(
        &self,
        packets: &mut S::Queue,
        now: Instant,
        pumps: &mut PumpList,
        rejected: &mut dyn FnMut(S::Packet, Discard),
    ) {
        if !self.is_up() {
            self.reject(packets, Discard::Down, rejected);
            return;
        }
        let mut run = S::Queue::default();
        // The last packet's destination and peer, which are mostly the next one's, too.
        let mut last = None;
        while !pumps.is_full() {
            let Some(packet) = packets.pop_front() else {
                break;
            };
            let Some(inner) = InnerPacket::parse_outgoing(packet.head(), packet.len()) else {
                self.reject_one(packet, Discard::NotIp, rejected);
                continue;
            };
            let known = last.filter(|&(destination, _)| destination == inner.destination);
            let peer = match known {
                Some((_, peer)) => Some(peer),
                None => self.routes.lookup(inner.destination),
            };
            let Some(peer) = peer else {
                self.reject_one(packet, Discard::NoRoute, rejected);
                continue;
            };
            match last {
                Some((_, last_peer)) if last_peer != peer || run.len() >= RUN_PACKETS => {
                    self.enqueue(last_peer, &mut run, now, pumps, rejected);
                }
                _ => {}
            }
            run.push_back(packet);
            last = Some((inner.destination, peer));
        }
        if let Some((_, peer)) = last {
            self.enqueue(peer, &mut run, now, pumps, rejected);
        }
    }

    /// Takes a peer's next batch: at most [`BATCH_PACKETS`] packets, and no more bytes than may be
    /// in flight. Any number of threads may do so at a time. Packets that waited too long go to
    /// `rejected`, under no lock.
    pub fn begin_seal(
        &self,
        peer: PeerId,
        now: Instant,
        rejected: &mut dyn FnMut(S::Packet, Discard),
    ) -> NextTxBatch<P, S> {
        if !self.is_up() {
            return NextTxBatch { batch: None, control_due: false };
        }
        let mtu = self.mtu();
        let mut late = S::Queue::default();
        let (batch, control_due) = self
            .peers
            .with_data(peer, |state| take_batch(state, peer, mtu, now, &mut late))
            .unwrap_or((None, false));
        self.reject(&mut late, Discard::QueuedTooLong, rejected);
        NextTxBatch { batch, control_due }
    }

    /// Returns a sealed batch. On [`Drain::Required`] the caller sends what [`Nic::next_to_send`]
    /// returns until it returns `None`.
    pub fn finish_seal(&self, peer: PeerId, ticket: TxTicket, sealed: S::Sealed) -> Drain {
        let TxTicket { ticket, sent, payload_bytes, bytes } = ticket;
        let mut batch = Some(SealedBatch { sealed, sent, payload_bytes, bytes });
        // What is left in `batch` belongs to a peer that is gone; it is dropped here, under no
        // lock.
        self.peers
            .with(peer, |state| {
                let (turn, returned) = state.sealing.finish(ticket, batch.take());
                batch = returned;
                turn
            })
            .unwrap_or(Drain::NotRequired)
    }

    /// Abandons a batch that could not be sealed, so that later batches need not wait. Returns as
    /// [`Nic::finish_seal`]; afterwards the peer is to be pumped again.
    pub fn abandon_seal(&self, peer: PeerId, ticket: TxTicket, now: Instant) -> Drain {
        self.peers
            .with(peer, |state| {
                state.limit.completed(ticket.bytes, now);
                state.sealing.finish(ticket.ticket, None).0
            })
            .unwrap_or(Drain::NotRequired)
    }

    /// The next batch to hand to the network, by the thread that drains; `None` ends the drain.
    /// No lock is held while it is sent. Each is to be followed by [`Nic::send_completed`],
    /// whether it could be sent or not.
    pub fn next_to_send(&self, peer: PeerId, now: Instant) -> Option<ToSend<S>> {
        loop {
            let (next, control_due) = self.peers.with_data(peer, |state| {
                let batch = state.sealing.next()?;
                let to = match (state.endpoint, state.path.is_open) {
                    (None, _) => Err(Discard::NoEndpoint),
                    (_, IsOpen::No(reason)) => Err(reason),
                    (Some(endpoint), _) => Ok(endpoint),
                };
                if to.is_ok() {
                    state.data.sent(batch.sent, now);
                } else {
                    state.limit.completed(batch.bytes, now);
                }
                Some((batch, to))
            })?;
            let (SealedBatch { sealed, sent, payload_bytes, bytes }, to) = next?;
            match to {
                Ok(endpoint) => {
                    let local = endpoint.local;
                    let batch = SentBatch { bytes, payload_bytes, sent, local };
                    return Some(ToSend { sealed, endpoint, batch, control_due });
                }
                Err(reason) => self.statistics.discarded(reason, sent.datagrams().into()),
            }
        }
    }

    /// Notes that the network is done with a batch: it has sent it, or not.
    #[inline(never)] // Its frame is off the stack when what waits is pumped.
    pub fn send_completed(
        &self,
        peer: PeerId,
        batch: &SentBatch,
        is_sent: bool,
        now: Instant,
    ) -> SendEffects {
        let SentBatch { bytes, payload_bytes, sent, local } = *batch;
        let datagrams = sent.datagrams();
        let completed = self.peers.with_data(peer, |state| {
            state.limit.completed(bytes, now);
            if is_sent {
                state.counters.sent_packets += u64::from(datagrams);
                state.counters.sent_bytes += bytes as u64;
                state.counters.sent_payload_bytes += payload_bytes as u64;
                state.path.is_repeating = false;
            } else if S::FINDS_PATHS {
                if state.endpoint.is_some_and(|endpoint| endpoint.local == local) {
                    state.path.failed(now);
                }
                // Once more, from another local address if there is one.
                if sent.keepalives > 0 && !core::mem::replace(&mut state.path.is_repeating, true) {
                    state.keepalive = true;
                }
            }
            (!state.backlog.is_empty() || !state.control_messages.is_empty())
                && state.limit.room() > 0
        });
        if is_sent {
            self.statistics.sent(sent.data_packets.into(), bytes as u64);
        } else {
            self.statistics.discarded(Discard::SendFailed, datagrams.into());
        }
        let (pump, control_due) = completed.unwrap_or_default();
        SendEffects { pump, control_due }
    }

    /// Queues a run of packets with their peer.
    fn enqueue(
        &self,
        peer: PeerId,
        run: &mut S::Queue,
        now: Instant,
        pumps: &mut PumpList,
        rejected: &mut dyn FnMut(S::Packet, Discard),
    ) {
        if run.is_empty() {
            return;
        }
        let (mut full, mut not_admitted) = (S::Queue::default(), S::Queue::default());
        let refused = self.peers.with(peer, |state| {
            // Asked again under the lock: whoever stops the adapter takes it afterwards, and
            // empties the queue.
            if !self.is_up() {
                return Some(Discard::Down);
            }
            let Some(endpoint) = &state.endpoint else {
                return Some(Discard::NoEndpoint);
            };
            if let IsOpen::No(reason) = state.path.is_open {
                return Some(reason);
            }
            while let Some(packet) = run.pop_front() {
                if state.data.admits(endpoint, packet.head()) {
                    state.backlog.push(packet, now, &mut full);
                } else {
                    not_admitted.push_back(packet);
                }
            }
            None
        });
        match refused {
            Some(None) => pumps.add(peer),
            Some(Some(reason)) => self.reject(run, reason, rejected),
            // It was removed since the route was looked up.
            None => self.reject(run, Discard::NoRoute, rejected),
        }
        self.reject(&mut full, Discard::QueueFull, rejected);
        self.reject(&mut not_admitted, Discard::NotAdmitted, rejected);
    }

    fn reject(
        &self,
        packets: &mut S::Queue,
        reason: Discard,
        rejected: &mut dyn FnMut(S::Packet, Discard),
    ) {
        self.statistics.discarded(reason, packets.len() as u64);
        while let Some(packet) = packets.pop_front() {
            rejected(packet, reason);
        }
    }

    fn reject_one(
        &self,
        packet: S::Packet,
        reason: Discard,
        rejected: &mut dyn FnMut(S::Packet, Discard),
    ) {
        self.statistics.discarded(reason, 1);
        rejected(packet, reason);
    }
}

/// Takes a peer's next batch: a control message, packets of the backlog, or a keepalive. Peer lock.
fn take_batch<P: Protocol, S: System>(
    state: &mut Peer<P, S>,
    peer: PeerId,
    mtu: Mtu,
    now: Instant,
    late: &mut S::Queue,
) -> Option<TxBatch<P, S>> {
    if state.endpoint.is_none() {
        state.keepalive = false;
        return None;
    }
    // What waits goes when the path is found.
    if !state.has_queued() || state.path.is_open == IsOpen::Unknown {
        return None;
    }
    state.sealing.prepare(OUTSTANDING_BATCHES, u32::MAX).ok()?;
    if !state.control_messages.is_empty() {
        return take_control_message(state, peer, mtu, now);
    }
    let framing = state.data.framing();
    let mut packets = S::Queue::default();
    let (mut count, mut payload_bytes, mut bytes) = (0_u32, 0_usize, 0_usize);
    while count < BATCH_PACKETS {
        let Some(next) = state.backlog.front() else {
            break;
        };
        let needed = bytes.saturating_add(datagram_bytes::<P, S>(framing, next, mtu));
        let is_alone = count == 0 && state.limit.is_idle();
        if needed > state.limit.room() && !is_alone {
            state.limit.hold_back();
            break;
        }
        let Some(packet) = state.backlog.take(mtu.longest(), now, late) else {
            break;
        };
        payload_bytes = payload_bytes.saturating_add(packet.len());
        bytes = bytes.saturating_add(datagram_bytes::<P, S>(framing, &packet, mtu));
        packets.push_back(packet);
        count += 1;
    }
    let is_keepalive = count == 0;
    if is_keepalive {
        if !state.keepalive || !state.backlog.is_empty() || state.path.is_in_doubt() {
            return None;
        }
        bytes = P::datagram_bytes(framing, 0, mtu.longest());
    }
    let request = if is_keepalive {
        SealRequest::keepalive()
    } else {
        SealRequest::data(count, payload_bytes)
    };
    let sealing = state.data.begin_seal(request, now).ok();
    let ticket = sealing.and_then(|context| Some((context, state.sealing.issue(count).ok()?)));
    let Some((context, ticket)) = ticket else {
        state.backlog.hold(packets, payload_bytes);
        return None;
    };
    state.backlog.keyed();
    // Data replaces a keepalive.
    state.keepalive = false;
    state.limit.queued(bytes);
    let sent = SentPackets {
        data_packets: count,
        keepalives: is_keepalive.into(),
        ..SentPackets::default()
    };
    let ticket = TxTicket { ticket, sent, payload_bytes, bytes };
    Some(TxBatch { peer, ticket, context, packets, message: None, framing, bytes })
}

/// Takes the oldest control message that waits to be sealed, after
/// [`Resequencer::prepare`](crate::resequencer::Resequencer::prepare). Peer lock.
#[cold]
fn take_control_message<P: Protocol, S: System>(
    state: &mut Peer<P, S>,
    peer: PeerId,
    mtu: Mtu,
    now: Instant,
) -> Option<TxBatch<P, S>> {
    let framing = state.data.framing();
    let message_bytes = state.control_messages.front()?.len();
    let bytes = P::datagram_bytes(framing, message_bytes, mtu.longest());
    if bytes > state.limit.room() && !state.limit.is_idle() {
        state.limit.hold_back();
        return None;
    }
    let context = state.data.begin_seal(SealRequest::control(message_bytes), now).ok()?;
    let ticket = state.sealing.issue(1).ok()?;
    let message = Some(state.control_messages.pop_front()?);
    state.limit.queued(bytes);
    let sent = SentPackets { control_messages: 1, ..SentPackets::default() };
    let ticket = TxTicket { ticket, sent, payload_bytes: 0, bytes };
    Some(TxBatch { peer, ticket, context, packets: S::Queue::default(), message, framing, bytes })
}

/// The length of a packet's datagram.
fn datagram_bytes<P: Protocol, S: System>(
    framing: P::Framing,
    packet: &S::Packet,
    mtu: Mtu,
) -> usize {
    P::datagram_bytes(framing, packet.len(), mtu.of_packet(packet.head()))
}

impl PumpList {
    const CAPACITY: usize = 32;

    /// An empty list.
    pub const fn new() -> Self {
        Self { peers: [PeerId { index: 0, generation: 0 }; Self::CAPACITY], length: 0 }
    }

    /// The peers, each once.
    pub fn peers(&self) -> &[PeerId] {
        self.peers.get(..self.length).unwrap_or(&[])
    }

    /// Empties it.
    pub const fn clear(&mut self) {
        self.length = 0;
    }

    /// Whether fewer than two more fit: the run that is being collected, and the one that ends it.
    const fn is_full(&self) -> bool {
        self.length + 2 > Self::CAPACITY
    }

    fn add(&mut self, peer: PeerId) {
        if !self.peers().contains(&peer)
            && let Some(place) = self.peers.get_mut(self.length)
        {
            *place = peer;
            self.length += 1;
        }
    }
}

impl Default for PumpList {
    fn default() -> Self {
        Self::new()
    }
}

/// The maximum number of packets in a batch.
pub const BATCH_PACKETS: u32 = 64;
/// The maximum number of batches of a peer that are sealed at a time.
const OUTSTANDING_BATCHES: usize = 64;
/// The maximum number of packets that are queued per acquisition of a peer's lock.
const RUN_PACKETS: usize = 64;
