//! Reliable, ordered delivery of control packets: send window, receive window, acknowledgements.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::packet::{MAX_ACKS, Opcode, PacketId};

/// Maximum of unacknowledged packets.
const SEND_WINDOW: usize = 6;

/// Maximum distance of a received packet from the next expected one.
const RECEIVE_WINDOW: u32 = 12;

/// Initial retransmission interval; doubles with each retransmission.
const FIRST_RETRANSMIT: Duration = Duration::from_secs(2);

/// Maximum retransmission interval.
const MAX_RETRANSMIT: Duration = Duration::from_secs(16);

/// Acknowledgements of later packets after which a packet is retransmitted at once.
const FAST_RETRANSMIT_ACKS: u32 = 3;

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub(super) opcode: Opcode,
    pub(super) id: PacketId,
    pub(super) payload: Vec<u8>,
}

/// Packets that are not yet acknowledged.
pub(super) struct SendWindow {
    next_id: PacketId,
    unacked: VecDeque<InFlight>,
}

struct InFlight {
    packet: Outgoing,
    /// Time of the next transmission; `None` is at once.
    resend_at: Option<Instant>,
    interval: Duration,
    later_acks: u32,
}

impl SendWindow {
    /// A window whose first packet has this id.
    pub(super) const fn new(next_id: PacketId) -> Self {
        Self { next_id, unacked: VecDeque::new() }
    }

    /// Whether the window has room for another packet.
    pub(super) fn has_room(&self) -> bool {
        self.unacked.len() < SEND_WINDOW
    }

    /// Whether all packets are acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.unacked.is_empty()
    }

    /// Adds a packet, which is sent until it is acknowledged.
    pub(super) fn push(&mut self, opcode: Opcode, payload: Vec<u8>) {
        let packet = Outgoing { opcode, id: self.next_id, payload };
        // Not reached in practice: the peer would reject a wrapped id.
        self.next_id = self.next_id.wrapping_add(1);
        self.unacked.push_back(InFlight {
            packet,
            resend_at: None,
            interval: FIRST_RETRANSMIT,
            later_acks: 0,
        });
    }

    /// Processes the acknowledgement of a packet.
    pub(super) fn acknowledged(&mut self, id: PacketId) {
        let before = self.unacked.len();
        self.unacked.retain(|sent| sent.packet.id != id);
        if self.unacked.len() == before {
            return;
        }
        for sent in &mut self.unacked {
            if sent.packet.id < id && sent.resend_at.is_some() {
                sent.later_acks += 1;
                if sent.later_acks == FAST_RETRANSMIT_ACKS {
                    sent.resend_at = None;
                }
            }
        }
    }

    /// The next packet to send now; marks it as sent.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Outgoing> {
        let due = |sent: &&mut InFlight| sent.resend_at.is_none_or(|at| at <= now);
        let sent = self.unacked.iter_mut().find(due)?;
        sent.resend_at = Some(now + sent.interval);
        sent.interval = (sent.interval * 2).min(MAX_RETRANSMIT);
        Some(sent.packet.clone())
    }

    /// Time of the next retransmission.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.unacked.iter().filter_map(|sent| sent.resend_at).min()
    }
}

/// Reorders received packets.
pub(super) struct ReceiveWindow {
    next_id: PacketId,
    waiting: BTreeMap<PacketId, Vec<u8>>,
}

/// What to do with a received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Acknowledge: stored, or received before.
    Acknowledge,
    /// Drop: outside the window. The peer retransmits it.
    TooFar,
}

impl ReceiveWindow {
    /// A window that expects this id next.
    pub(super) const fn new(next_id: PacketId) -> Self {
        Self { next_id, waiting: BTreeMap::new() }
    }

    /// Stores a received packet.
    pub(super) fn push(&mut self, id: PacketId, payload: &[u8]) -> Arrival {
        match id.checked_sub(self.next_id) {
            Some(ahead) if ahead >= RECEIVE_WINDOW => return Arrival::TooFar,
            Some(_) => {
                self.waiting.entry(id).or_insert_with(|| payload.to_vec());
            }
            None => {}
        }
        Arrival::Acknowledge
    }

