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
pub use cookie::MacValidator;
pub use data::{OpenContext, SealContext};
pub use identity::Identity;
pub use peer::{PeerControl, PeerData};
pub use timers::TimerConstants;

use nic_engine::Protocol;
use nic_engine::protocol::{Addresses, Class, DatagramsOnly};

/// The protocol.
pub struct WireGuard;

impl Protocol for WireGuard {
    const ADDRESSES: Addresses = Addresses::Shared;
    const MAX_CONTROL_BYTES: usize = message::INITIATION_BYTES;
    const MAX_OVERHEAD_BYTES: usize = message::DATA_HEADER_BYTES + message::TAG_BYTES;
    const LONGEST_FRAMING: () = ();

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = MacValidator;
    type Framing = ();
    type Stream = DatagramsOnly;

    fn datagram_bytes((): (), payload_bytes: usize, mtu_bytes: usize) -> usize {
        data::datagram_bytes(payload_bytes, mtu_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        data::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], datagram_bytes: usize) -> Class {
        message::classify(head, datagram_bytes)
    }
}
