//! Packets of the stack, as the engine's packet traits.

use nic_engine::{Instant, Packet, PacketQueue};
use nt::nbl::{TransmitPacket, TransmitQueue};

/// A packet of the stack.
pub struct StackPacket(pub(crate) TransmitPacket);

impl Packet for StackPacket {
    fn head(&self) -> &[u8] {
        self.0.head()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn queued_at(&self) -> Instant {
        Instant::from_nanos(self.0.stamp())
    }

    fn set_queued_at(&mut self, now: Instant) {
        self.0.set_stamp(now.as_nanos());
    }
}

/// A queue of the stack's packets. The oldest is stored separately, so that [`PacketQueue::front`]
/// can return a reference to it.
#[derive(Default)]
pub struct StackQueue {
    first: Option<StackPacket>,
    rest: TransmitQueue,
}

impl StackQueue {
    /// The packets, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TransmitPacket> {
        self.first.iter().map(|packet| &packet.0).chain(self.rest.iter())
    }

    /// Completes all packets as sent.
    pub(crate) fn complete(self) {
        let mut first = TransmitQueue::default();
        if let Some(packet) = self.first {
            first.push_back(packet.0);
        }
        first.complete();
        self.rest.complete();
    }
}

impl From<TransmitQueue> for StackQueue {
    fn from(mut packets: TransmitQueue) -> Self {
        Self { first: packets.pop_front().map(StackPacket), rest: packets }
    }
}

impl PacketQueue for StackQueue {
    type Packet = StackPacket;

    fn push_back(&mut self, packet: StackPacket) {
        if self.first.is_none() {
            self.first = Some(packet);
        } else {
            self.rest.push_back(packet.0);
        }
    }

    fn pop_front(&mut self) -> Option<StackPacket> {
        let packet = self.first.take()?;
        self.first = self.rest.pop_front().map(StackPacket);
        Some(packet)
    }

    fn front(&self) -> Option<&StackPacket> {
        self.first.as_ref()
    }

    fn len(&self) -> usize {
        self.rest.len().wrapping_add(usize::from(self.first.is_some()))
    }
}
