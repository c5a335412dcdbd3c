//! OpenVPN's data channel as a protocol module of Tunic.
//!
//! The handshake is userspace's: it brings keys through [`configure`], and every datagram that is
//! not of the data channel (P_DATA_V2) is handed up to it, unchanged. The rest is here, sans-IO:
//! [`OpenVpn`] implements the engine's [`Protocol`].
//!
//! * Data plane, under the peer lock: [`PeerData`] holds two keys (`slots`, `key`), each with its
//!   sending half (`sender`, `usage`) and its receiving one (`receiver`, `replay`), and the time
//!   stamps of the timers; `data` seals and opens.
//! * Control plane, under the control lock: `control` derives the keys of epochs to come, and does
//!   what time brings about.
//!
//! Nothing here allocates, but for a new key.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod configure;

mod control;
mod data;
mod derivation;
#[cfg(test)]
mod hex;
mod key;
mod mss;
mod own_transport;
mod packet;
mod peer;
#[cfg(test)]
mod random;
mod receiver;
mod replay;
mod sender;
mod slots;
mod timers;
mod usage;

pub use control::Control;
pub use data::{OpenContext, SealContext};
pub use key::{DirectionKey, Key, KeyError, Material, SlotInfo};
pub use packet::{Format, MAX_KEY_ID, UNDEFINED_PEER_ID};
pub use peer::{PeerControl, PeerData};
pub use slots::Slot;

use nic_engine::protocol::{
    Addresses, BatchSize, ClaimError, Class, ControlHost, Disposition, NotReady, OpenPacket,
    OpenedPacket, PeerId, SealPacket, Selector, SentPackets,
};
use nic_engine::{Endpoint, Instant, Now, Protocol};

/// How many peers an adapter has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One, which has all packets, whatever the id on those from it. It stays where it is.
    #[default]
    PointToPoint,
    /// Many, told apart by the id on their packets and by their addresses. They may move.
    MultiPeer,
}

/// The protocol module.
pub struct OpenVpn;

impl Protocol for OpenVpn {
    const NAME: &'static str = "OpenVPN";
    const HEADER_BYTES: usize = Format::Classic.overhead_bytes();
    const TRAILER_BYTES: usize = packet::TAG_BYTES;
    const CONTROL_BYTES: usize = 2048;
    const ADDRESSES: Addresses = Addresses::Exclusive;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = Format;

    const LONGEST_FRAMING: Format = Format::Epoch;

    fn framing(data: &PeerData) -> Format {
        data.format()
    }

    fn datagram_bytes(format: Format, payload_bytes: usize, _mtu_bytes: usize) -> usize {
        data::datagram_bytes(format, payload_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        data::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], _datagram_bytes: usize) -> Class {
        packet::classify(head)
    }

    fn admits(data: &PeerData, endpoint: &Endpoint, head: &[u8]) -> bool {
        // The only peer has all routes. What we send to it ourselves comes back where the host has
        // no other route to it.
        data.mode == Mode::MultiPeer || !own_transport::is_for(head, endpoint.remote)
    }

    fn seal_begin(
        data: &mut PeerData,
        load: BatchSize,
        now: Instant,
    ) -> Result<SealContext, NotReady> {
        data::seal_begin(data, load, now)
    }

    fn seal(context: &SealContext, first: u32, packets: &mut [SealPacket<'_>]) {
        data::seal(context, first, packets);
    }

    fn sent(data: &mut PeerData, _sent: SentPackets, now: Instant) {
        data.timers.sent(now);
    }

    fn open_begin(data: &PeerData, selector: Selector, _now: Instant) -> Option<OpenContext> {
        data::open_begin(data, selector)
    }

    fn open(context: &OpenContext, packets: &mut [OpenPacket<'_>]) {
        data::open(context, packets);
    }

    fn authentication_failed(data: &mut PeerData, context: &OpenContext, datagrams: u32) {
        data::authentication_failed(data, context, datagrams);
    }

    fn accept(
        data: &mut PeerData,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        data::accept(data, context, packet, now)
    }

    fn roams(data: &PeerData) -> bool {
        data.mode == Mode::MultiPeer
    }

    fn deadline(data: &PeerData) -> Instant {
        data.deadline()
    }

    fn address_validator(_control: &Control) {}

    fn control_datagram(
        control: &mut Control,
        host: &mut dyn ControlHost<Self>,
        datagram: &[u8],
        from: &Endpoint,
        _now: Now,
    ) {
        control::datagram(control, host, datagram, from);
    }

    fn timeout(control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId, now: Now) {
        control::timeout(control, host, peer, now.instant);
    }

    fn added(
        control: &mut Control,
        host: &mut dyn ControlHost<Self>,
        peer: PeerId,
    ) -> Result<(), ClaimError> {
        control::added(control, host, peer)
    }

    fn removed(control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId) {
        control::removed(control, host, peer);
    }

    fn adapter_timeout(_control: &mut Control, _now: Now) {}
}
