//! One adapter: its peers, routes and receiver IDs, and the paths of packets through them.
//!
//! # Locks
//!
//! In this order, and no others:
//!
//! 1. the control lock (`S::SleepLock`): handshakes, timers, configuration; one per adapter;
//! 2. the writers' locks of routes and receivers (`S::SleepLock`);
//! 3. the lock of peers' addresses (`S::SpinLock`), for protocols where no two may be at one;
//! 4. a peer's lock (`S::SpinLock`): taken once per batch, never two at a time, and nothing is
//!    called or freed under it; and that of what judges control messages, for as long as a copy
//!    takes.
//!
//! A sink of the caller's is called under the first alone. Everything that a packet needs tolerates
//! that its peer is removed at any moment: names carry a generation, and a name that matches no
//! more finds nothing.

mod configurator;
mod control;
mod host;
mod paths;
mod peer_address;

mod receive;
mod tick;
mod transmit;

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use alloc::boxed::Box;
use lock_api::Mutex;

pub use self::{
    configurator::{Configurator, NewPeer},
    control::ControlSink,
    receive::{AcceptEffects, AcceptItem, RxBatch, RxOutcome, RxTicket},
    transmit::{
        BATCH_PACKETS, NextTxBatch, PumpList, SendEffects, SentBatch, ToSend, TxBatch, TxTicket,
    },
};
use crate::{
    Endpoint, Instant, Mtu, Protocol, System,
    hash_table::HashKey,
    peer::PeerCounters,
    peer_addresses::PeerAddresses,
    peer_directory::PeerDirectory,
    peer_table::PeerTable,
    protocol::{ControlPlane, Discard, PeerId, TrafficClass},
    receiver_table::ReceiverTable,
    routes::Routes,
    statistics::{Statistics, Totals},
};

/// An adapter that speaks one protocol.
pub struct Nic<P: Protocol, S: System> {
    control: Mutex<S::SleepLock, ControlState<P>>,
    peers: PeerTable<P, S>,
    routes: Routes<S::SleepLock>,
    receivers: ReceiverTable<S::SleepLock>,
    /// Kept where [`Protocol::ADDRESSES`] are exclusive.
    addresses: PeerAddresses<S::SpinLock>,
    /// As the control state last had it.
    address_validator: Mutex<S::SpinLock, P::AddressValidator>,
    statistics: Statistics,
    mtu_v4_bytes: AtomicU32,
    mtu_v6_bytes: AtomicU32,
    is_up: AtomicBool,
}

/// Under the control lock.
struct ControlState<P: Protocol> {
    /// On the heap, so that a `Nic` fits on a kernel stack until it is moved to the heap.
    protocol: Box<P::Control>,
    directory: PeerDirectory<P::PeerControl>,
    next_adapter_timeout: Instant,
    /// The slot at which the next look at who is due starts.
    scan_from: u32,
}

impl<P: Protocol, S: System> Nic<P, S> {
    /// An adapter without peers, down. `hash_key` must be random: it keeps others from choosing
    /// keys that collide in tables.
    #[inline(never)] // What it is made of is not in its caller's frame as well.
    pub fn new(control: Box<P::Control>, hash_key: [u8; 16]) -> Self {
        let address_validator = Mutex::new(control.address_validator());
        Self {
            control: Mutex::new(ControlState {
                protocol: control,
                directory: PeerDirectory::new(HashKey(hash_key)),
                next_adapter_timeout: Instant::ZERO,
                scan_from: 0,
            }),
            peers: PeerTable::new(),
            routes: Routes::new(),
            receivers: ReceiverTable::new(),
            addresses: PeerAddresses::new(HashKey(hash_key)),
            address_validator,
            statistics: Statistics::default(),
            mtu_v4_bytes: AtomicU32::new(DEFAULT_MTU_BYTES),
            mtu_v6_bytes: AtomicU32::new(DEFAULT_MTU_BYTES),
            is_up: AtomicBool::new(false),
        }
    }

    /// Whether packets go through.
    pub fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Acquire)
    }

    /// The length of the longest packet that the stack above should send; bounds padding.
    pub fn mtu(&self) -> Mtu {
        Mtu {
            v4_bytes: self.mtu_v4_bytes.load(Ordering::Relaxed),
            v6_bytes: self.mtu_v6_bytes.load(Ordering::Relaxed),
        }
    }

    /// Notes that the MTU has changed.
    pub fn set_mtu(&self, mtu: Mtu) {
        self.mtu_v4_bytes.store(mtu.v4_bytes, Ordering::Relaxed);
        self.mtu_v6_bytes.store(mtu.v6_bytes, Ordering::Relaxed);
    }

    /// The length of the datagram that carries a packet of this length that begins like this;
    /// `framing` is its batch's.
    pub fn datagram_bytes(&self, framing: P::Framing, head: &[u8], payload_bytes: usize) -> usize {
        P::datagram_bytes(framing, payload_bytes, self.mtu().of_packet(head))
    }

    /// The traffic class of the outer header for a packet that begins like this. No lock.
    pub fn outer_traffic_class(&self, head: &[u8]) -> TrafficClass {
        P::outer_traffic_class(TrafficClass::of_packet(head))
    }

    /// The allowed IPs, to look up and to print.
    pub const fn routes(&self) -> &Routes<S::SleepLock> {
        &self.routes
    }

    /// The adapter's counters now.
    pub fn totals(&self) -> Totals {
        self.statistics.totals()
    }

    /// Writes the routes as a Graphviz digraph: prefixes with their peer's index, forks dashed.
    pub fn write_graphviz(&self, out: &mut impl fmt::Write) -> fmt::Result {
        self.routes.write_graphviz(out)
    }

    /// Counts packets or messages that got nowhere: what the caller drops by itself.
    pub fn count(&self, reason: Discard, count: u64) {
        self.statistics.discarded(reason, count);
    }

    /// What a peer has sent and received; `None` where it is gone.
    pub fn peer_counters(&self, peer: PeerId) -> Option<PeerCounters> {
        self.peers.with(peer, |state| state.counters)
    }

    /// Where a peer is; `None` where that is not known or the peer is gone.
    pub fn endpoint(&self, peer: PeerId) -> Option<Endpoint> {
        self.peers.with(peer, |state| state.endpoint).flatten()
    }

    /// How many receivers the protocol has allocated.
    pub fn receiver_count(&self) -> usize {
        self.receivers.len()
    }
}

/// What remains of 1500 bytes for a packet in a tunnel over IPv6.
const DEFAULT_MTU_BYTES: u32 = 1420;
