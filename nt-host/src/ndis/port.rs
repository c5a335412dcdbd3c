//! What an edge has of its adapter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::miniport_adapter::MiniportAdapter;
use super::object::Object;
use super::send_pool::DataLayout;
use super::state::State;

/// The upper side of an adapter: how its edge transmits.
#[derive(Clone)]
pub struct AdapterPort {
    adapter: Arc<MiniportAdapter>,
}

/// Why packets were not given to the miniport. They are discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitError {
    /// The adapter is not running.
    NotRunning,
    /// The link is down.
    LinkDown,
}

/// Counters of what passed between an adapter and its edge, in packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Given to the miniport.
    pub sent: u64,
    /// Of these, completed with another status than success.
    pub failed: u64,
    /// Not given to the miniport, because the adapter was not running or the link down.
    pub discarded: u64,
    /// Indicated by the miniport.
    pub received: u64,
}

impl AdapterPort {
    pub(super) fn new(adapter: Arc<MiniportAdapter>) -> Self {
        Self { adapter }
    }

    /// The adapter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.adapter.name
    }

    /// The MTU of the stack, in bytes.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.adapter.mtu.longest()
    }

    /// Whether packets would be taken.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.adapter.states.state() == State::Running
            && self.adapter.link_is_up.load(Ordering::Acquire) != 0
    }

    /// Counters.
    #[must_use]
    pub fn counters(&self) -> PortCounters {
        let sends = &self.adapter.sends;
        PortCounters {
            sent: sends.sent_packets.load(Ordering::Relaxed),
            failed: sends.failed_packets.load(Ordering::Relaxed),
            discarded: sends.discarded_packets.load(Ordering::Relaxed),
            received: self.adapter.received_packets.load(Ordering::Relaxed),
        }
    }

    /// An empty batch. It may be used again after each [`transmit`](Self::transmit).
    #[must_use]
    pub fn batch(&self) -> PacketBatch {
        PacketBatch {
            adapter: Arc::clone(&self.adapter),
            layout: layout(&self.adapter),
            ready: Vec::with_capacity(BATCH_PACKETS),
            free: Vec::with_capacity(BATCH_PACKETS),
            scratch: Vec::new(),
        }
    }

    /// Gives a batch to the miniport: one call of MiniportSendNetBufferLists. Answers with the
    /// number of packets. The batch is empty afterwards.
    ///
    /// # Errors
    /// When the packets were discarded instead.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn transmit(&self, batch: &mut PacketBatch) -> Result<usize, TransmitError> {
        if batch.ready.is_empty() {
            return Ok(0);
        }
        self.adapter.send(&mut batch.ready)
    }
}

/// How many packets an edge puts into one batch at most.
pub(crate) const BATCH_PACKETS: usize = 64;

/// Packets on their way to the miniport, in its own buffers.
pub struct PacketBatch {
    adapter: Arc<MiniportAdapter>,
    layout: DataLayout,
    /// With a packet.
    ready: Vec<Object>,
    /// Without.
    free: Vec<Object>,
    /// For the next packet, when buffers are not contiguous.
    scratch: Vec<u8>,
}

impl PacketBatch {
    /// How many packets it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Room for the next packet, as long as the MTU. `None` when as many packets as may be are with
    /// the miniport: then the edge's `room` is called when some come back.
    pub fn buffer(&mut self) -> Option<&mut [u8]> {
        if self.layout.is_outdated(self.adapter.mtu.longest()) {
            // What is ready stays as it is; what is free would be too short, or too long.
            self.adapter.sends.pool.give(&mut self.free);
            self.layout = layout(&self.adapter);
        }
        let object = self.next_free()?;
        let bytes = self.layout.packet_bytes;
        if self.layout.is_contiguous() {
            let start = self.layout.packet(object);
            // SAFETY: the packet's place in an object that is this batch's.
            return Some(unsafe { std::slice::from_raw_parts_mut(start, bytes) });
        }
        self.scratch.resize(bytes, 0);
        Some(&mut self.scratch)
    }

    /// Makes the first `length` bytes of [`buffer`](Self::buffer) a packet. False, and nothing is
    /// done, when they are no IP packet.
    pub fn commit(&mut self, length: usize) -> bool {
        let (Some(object), layout) = (self.free.last().copied(), self.layout) else {
            return false;
        };
        if length == 0 || length > layout.packet_bytes {
            return false;
        }
        let version = if layout.is_contiguous() {
            // SAFETY: the packet's place in an object that is this batch's.
            unsafe { *layout.packet(object) >> 4 }
        } else {
            self.scratch.first().map_or(0, |byte| byte >> 4)
        };
        if version != 4 && version != 6 {
            return false;
        }
        if !layout.is_contiguous() {
            let packet = self.scratch.get(..length).unwrap_or_default();
            // SAFETY: the object is this batch's, of its layout, and the length was checked.
            unsafe { layout.scatter(object, packet) };
        }
        // SAFETY: the object is this batch's, of its layout, and the length was checked.
        unsafe { layout.finish(object, length, version) };
        self.free.pop();
        self.ready.push(object);
        true
    }

    /// Adds a packet. False when there is no room, or it is no IP packet or too long.
    pub fn push(&mut self, packet: &[u8]) -> bool {
        let Some(room) = self.buffer().and_then(|buffer| buffer.get_mut(..packet.len())) else {
            return false;
        };
        room.copy_from_slice(packet);
        self.commit(packet.len())
    }

    fn next_free(&mut self) -> Option<Object> {
        if self.free.is_empty() {
            let sends = &self.adapter.sends;
            // As many as there are already: packets that come one by one have the same buffer,
            // which stays in the cache.
            let count = self.ready.len().clamp(1, BATCH_PACKETS / 4);
            sends.pool.take(self.layout, count, &mut self.free);
            if self.free.is_empty() {
                // Asked for before it is looked at again: a completion between the two looks would
                // be missed.
                sends.wants_room.store(true, Ordering::SeqCst);
                sends.pool.take(self.layout, count, &mut self.free);
            }
        }
        self.free.last().copied()
    }
}

impl Drop for PacketBatch {
    fn drop(&mut self) {
        self.adapter.sends.pool.give(&mut self.ready);
        self.adapter.sends.pool.give(&mut self.free);
    }
}

/// How packets lie in buffers of an adapter as it is now.
fn layout(adapter: &MiniportAdapter) -> DataLayout {
    let general = adapter.attributes().general;
    DataLayout::new(general.as_ref(), adapter.mtu.longest(), &adapter.tuning)
}
