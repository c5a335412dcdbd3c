//! One peer's state on the data path.

use alloc::boxed::Box;
use lock_api::Mutex;
use nic_memory::Queue;

use crate::{
    Endpoint, Instant, Protocol, System, Transport,
    backlog::Backlog,
    byte_limit::ByteLimit,
    path::PathState,
    protocol::{DataPlane, SentPackets},
    resequencer::Resequencer,
};

/// What a peer has sent and received: UDP payload, keepalives and handshakes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCounters {
    /// Datagrams sent.
    pub sent_packets: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Authentic datagrams received.
    pub received_packets: u64,
    /// Bytes of them.
    pub received_bytes: u64,
    /// Bytes of IP packets sent.
    pub sent_payload_bytes: u64,
    /// Bytes of IP packets received, those from foreign sources included.
    pub received_payload_bytes: u64,
}

/// A slot of the peer table.
pub(crate) struct PeerSlot<P: Protocol, S: System> {
    pub(crate) occupant: Mutex<S::SpinLock, Occupant<P, S>>,
}

/// Under the peer's lock.
pub(crate) struct Occupant<P: Protocol, S: System> {
    /// Distinguishes the successive occupants of the slot.
    pub(crate) generation: u32,
    pub(crate) peer: Option<Box<Peer<P, S>>>,
}

/// A peer on the data path.
pub(crate) struct Peer<P: Protocol, S: System> {
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) path: PathState,
    pub(crate) backlog: Backlog<S>,
    /// A keepalive is sent if nothing else is.
    pub(crate) keepalive: bool,
    /// Messages of the control plane that wait to be sealed; sent before the backlog.
    pub(crate) control_messages: Queue<Box<[u8]>>,
    pub(crate) limit: ByteLimit,
    pub(crate) sealing: Resequencer<SealedBatch<S>>,
    pub(crate) opening: Resequencer<S::Opened>,
    pub(crate) counters: PeerCounters,
    pub(crate) data: P::PeerData,
}

/// A sealed batch that waits to be sent in order.
pub(crate) struct SealedBatch<S: System> {
    pub(crate) sealed: S::Sealed,
    pub(crate) sent: SentPackets,
    pub(crate) payload_bytes: usize,
    pub(crate) bytes: usize,
}

impl<P: Protocol, S: System> Peer<P, S> {
    #[inline]
    pub(crate) fn new(data: P::PeerData) -> Self {
        Self {
            endpoint: None,
            path: PathState::new(),
            backlog: Backlog::new(),
            keepalive: false,
            control_messages: Queue::new(),
            limit: ByteLimit::new(),
            sealing: Resequencer::new(),
            opening: Resequencer::new(),
            counters: PeerCounters::default(),
            data,
        }
    }
}

impl<P: Protocol, S: System> Peer<P, S> {
    /// When the control plane has to look.
    pub(crate) fn deadline(&self) -> Instant {
        self.data.deadline().min(self.path.ask_at)
    }

    /// Notes where an authentic datagram came from.
    pub(crate) fn heard_from(&mut self, from: Endpoint) {
        let Some(before) = self.endpoint.filter(|before| before.remote == from.remote) else {
            self.endpoint = Some(from);
            if S::FINDS_PATHS && from.transport == Transport::Datagram {
                self.path.moved(from.local);
            }
            return;
        };
        if S::FINDS_PATHS && from.transport == Transport::Datagram {
            self.path.arrived(from.local, before.local);
        } else {
            self.endpoint = Some(from);
        }
    }

    /// Whether anything waits to be sealed.
    pub(crate) fn has_queued(&self) -> bool {
        self.keepalive || !self.control_messages.is_empty() || !self.backlog.is_empty()
    }

    /// Queues a message of the control plane. Gives it back if there is no room.
    pub(crate) fn queue_control(&mut self, message: Box<[u8]>) -> Result<(), Box<[u8]>> {
        let has_room = self.control_messages.len() < MAX_CONTROL_MESSAGES
            && self.control_messages.try_reserve(1).is_ok();
        if has_room { self.control_messages.push_back(message) } else { Err(message) }
    }
}

impl<P: Protocol, S: System> PeerSlot<P, S> {
    pub(crate) fn new() -> Self {
        Self { occupant: Mutex::new(Occupant { generation: 0, peer: None }) }
    }
}

/// The maximum number of sealed control messages that wait for a peer: more than any handshake
/// sends at once.
const MAX_CONTROL_MESSAGES: usize = 16;
