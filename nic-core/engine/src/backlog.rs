//! Packets of one peer that wait to be sealed.

use crate::{
    Instant, Packet, PacketQueue, System,
    codel::{Action, Codel},
};

/// A peer's queue: bounded in packets and bytes, and kept short by [`Codel`].
pub(crate) struct Backlog<S: System> {
    queue: S::Queue,
    /// Packets that were taken for a batch which then had no key: they come first.
    held: S::Queue,
    bytes: usize,
    codel: Codel,
    /// Whether the last batch found a key.
    is_keyed: bool,
}

impl<S: System> Backlog<S> {
    pub(crate) fn new() -> Self {
        Self {
            queue: S::Queue::default(),
            held: S::Queue::default(),
            bytes: 0,
            codel: Codel::default(),
            is_keyed: false,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.held.is_empty()
    }

    fn len(&self) -> usize {
        self.queue.len() + self.held.len()
    }

    /// Queues a packet. What has no place goes into `dropped`: the newest, or, while there is no
    /// key, the oldest.
    pub(crate) fn push(&mut self, mut packet: S::Packet, now: Instant, dropped: &mut S::Queue) {
        packet.set_queued_at(now);
        let bytes = packet.len();
        if self.is_keyed {
            if self.len() >= MAX_PACKETS || self.bytes.saturating_add(bytes) > MAX_BYTES {
                dropped.push_back(packet);
                return;
            }
        } else {
            while self.len() >= MAX_PACKETS_UNKEYED
                || self.bytes.saturating_add(bytes) > MAX_BYTES_UNKEYED
            {
                let Some(oldest) = self.pop() else {
                    break;
                };
                dropped.push_back(oldest);
            }
        }
        self.bytes = self.bytes.saturating_add(bytes);
        self.queue.push_back(packet);
    }

    /// The packet that is next.
    pub(crate) fn front(&self) -> Option<&S::Packet> {
        self.held.front().or_else(|| self.queue.front())
    }

    /// Takes the next packet to send. Those that waited too long go into `late`.
    pub(crate) fn take(
        &mut self,
        mtu_bytes: usize,
        now: Instant,
        late: &mut S::Queue,
    ) -> Option<S::Packet> {
        loop {
            let is_managed = self.held.is_empty();
            let packet = self.pop()?;
            // Packets that wait for a key are nobody's congestion.
            if !is_managed || !self.is_keyed {
                return Some(packet);
            }
            let more_waits = self.bytes > mtu_bytes;
            match self.codel.on_dequeue(now.since(packet.queued_at()), more_waits, now) {
                Action::Pass => return Some(packet),
                Action::Drop => late.push_back(packet),
            }
        }
    }

    /// Notes that the packets taken have a key.
    pub(crate) const fn keyed(&mut self) {
        self.is_keyed = true;
    }

    /// Takes packets back, in order: there was no key.
    pub(crate) fn hold(&mut self, mut packets: S::Queue, bytes: usize) {
        self.is_keyed = false;
        self.bytes = self.bytes.saturating_add(bytes);
        while let Some(packet) = self.held.pop_front() {
            packets.push_back(packet);
        }
        self.held = packets;
    }

    /// Takes all packets.
    pub(crate) fn clear(&mut self) -> [S::Queue; 2] {
        self.bytes = 0;
        [core::mem::take(&mut self.held), core::mem::take(&mut self.queue)]
    }

    fn pop(&mut self) -> Option<S::Packet> {
        let packet = self.held.pop_front().or_else(|| self.queue.pop_front())?;
        self.bytes = self.bytes.saturating_sub(packet.len());
        Some(packet)
    }
}

/// With a key: about a millisecond of full packets at 10 Gbit/s.
const MAX_PACKETS: usize = 1024;
/// With a key: as many packets as large as offload makes them are too much.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Without: enough for the start of a few connections.
const MAX_PACKETS_UNKEYED: usize = 128;
const MAX_BYTES_UNKEYED: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::vec::Vec;

    use super::*;
    use crate::plain::{Plain, PlainPacket, PlainQueue};

