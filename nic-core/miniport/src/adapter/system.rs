//! NT, as the engine sees it.

use alloc::vec::Vec;
use core::marker::PhantomData;

use nic_engine::nic::AcceptItem;
use nic_engine::{Instant, Packet, PacketQueue, System};
use nic_memory::Push;
use nt::lock::{SleepLock, SpinLock};
use nt::nbl::{ReceivePacket, TransmitPacket, TransmitQueue};
use nt::wsk::SendBatch;
use nt::{Result, Status};

use crate::adapter::AdapterProtocol;
use crate::recycler::{Recycled, Sizes};
use crate::transmit::InFlight;

/// The types of NT, for an adapter that speaks `P`.
pub(crate) struct Nt<P>(PhantomData<fn() -> P>);

impl<P: AdapterProtocol> System for Nt<P> {
    type SpinLock = SpinLock;
    type SleepLock = SleepLock;
    type Packet = StackPacket;
    type Queue = StackQueue;
    type Sealed = SealedBatch<P>;
    type Opened = OpenedBatch<P>;
}

/// A packet of the stack.
pub(crate) struct StackPacket(pub(crate) TransmitPacket);

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

/// A queue of the stack's packets. The oldest is apart, so that it can be looked at in the engine's
/// terms.
#[derive(Default)]
pub(crate) struct StackQueue {
    first: Option<StackPacket>,
    rest: TransmitQueue,
}

impl StackQueue {
    /// The packets, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &TransmitPacket> {
        self.first.iter().map(|packet| &packet.0).chain(self.rest.iter())
    }

    /// Ends all packets: they were sent.
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

/// Datagrams that wait for their turn to be sent, and the packets that are in them. Dropped without
/// being sent, the packets fail.
pub(crate) struct SealedBatch<P: AdapterProtocol> {
    pub(crate) datagrams: SendBatch<InFlight<P>>,
    pub(crate) packets: StackQueue,
}

/// Packets that wait for their turn to be indicated.
pub(crate) struct OpenedBatch<P: AdapterProtocol> {
    /// The key that opened them.
    pub(crate) context: P::OpenContext,
    pub(crate) packets: OpenedPackets,
}

/// Authentic packets, and what is to be judged of each.
pub(crate) struct OpenedPackets {
    /// As many as there are items, in the same order.
    pub(crate) packets: Vec<ReceivePacket>,
    pub(crate) items: Vec<AcceptItem>,
}

impl Recycled for OpenedPackets {
    fn make(sizes: Sizes) -> Result<Self> {
        let (mut packets, mut items) = (Vec::new(), Vec::new());
        packets.try_reserve_exact(sizes.packets).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        items.try_reserve_exact(sizes.packets).map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        Ok(Self { packets, items })
    }

    /// Each packet brings its own memory.
    fn packet_bytes(&self) -> usize {
        0
    }
}

impl OpenedPackets {
    /// Forgets what is in it.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.items.clear();
    }

    /// Adds a packet. False, and it is dropped, where there is no room.
    pub(crate) fn push(&mut self, packet: ReceivePacket, item: AcceptItem) -> bool {
        let has_room = self.packets.len() < self.packets.capacity()
            && self.items.len() < self.items.capacity();
        if has_room {
            return self.packets.push_in_capacity(packet).is_ok()
                && self.items.push_in_capacity(item).is_ok();
        }
        false
    }
}
