//! The receive path: classify, open, accept, indicate.

use crate::{
    Endpoint, Instant, Protocol, System,
    inner_packet::InnerPacket,
    nic::Nic,
    protocol::{
        Addresses, Class, DataPlane, Discard, Disposition, Ecn, OpenedPacket, PeerId, Selector,
    },
    resequencer::{Drain, IssueError, SequenceTicket},
};

/// Datagrams that are opened under one key.
pub struct RxBatch<P: Protocol> {
    /// The sender, if they are authentic.
    pub peer: PeerId,
    /// To be given back by [`Nic::finish_open`] or [`Nic::abandon_open`], in any order.
    pub ticket: RxTicket,
    /// The key.
    pub context: P::OpenContext,
}

/// The position of a batch of datagrams in its peer's receive order.
#[derive(Clone, Copy, Debug)]
#[must_use = "later batches wait until the ticket is returned"]
pub struct RxTicket(SequenceTicket);

/// An authentic packet to be accepted.
#[derive(Clone, Copy, Debug)]
pub struct AcceptItem {
    /// As the protocol opened it.
    pub packet: OpenedPacket,
    /// Where its datagram came from, and to which of our addresses.
    pub from: Endpoint,
    /// Its datagram's length.
    pub datagram_bytes: usize,
    /// The ECN field of the outer header; [`Ecn::NotEct`] if the network does not report it.
    pub outer_ecn: Ecn,
    /// Its inner header, by [`InnerPacket::parse`] over the opened bytes; `None` where it is no IP
    /// packet.
    pub inner: Option<InnerPacket>,
    /// Set by [`Nic::accept`].
    pub outcome: RxOutcome,
}

/// What becomes of an authentic packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RxOutcome {
    /// The first `total_bytes` of it go up.
    Deliver {
        /// Its length without padding.
        total_bytes: usize,
        /// The ECN field that its header has to carry (RFC 6040).
        ecn: Ecn,
    },
    /// The payload is a message for [`Nic::authenticated_message`].
    Control,
    /// It was a keepalive.
    Consumed,
    /// It is dropped; that is counted.
    Dropped(Discard),
}

/// Side effects of accepting a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AcceptEffects {
    /// The control thread has to look at once: a timer was set.
    pub control_due: bool,
    /// The peer sends from another address now: userspace may want to know.
    pub endpoint_moved: bool,
}

impl<P: Protocol, S: System> Nic<P, S> {
    /// Classifies a datagram by its first bytes (at least 16, or all) and its length. Malformed
    /// ones are counted.
    pub fn classify(&self, head: &[u8], datagram_bytes: usize) -> Class {
        let class = P::classify(head, datagram_bytes);
        if class == Class::Malformed {
            self.statistics.discarded(Discard::Malformed, 1);
        }
        class
    }

    /// Starts to open a run of datagrams for one key. Refused datagrams are counted.
    pub fn begin_open(
        &self,
        selector: Selector,
        datagrams: u32,
        now: Instant,
    ) -> Result<RxBatch<P>, Discard> {
        let batch = self.try_begin_open(selector, datagrams, now);
        if let Err(reason) = batch {
            self.statistics.discarded(reason, datagrams.into());
        }
        batch
    }

    /// Counts datagrams of a batch that were not authentic. True where the control thread has to
    /// look at once: a timer was set.
    pub fn count_forged(&self, peer: PeerId, context: &P::OpenContext, datagrams: u32) -> bool {
        if datagrams == 0 {
            return false;
        }
        self.statistics.discarded(Discard::Forged, datagrams.into());
        let noted = self.peers.with_data(peer, |state| {
            state.data.authentication_failed(context, datagrams);
        });
        noted.is_some_and(|((), control_due)| control_due)
    }

    /// Returns an opened batch. On [`Drain::Required`] the caller handles what
    /// [`Nic::next_to_indicate`] gives until that is none.
    pub fn finish_open(&self, peer: PeerId, ticket: RxTicket, opened: S::Opened) -> Drain {
        let mut opened = Some(opened);
        // What is left in `opened` belongs to a peer that is gone; it is dropped here, under no
        // lock.
        self.peers
            .with(peer, |state| {
                let (turn, returned) = state.opening.finish(ticket.0, opened.take());
                opened = returned;
                turn
            })
            .unwrap_or(Drain::NotRequired)
    }

    /// Abandons a batch that could not be opened, so that later batches need not wait. Returns as
    /// [`Nic::finish_open`].
    pub fn abandon_open(&self, peer: PeerId, ticket: RxTicket) -> Drain {
        self.peers
            .with(peer, |state| state.opening.finish(ticket.0, None).0)
            .unwrap_or(Drain::NotRequired)
    }

    /// The next opened batch to accept and indicate, by the thread that drains; `None` ends
    /// the drain.
    pub fn next_to_indicate(&self, peer: PeerId) -> Option<S::Opened> {
        self.peers.with(peer, |state| state.opening.next()).flatten()
    }