    fn number(packet: &PlainPacket) -> u16 {
        u16::from_be_bytes([packet.bytes[0], packet.bytes[1]])
    }

    fn packet(number: u16, length: usize) -> PlainPacket {
        let mut bytes = std::vec![0; length];
        bytes[..2].copy_from_slice(&number.to_be_bytes());
        PlainPacket::new(bytes)
    }

    fn drain(queue: &mut PlainQueue) -> Vec<u16> {
        core::iter::from_fn(|| queue.pop_front()).map(|packet| number(&packet)).collect()
    }

    #[test]
    fn without_a_key_the_oldest_go() {
        let mut backlog = Backlog::<Plain>::new();
        let mut dropped = PlainQueue::default();
        for n in 0..130 {
            backlog.push(packet(n, 100), Instant::ZERO, &mut dropped);
        }
        assert_eq!(drain(&mut dropped), [0, 1]);
        let [held, mut queue] = backlog.clear();
        assert!(held.is_empty());
        assert_eq!(drain(&mut queue), (2..130).collect::<Vec<_>>());
        assert!(backlog.is_empty());
    }

    #[test]
    fn with_a_key_the_newest_go() {
        let mut backlog = Backlog::<Plain>::new();
        backlog.keyed();
        let mut dropped = PlainQueue::default();
        for n in 0..1026 {
            backlog.push(packet(n, 100), Instant::ZERO, &mut dropped);
        }
        assert_eq!(drain(&mut dropped), [1024, 1025]);
    }

    #[test]
    fn large_packets_fill_it_sooner() {
        let mut backlog = Backlog::<Plain>::new();
        let mut dropped = PlainQueue::default();
        for n in 0..40 {
            backlog.push(packet(n, 65_536), Instant::ZERO, &mut dropped);
        }
        assert_eq!(drain(&mut dropped), (0..24).collect::<Vec<_>>());
        backlog.keyed();
        for n in 40..100 {
            backlog.push(packet(n, 65_536), Instant::ZERO, &mut dropped);
        }
        assert_eq!(drain(&mut dropped), (88..100).collect::<Vec<_>>());
    }

    #[test]
    fn packets_held_for_a_key_come_first() {
        let mut backlog = Backlog::<Plain>::new();
        let mut late = PlainQueue::default();
        for n in 0..4 {
            backlog.push(packet(n, 100), Instant::ZERO, &mut late);
        }
        let mut take = |backlog: &mut Backlog<Plain>, count: usize| {
            let mut taken = PlainQueue::default();
            for _ in 0..count {
                taken.push_back(backlog.take(1500, Instant::ZERO, &mut late).unwrap());
            }
            taken
        };
        let taken = take(&mut backlog, 3);
        backlog.hold(taken, 300);
        let taken = take(&mut backlog, 1);
        backlog.hold(taken, 100);
        assert_eq!(backlog.front().map(Packet::len), Some(100));
        assert_eq!(drain(&mut take(&mut backlog, 4)), [0, 1, 2, 3]);
        assert!(backlog.is_empty() && backlog.bytes == 0);
    }

    #[test]
    fn a_standing_queue_is_shortened_to_its_last_packet() {
        let mut backlog = Backlog::<Plain>::new();
        backlog.keyed();
        let (mut dropped, mut late) = (PlainQueue::default(), PlainQueue::default());
        let mut taken = 0;
        for ms in 0..1000 {
            let now = Instant::ZERO.after(Duration::from_millis(ms));
            for _ in 0..2 {
                backlog.push(packet(0, 1000), now, &mut dropped);
            }
            taken += usize::from(backlog.take(1500, now, &mut late).is_some());
        }
        assert!(late.len() > 10 && taken > 900, "{} late, {taken} taken", late.len());
        let end = Instant::ZERO.after(Duration::from_secs(100));
        let (before, mut sent) = (late.len(), 0);
        while backlog.take(1500, end, &mut late).is_some() {
            sent += 1;
        }
        assert!(sent >= 1 && late.len() > before);
    }
}
