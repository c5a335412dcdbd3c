//! WireGuard as a protocol module of Tunic.
//!
//! The whole protocol of "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld, 2017),
//! sans-IO: [`WireGuard`] implements the engine's [`Protocol`], and [`configure`] is what the
//! management interface changes.
//!
//! * Data plane, under the peer lock: [`PeerData`] holds the sessions (`keypair`) and the time
//!   stamps of all timers (`timers`); `data` seals and opens.
//! * Control plane, under the control lock: [`Control`] and [`PeerControl`]; `handshake` handles
//!   messages and passing time with the Noise core in [`noise`], authenticators and cookies in
//!   `cookie`, and `rate_limiter`.
//!
//! Nothing here allocates, but for a new peer's sessions, and the table of the rate limiter the
//! first time that there is load.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod configure;
pub mod message;
pub mod noise;
pub mod timers;

mod control;
mod cookie;
mod data;
mod handshake;
mod identity;
mod keypair;
mod peer;
mod rate_limiter;
mod timestamp;

pub use control::Control;
pub use cookie::AddressValidator;
pub use data::{OpenContext, SealContext};
pub use identity::Identity;
pub use peer::{PeerControl, PeerData};
pub use timers::TimerConstants;

use nic_engine::protocol::{
    AddressValidation, Addresses, BatchSize, ClaimError, Class, ControlHost, Discard, Disposition,
    NotReady, OpenPacket, OpenedPacket, PeerId, ReceiverId, SealPacket, Selector, SentPackets,
};
use nic_engine::{Endpoint, Instant, Now, Protocol};

/// The protocol module.
pub struct WireGuard;

impl Protocol for WireGuard {
    const NAME: &'static str = "WireGuard";
    const HEADER_BYTES: usize = message::DATA_HEADER_BYTES;
    const TRAILER_BYTES: usize = message::TAG_BYTES;
    const CONTROL_BYTES: usize = message::INITIATION_BYTES;
    const ADDRESSES: Addresses = Addresses::Shared;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = Option<AddressValidator>;
    type Framing = ();

    const LONGEST_FRAMING: () = ();

    fn framing(_data: &PeerData) {}

    fn datagram_bytes((): (), payload_bytes: usize, mtu_bytes: usize) -> usize {
        data::datagram_bytes(payload_bytes, mtu_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        data::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        message::classify(head, datagram_bytes)
    }

    fn seal_begin(
        data: &mut PeerData,
        load: BatchSize,
        now: Instant,
    ) -> Result<SealContext, NotReady> {
        data::seal_begin(data, load.packets, now)
    }

    fn seal(context: &SealContext, first: u32, packets: &mut [SealPacket<'_>]) {
        data::seal(context, first, packets);
    }

    fn sent(data: &mut PeerData, sent: SentPackets, now: Instant) {
        data::sent(data, sent, now);
    }

    fn open_begin(data: &PeerData, selector: Selector, now: Instant) -> Option<OpenContext> {
        data::open_begin(data, selector.receiver, now)
    }

    fn open(context: &OpenContext, packets: &mut [OpenPacket<'_>]) {
        data::open(context, packets);
    }

    fn accept(
        data: &mut PeerData,
        context: &OpenContext,
        packet: &OpenedPacket,
        now: Instant,
    ) -> Disposition {
        data::accept(data, context, packet, now)
    }

    fn roams(_data: &PeerData) -> bool {
        true
    }

    fn deadline(data: &PeerData) -> Instant {
        data::deadline(data)
    }

    fn address_validator(control: &Control) -> Option<AddressValidator> {
        control.cookies.as_ref().map(|cookies| cookies.validator.clone())
    }

    fn validate_address(
        validator: &Option<AddressValidator>,
        datagram: &[u8],
        from: &Endpoint,
        is_assigned: &dyn Fn(ReceiverId) -> bool,
        now: Instant,
    ) -> Result<AddressValidation, Discard> {
        handshake::validate_address(validator.as_ref(), datagram, from, is_assigned, now)
    }

    fn control_datagram(
        control: &mut Control,
        host: &mut dyn ControlHost<Self>,
        datagram: &[u8],
        from: &Endpoint,
        now: Now,
    ) {
        handshake::control_datagram(control, host, datagram, from, now);
    }

    fn timeout(control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId, now: Now) {
        handshake::timeout(control, host, peer, now);
    }

    fn added(
        _control: &mut Control,
        _host: &mut dyn ControlHost<Self>,
        _peer: PeerId,
    ) -> Result<(), ClaimError> {
        Ok(())
    }

    fn removed(_control: &mut Control, host: &mut dyn ControlHost<Self>, peer: PeerId) {
        handshake::erase(host, peer);
    }

    fn adapter_timeout(control: &mut Control, now: Now) {
        control.collect(now.instant);
    }
}