    /// Accepts authentic packets of one batch, in order, on the thread that drains: replay,
    /// timers, the peer's address and counters under one lock, and then whether each comes from an
    /// address that its peer may use.
    pub fn accept(
        &self,
        peer: PeerId,
        context: &P::OpenContext,
        items: &mut [AcceptItem],
        now: Instant,
    ) -> AcceptEffects {
        let mut bytes = 0;
        let outcome = self.peers.with_data(peer, |state| {
            let mut from = None;
            let (mut packets, mut payload_bytes) = (0, 0);
            for item in &mut *items {
                item.outcome = match state.data.accept(context, &item.packet, now) {
                    Disposition::Deliver => {
                        payload_bytes += item.inner.map_or(0, |inner| inner.total_bytes as u64);
                        RxOutcome::Deliver { total_bytes: 0, ecn: Ecn::NotEct }
                    }
                    Disposition::Control => RxOutcome::Control,
                    Disposition::Consumed => RxOutcome::Consumed,
                    Disposition::Replayed => {
                        item.outcome = RxOutcome::Dropped(Discard::Replayed);
                        continue;
                    }
                };
                from = Some(item.from);
                packets += 1;
                bytes += item.datagram_bytes as u64;
            }
            state.counters.received_packets += packets;
            state.counters.received_bytes += bytes;
            state.counters.received_payload_bytes += payload_bytes;
            let from = from.filter(|_| state.data.roams())?;
            let has_moved = state.endpoint.map(|before| before.remote) != Some(from.remote);
            if P::ADDRESSES == Addresses::Shared || !has_moved {
                state.heard_from(from);
            }
            has_moved.then_some(from)
        });
        let Some((moved_to, control_due)) = outcome else {
            for item in &mut *items {
                item.outcome = RxOutcome::Dropped(Discard::UnknownContext);
            }
            self.statistics.discarded(Discard::UnknownContext, items.len() as u64);
            return AcceptEffects::default();
        };
        let endpoint_moved = moved_to.is_some_and(|to| {
            P::ADDRESSES == Addresses::Shared || self.follow_or_drop(peer, to, items)
        });
        let delivered = self.check_sources(peer, items);
        self.statistics.received(delivered, bytes);
        AcceptEffects { control_due, endpoint_moved }
    }

    /// Follows a peer to where it sends from now, or drops what came from there.
    fn follow_or_drop(&self, peer: PeerId, to: Endpoint, items: &mut [AcceptItem]) -> bool {
        if self.follow(peer, to) {
            return true;
        }
        let mut dropped = 0;
        for item in items {
            if item.from.remote == to.remote && !matches!(item.outcome, RxOutcome::Dropped(_)) {
                item.outcome = RxOutcome::Dropped(Discard::AddressTaken);
                dropped += 1;
            }
        }
        self.statistics.discarded(Discard::AddressTaken, dropped);
        false
    }

    /// Lets packets through that come from an address of their peer, and returns how many. Counts
    /// the others.
    fn check_sources(&self, peer: PeerId, items: &mut [AcceptItem]) -> u64 {
        let (mut delivered, mut replayed, mut not_ip, mut not_allowed) = (0, 0, 0, 0);
        let mut congested = 0;
        // The last source that was checked is mostly the next one, too.
        let mut allowed = None;
        for item in items {
            match item.outcome {
                RxOutcome::Deliver { .. } => {}
                RxOutcome::Dropped(reason) => {
                    replayed += u64::from(reason == Discard::Replayed);
                    continue;
                }
                RxOutcome::Control | RxOutcome::Consumed => continue,
            }
            item.outcome = match item.inner {
                None => {
                    not_ip += 1;
                    RxOutcome::Dropped(Discard::NotIp)
                }
                Some(inner)
                    if allowed == Some(inner.source)
                        || self.routes.lookup(inner.source) == Some(peer) =>
                {
                    allowed = Some(inner.source);
                    match P::inner_ecn(inner.traffic_class.ecn, item.outer_ecn) {
                        Some(ecn) => {
                            delivered += 1;
                            RxOutcome::Deliver { total_bytes: inner.total_bytes, ecn }
                        }
                        None => {
                            congested += 1;
                            RxOutcome::Dropped(Discard::QueuedTooLong)
                        }
                    }
                }
                Some(_) => {
                    not_allowed += 1;
                    RxOutcome::Dropped(Discard::SourceNotAllowed)
                }
            };
        }
        self.statistics.discarded(Discard::Replayed, replayed);
        // RFC 6040: congestion on the path, of a packet whose sender can't be told by a mark.
        self.statistics.discarded(Discard::QueuedTooLong, congested);
        self.statistics.discarded(Discard::NotIp, not_ip);
        self.statistics.discarded(Discard::SourceNotAllowed, not_allowed);
        delivered
    }

    fn try_begin_open(
        &self,
        selector: Selector,
        datagrams: u32,
        now: Instant,
    ) -> Result<RxBatch<P>, Discard> {
        if !self.is_up() {
            return Err(Discard::Down);
        }
        let index = self.receivers.lookup(selector.receiver).ok_or(Discard::UnknownContext)?;
        self.peers
            .with_index(index, |peer, state| {
                let context =
                    state.data.begin_open(selector, now).ok_or(Discard::UnknownContext)?;
                match state.opening.prepare(OUTSTANDING_BATCHES, OUTSTANDING_DATAGRAMS) {
                    Ok(()) => {}
                    Err(IssueError::Full) => return Err(Discard::QueueFull),
                    Err(IssueError::NoMemory) => return Err(Discard::NoMemory),
                }
                let ticket = state.opening.issue(datagrams).map_err(|_| Discard::NoMemory)?;
                Ok(RxBatch { peer, ticket: RxTicket(ticket), context })
            })
            .unwrap_or(Err(Discard::UnknownContext))
    }
}

/// The maximum number of batches of a peer that are opened at a time.
const OUTSTANDING_BATCHES: usize = 256;
/// The maximum number of datagrams of a peer that are opened at a time: what may wait for the
/// workers, about 5 ms at 5 Gbit/s.
const OUTSTANDING_DATAGRAMS: u32 = 2048;
