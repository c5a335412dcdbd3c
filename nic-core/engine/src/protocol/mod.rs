//! The interface between the engine and a data-channel protocol.
//!
//! A protocol implements one trait per plane, each on its own type:
//!
//! | Trait | Implemented by | Plane |
//! |---|---|---|
//! | [`Protocol`] | the protocol's marker type | the wire format |
//! | [`DataPlane`] | [`Protocol::PeerData`] | batches, under the peer lock |
//! | [`Sealer`] | [`Protocol::SealContext`] | packets, under no lock |
//! | [`Opener`] | [`Protocol::OpenContext`] | packets, under no lock |
//! | [`ControlPlane`] | [`Protocol::Control`] | handshakes and timers, under the control lock |
//! | [`AddressValidator`] | [`Protocol::AddressValidator`] | arriving messages, under no lock |
//! | [`StreamFraming`] | [`Protocol::Stream`] | message boundaries on byte streams |
//!
//! The data plane never waits and never performs public-key cryptography. Keys pass from the
//! control plane to the data plane through [`ControlHost::with_peer_data`].
//!
//! # Locks and IRQL
//!
//! Each method names the lock under which the engine calls it:
//!
//! * *Peer lock*: a spin lock (NT: `DISPATCH_LEVEL`). The method must not wait, must not free
//!   memory, and runs once per batch unless it says otherwise.
//! * *Control lock*: a sleep lock, one per adapter (NT: `PASSIVE_LEVEL`). The method may allocate
//!   and compute.
//! * *No lock*: any thread, any number of threads at once, up to `DISPATCH_LEVEL`. The method must
//!   not wait or allocate.
//!
//! # The path of a packet
//!
//! Transmit: [`DataPlane::begin_seal`] (peer lock: reserve counters, copy the key),
//! [`Sealer::seal`] (no lock), [`DataPlane::sent`] (peer lock, in order).
//!
//! Receive: [`Protocol::classify`] (no lock), [`DataPlane::begin_open`] (peer lock: copy the key),
//! [`Opener::open`] (no lock), [`DataPlane::accept`] (peer lock, in order: replay, timers).

mod control_plane;
mod data_plane;
mod discard;
mod event;
mod host;
mod identifiers;
mod packet;
mod stream;
mod traffic_class;

pub use self::{
    control_plane::{AddressValidation, AddressValidator, ControlPlane},
    data_plane::{DataPlane, NotReady, Opener, Sealer},
    discard::Discard,
    event::Event,
    host::{ClaimError, ControlHost},
    identifiers::{PeerId, ReceiverId, Selector},
    packet::{
        Content, Disposition, OpenPacket, OpenedPacket, SealPacket, SealRequest, SentPackets,
        gather,
    },
    stream::{DatagramsOnly, StreamFraming, StreamMessage},
    traffic_class::{Ecn, TrafficClass},
};

/// The type of a datagram, determined from its first bytes and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A data packet.
    Data(Selector),
    /// A message for the control plane or for userspace.
    Control,
    /// No message of the protocol.
    Malformed,
}

/// Whether two peers may have the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// They may.
    Shared,
    /// They may not. A peer that roams is not followed to the address of another peer, and its
    /// packets from there are dropped.
    Exclusive,
}

/// The wire format of a data-channel protocol, and the types that implement its planes.
///
/// All functions are pure, and are called under no lock or the peer lock.
pub trait Protocol: Sized + 'static {
    /// Whether two peers may have the same address.
    const ADDRESSES: Addresses;
    /// The length of the longest message that the control plane receives or sends itself. 0 if the
    /// handshake is in userspace.
    const MAX_CONTROL_BYTES: usize;
    /// The maximum number of bytes that sealing adds to a packet as long as the MTU.
    const MAX_OVERHEAD_BYTES: usize;
    /// The framing that makes the longest datagrams.
    const LONGEST_FRAMING: Self::Framing;

    /// The adapter's control state: identity, cookie secrets, rate limiter.
    type Control: ControlPlane<Self>;
    /// A peer's control state: its handshake.
    type PeerControl: Send;
    /// A peer's data state: keys, counters, replay windows, time stamps of the timers.
    type PeerData: DataPlane<Self>;
    /// One batch's copy of a sealing key, with the counters reserved for the batch.
    type SealContext: Sealer;
    /// One batch's copy of an opening key.
    type OpenContext: Opener;
    /// A copy of the control state that address validation needs; `()` if there is none.
    type AddressValidator: AddressValidator;
    /// The parameters, beside the payload, on which the length of a datagram depends; `()` if there
    /// are none.
    type Framing: Copy + Send;
    /// How messages are delimited on a byte stream; [`DatagramsOnly`] if the protocol has no stream
    /// transport.
    type Stream: StreamFraming;

    /// The length of the datagram that carries a payload of `payload_bytes` on an adapter with this
    /// MTU. 0 stands for a keepalive. Called per packet.
    fn datagram_bytes(framing: Self::Framing, payload_bytes: usize, mtu_bytes: usize) -> usize;

    /// The length of the output buffer that opening a datagram of this length needs. Called per
    /// packet.
    fn payload_capacity(datagram_bytes: usize) -> usize;

    /// Classifies a datagram by its first bytes (at least 16, or all of it) and its length. Called
    /// per packet.
    fn classify(head: &[u8], datagram_bytes: usize) -> Class;

    /// The traffic class of the outer header for a packet with this inner one. The default copies
    /// the ECN field, as the normal mode of RFC 6040 (section 4.1) requires, and hides the DSCP.
    fn outer_traffic_class(inner: TrafficClass) -> TrafficClass {
        TrafficClass { dscp: 0, ecn: inner.ecn }
    }

    /// The ECN field of an opened packet, combined from both headers; `None` drops the packet. The
    /// default is RFC 6040, section 4.2.
    fn inner_ecn(inner: Ecn, outer: Ecn) -> Option<Ecn> {
        inner.decapsulated(outer)
    }
}
