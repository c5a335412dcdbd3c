//! The adapter as a device of smoltcp: packets come from the inbox and go out in batches.

use std::collections::VecDeque;

use smoltcp::phy::{Device, DeviceCapabilities, Medium};
use smoltcp::time::Instant;

use super::task::Task;
use crate::ndis::{AdapterPort, PacketBatch};

/// The maximum number of packets in a batch, and of packets received between two rounds of sending.
const BATCH_PACKETS: usize = 64;
/// The maximum number of packets that wait for the stack.
const INBOX_PACKETS: usize = 4096;

/// Packets and tasks for the stack's thread.
#[derive(Default)]
pub(super) struct Inbox {
    packets: VecDeque<Vec<u8>>,
    /// Buffers for reuse.
    spare: Vec<Vec<u8>>,
    pub(super) tasks: Vec<Box<dyn Task>>,
    pub(super) has_room: bool,
    /// Whether the thread sleeps.
    pub(super) sleeps: bool,
}

impl Inbox {
    pub(super) fn push(&mut self, packet: &[u8]) {
        if self.packets.len() >= INBOX_PACKETS {
            // The stack is too slow: the packet is dropped, as in a full receive queue.
            return;
        }
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.clear();
        buffer.extend_from_slice(packet);
        self.packets.push_back(buffer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.tasks.is_empty() && !self.has_room
    }
}

/// The adapter as the stack's thread sees it.
pub(super) struct Link {
    incoming: VecDeque<Vec<u8>>,
    used: Vec<Vec<u8>>,
    /// The number of packets that may still be received in this round.
    budget: usize,
    outgoing: Outgoing,
    pub(super) mtu: usize,
}

struct Outgoing {
    port: AdapterPort,
    batch: PacketBatch,
    /// Whether there was no buffer for a packet.
    blocked: bool,
}

impl Link {
    pub(super) fn new(port: AdapterPort) -> Self {
        Self {
            incoming: VecDeque::new(),
            used: Vec::new(),
            budget: 0,
            mtu: port.mtu() as usize,
            outgoing: Outgoing { batch: port.batch(), port, blocked: false },
        }
    }

    /// Takes packets and tasks from the inbox, and returns buffers. Returns whether packets are
    /// left for another round.
    pub(super) fn exchange(&mut self, inbox: &mut Inbox, tasks: &mut Vec<Box<dyn Task>>) -> bool {
        inbox.spare.append(&mut self.used);
        if self.incoming.is_empty() {
            std::mem::swap(&mut self.incoming, &mut inbox.packets);
        }
        tasks.append(&mut inbox.tasks);
        inbox.has_room = false;
        self.outgoing.blocked = false;
        self.budget = BATCH_PACKETS;
        self.incoming.len() > BATCH_PACKETS || !inbox.packets.is_empty()
    }

    /// Transmits the packets of the batch.
    pub(super) fn flush(&mut self) {
        self.outgoing.flush();
    }

    /// Whether the stack has packets without a buffer.
    pub(super) fn is_blocked(&self) -> bool {
        self.outgoing.blocked
    }
}

impl Outgoing {
    fn has_room(&mut self) -> bool {
        if self.batch.buffer().is_none() {
            // The miniport may complete these packets at once.
            self.flush();
        }
        self.blocked |= self.batch.buffer().is_none();
        !self.blocked
    }

    fn flush(&mut self) {
        if !self.batch.is_empty() {
            // Packets that are not accepted are discarded, and counted by the port. TCP retransmits
            // them.
            let _ = self.port.transmit(&mut self.batch);
        }
    }
}

impl Device for Link {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        if self.budget == 0 || self.incoming.is_empty() || !self.outgoing.has_room() {
            return None;
        }
        self.budget -= 1;
        let packet = self.incoming.pop_front()?;
        Some((RxToken { packet, used: &mut self.used }, TxToken { outgoing: &mut self.outgoing }))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        self.outgoing.has_room().then_some(TxToken { outgoing: &mut self.outgoing })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = self.mtu;
        capabilities
    }
}

/// A received packet.
pub(super) struct RxToken<'a> {
    packet: Vec<u8>,
    used: &'a mut Vec<Vec<u8>>,
}

impl smoltcp::phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        let result = f(&self.packet);
        self.used.push(self.packet);
        result
    }
}

/// A buffer for a packet.
pub(super) struct TxToken<'a> {
    outgoing: &'a mut Outgoing,
}

impl smoltcp::phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let outgoing = self.outgoing;
        let room = outgoing.batch.buffer().and_then(|buffer| buffer.get_mut(..length));
        let Some(room) = room else {
            // The packet exceeds an MTU that has been lowered: it is lost, as on a wire.
            return f(&mut vec![0; length]);
        };
        let result = f(room);
        outgoing.batch.commit(length);
        if outgoing.batch.len() >= BATCH_PACKETS {
            outgoing.flush();
        }
        result
    }
}
