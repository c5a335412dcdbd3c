//! The port through which an edge uses its adapter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::miniport_adapter::MiniportAdapter;
use super::object::Object;
use super::send_pool::DataLayout;
use super::state::State;

/// The upper side of an adapter, through which its edge transmits.
#[derive(Clone)]
pub struct AdapterPort {
    adapter: Arc<MiniportAdapter>,
}

/// The reason why packets were discarded instead of passed to the miniport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitError {
    /// The adapter is not running.
    NotRunning,
    /// The link is down.
    LinkDown,
}

/// Counters of packets between an adapter and its edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounters {
    /// Passed to the miniport.
    pub sent: u64,
    /// Of these, completed with another status than success.
    pub failed: u64,
    /// Discarded, because the adapter was not running or the link was down.
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

    /// Whether packets can be transmitted.
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

    /// An empty batch, which can be reused after each [`transmit`](Self::transmit).
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

    /// Passes a batch to the miniport, by one call of MiniportSendNetBufferLists. Returns the
    /// number of packets. The batch is empty afterwards.
    ///
    /// # Errors
    /// The packets were discarded.
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

/// The maximum number of packets that an edge puts into one batch.
pub(crate) const BATCH_PACKETS: usize = 64;

/// Packets to be passed to the miniport, in the adapter's send buffers.
pub struct PacketBatch {
    adapter: Arc<MiniportAdapter>,
    layout: DataLayout,
    /// Buffers with a packet.
    ready: Vec<Object>,
    /// Buffers without a packet.
    free: Vec<Object>,
    /// The next packet, if buffers are not contiguous.
    scratch: Vec<u8>,
}

impl PacketBatch {
    /// The number of packets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ready.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// A buffer for the next packet, of the length of the MTU. `None` if the miniport has the
    /// maximum number of packets; then the edge's `room` is called when some are completed.
    pub fn buffer(&mut self) -> Option<&mut [u8]> {
        if self.layout.is_outdated(self.adapter.mtu.longest()) {
            // Packets in the batch stay as they are. Free buffers have the wrong length.
            self.adapter.sends.pool.give(&mut self.free);
            self.layout = layout(&self.adapter);
        }
        let object = self.next_free()?;
        let bytes = self.layout.packet_bytes;
        if self.layout.is_contiguous() {
            let start = self.layout.packet(object);
            // SAFETY: the packet lies in an object that this batch owns.
            return Some(unsafe { std::slice::from_raw_parts_mut(start, bytes) });
        }
        self.scratch.resize(bytes, 0);
        Some(&mut self.scratch)
    }

    /// Makes the first `length` bytes of [`buffer`](Self::buffer) a packet. Returns false, and does
    /// nothing, if they are not an IP packet.
    pub fn commit(&mut self, length: usize) -> bool {
        let (Some(object), layout) = (self.free.last().copied(), self.layout) else {
            return false;
        };
        if length == 0 || length > layout.packet_bytes {
            return false;
        }
        let version = if layout.is_contiguous() {
            // SAFETY: the packet lies in an object that this batch owns.
            unsafe { *layout.packet(object) >> 4 }
        } else {
            self.scratch.first().map_or(0, |byte| byte >> 4)
        };
        if version != 4 && version != 6 {
            return false;
        }
        if !layout.is_contiguous() {
            let packet = self.scratch.get(..length).unwrap_or_default();
            // SAFETY: this batch owns the object, which has its layout, and the length was checked.
            unsafe { layout.scatter(object, packet) };
        }
        // SAFETY: this batch owns the object, which has its layout, and the length was checked.
        unsafe { layout.finish(object, length, version) };
        self.free.pop();
        self.ready.push(object);
        true
    }

    /// Adds a packet. Returns false if there is no buffer, or if the packet is too long or not an
    /// IP packet.
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
            // Takes as many as the batch has: packets that come one by one use the same buffer,
            // which stays in the cache.
            let count = self.ready.len().clamp(1, BATCH_PACKETS / 4);
            sends.pool.take(self.layout, count, &mut self.free);
            if self.free.is_empty() {
                // The request for room is made before the second attempt, so that no completion in
                // between is missed.
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

/// The layout of packets in the adapter's send buffers.
fn layout(adapter: &MiniportAdapter) -> DataLayout {
    let general = adapter.attributes().general;
    DataLayout::new(general.as_ref(), adapter.mtu.longest(), &adapter.tuning)
}
