//! The data plane: keys, counters, replay windows.

use nic_crypto::Tier;

use super::{
    Disposition, OpenPacket, OpenedPacket, Protocol, SealPacket, SealRequest, Selector, SentPackets,
};
use crate::{Endpoint, Instant};

/// Why a batch can't be sealed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// There is no usable key. The engine keeps the packets; [`DataPlane::deadline`] says when the
    /// control plane asks for a key.
    NoKey,
}

/// A peer's data state. All methods are called under the peer lock.
pub trait DataPlane<P: Protocol>: Send {
    /// The framing of the next batch. Holds for [`DataPlane::begin_seal`] under the same
    /// acquisition of the lock.
    fn framing(&self) -> P::Framing;

    /// Whether a packet with this beginning ([`crate::Packet::head`]) may be sent to the peer.
    /// Called per packet.
    #[inline]
    fn admits(&self, endpoint: &Endpoint, head: &[u8]) -> bool {
        _ = (endpoint, head);
        true
    }

    /// Reserves counters for a batch and copies the key.
    fn begin_seal(
        &mut self,
        request: SealRequest,
        now: Instant,
    ) -> Result<P::SealContext, NotReady>;

    /// Notes that a batch was handed to the network. Called in order.
    fn sent(&mut self, sent: SentPackets, now: Instant);

    /// Copies a key; `None` if the peer has no such key or it has expired.
    fn begin_open(&self, selector: Selector, now: Instant) -> Option<P::OpenContext>;

    /// Notes that `datagrams` of a batch were not authentic. Called in any order.
    fn authentication_failed(&mut self, context: &P::OpenContext, datagrams: u32) {
        _ = (context, datagrams);
    }

    /// Checks an authentic packet for replay and updates the timers. Called per packet, in order of
    /// arrival.
    fn accept(
        &mut self,
        context: &P::OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition;

    /// Whether the peer's endpoint follows the source address of authentic packets.
    fn roams(&self) -> bool;

    /// When [`super::ControlPlane::timeout`] is due next; a time in the past means at once. Read
    /// after every call that may change the state.
    fn deadline(&self) -> Instant;
}

/// One batch's copy of a sealing key.
pub trait Sealer: Send {
    /// Seals packets `first..first + packets.len()` of the batch. No lock; several threads may seal
    /// parts of one batch.
    fn seal(&self, tier: Tier<'_>, first: u32, packets: &mut [SealPacket<'_>]);
}

/// One batch's copy of an opening key.
pub trait Opener: Send {
    /// Opens datagrams and sets the result of each. No lock.
    fn open(&self, tier: Tier<'_>, packets: &mut [OpenPacket<'_>]);
}