    /// The next packet in order.
    pub(super) fn pop(&mut self) -> Option<(PacketId, Vec<u8>)> {
        let id = self.next_id;
        let payload = self.waiting.remove(&id)?;
        self.next_id = id.wrapping_add(1);
        Some((id, payload))
    }
}

/// Pending and recent acknowledgements.
#[derive(Default)]
pub(super) struct Acks {
    due: VecDeque<PacketId>,
    recent: VecDeque<PacketId>,
}

impl Acks {
    /// Adds an acknowledgement.
    pub(super) fn push(&mut self, id: PacketId) {
        if !self.due.contains(&id) {
            self.due.push_back(id);
        }
    }

    /// Whether acknowledgements are pending.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// The acknowledgements for a packet: pending ones, then repetitions of recent ones, whose
    /// packet may have been lost.
    pub(super) fn take(&mut self, max: usize) -> Vec<PacketId> {
        let mut acks: Vec<_> = self.due.drain(..self.due.len().min(max)).collect();
        for &id in &acks {
            self.recent.retain(|recent| *recent != id);
        }
        let repeated: Vec<_> = self.recent.iter().take(max - acks.len()).copied().collect();
        for &id in &acks {
            self.recent.push_front(id);
        }
        self.recent.truncate(MAX_ACKS);
        acks.extend(repeated);
        acks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(window: &mut SendWindow, now: Instant) -> Vec<PacketId> {
        std::iter::from_fn(|| window.poll(now)).map(|packet| packet.id).collect()
    }

    #[test]
    fn packets_go_again_at_two_four_eight_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut window = SendWindow::new(0);
        window.push(Opcode::ControlV1, vec![]);
        window.push(Opcode::ControlV1, vec![]);
        assert_eq!(ids(&mut window, at(0)), [0, 1]);
        assert_eq!(ids(&mut window, at(1)), []);
        assert_eq!(window.deadline(), Some(at(2)));
        window.acknowledged(0);
        assert_eq!(ids(&mut window, at(2)), [1]);
        assert_eq!(window.deadline(), Some(at(6)));
        assert_eq!(ids(&mut window, at(6)), [1]);
        assert_eq!(window.deadline(), Some(at(14)));
        window.acknowledged(1);
        assert_eq!(window.deadline(), None);
    }

    #[test]
    fn a_packet_that_three_later_ones_overtook_goes_again_at_once() {
        let now = Instant::now();
        let mut window = SendWindow::new(0);
        for _ in 0..SEND_WINDOW {
            assert!(window.has_room());
            window.push(Opcode::ControlV1, vec![]);
        }
        assert!(!window.has_room());
        assert_eq!(ids(&mut window, now).len(), SEND_WINDOW);
        for id in [1, 2, 2, 9] {
            window.acknowledged(id);
        }
        assert_eq!(ids(&mut window, now), []);
        window.acknowledged(3);
        assert_eq!(ids(&mut window, now), [0]);
    }

    #[test]
    fn packets_come_out_once_and_in_order() {
        let mut window = ReceiveWindow::new(0);
        for (id, arrival) in [
            (2, Arrival::Acknowledge),
            (0, Arrival::Acknowledge),
            (0, Arrival::Acknowledge),
            (11, Arrival::Acknowledge),
            (12, Arrival::TooFar),
            (u32::MAX, Arrival::TooFar),
        ] {
            assert_eq!(window.push(id, &[id as u8]), arrival, "{id}");
        }
        assert_eq!(window.pop(), Some((0, vec![0])));
        assert_eq!(window.pop(), None);
        assert_eq!(window.push(1, b"1"), Arrival::Acknowledge);
        assert_eq!(window.push(0, b"0"), Arrival::Acknowledge);
        assert_eq!(window.pop(), Some((1, b"1".to_vec())));
        assert_eq!(window.pop(), Some((2, vec![2])));
        assert_eq!(window.pop(), None);
    }

    #[test]
    fn acks_are_repeated() {
        let mut acks = Acks::default();
        for id in 0..6 {
            acks.push(id);
        }
        acks.push(5);
        assert_eq!(acks.take(4), [0, 1, 2, 3]);
        assert!(acks.is_due());
        assert_eq!(acks.take(4), [4, 5, 3, 2]);
        assert!(!acks.is_due());
        assert_eq!(acks.take(4), [5, 4, 3, 2]);
    }
}
