//! Packets that were opened and wait for their turn.

use alloc::vec::Vec;

use nic_engine::Protocol;
use nic_engine::nic::AcceptItem;
use nic_memory::Push;
use nt::nbl::ReceivePacket;
use nt::{Result, Status};

use crate::recycler::{Recycled, Sizes};

/// Packets that wait for their turn to be indicated.
pub struct OpenedBatch<P: Protocol> {
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
