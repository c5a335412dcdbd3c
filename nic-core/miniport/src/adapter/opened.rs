//! Opened packets that wait to be indicated in order.

use alloc::vec::Vec;

use nic_engine::Protocol;
use nic_engine::nic::AcceptItem;
use nic_memory::Push;
use nt::nbl::ReceivePacket;
use nt::{Result, Status};

use crate::recycler::{Recycled, Sizes};

/// A batch of opened packets that waits to be indicated in order.
pub struct OpenedBatch<P: Protocol> {
    /// The key that opened them.
    pub(crate) context: P::OpenContext,
    pub(crate) packets: OpenedPackets,
}

/// Authentic packets, with the input and result of accepting each.
pub(crate) struct OpenedPackets {
    /// One per item, in the same order.
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

    /// 0: each packet has memory of its own.
    fn packet_bytes(&self) -> usize {
        0
    }
}

impl OpenedPackets {
    /// Drops the content.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.items.clear();
    }

    /// Adds a packet. Drops it and returns false if there is no room.
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
