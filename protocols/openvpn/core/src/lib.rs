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

use nic_engine::Protocol;
use nic_engine::protocol::{Addresses, Class, DatagramsOnly};

/// How many peers an adapter has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// One, which has all packets, whatever the id on those from it. It stays where it is.
    #[default]
    PointToPoint,
    /// Many, told apart by the id on their packets and by their addresses. They may move.
    MultiPeer,
}

/// The protocol.
pub struct OpenVpn;

impl Protocol for OpenVpn {
    const ADDRESSES: Addresses = Addresses::Exclusive;
    /// Control packets are passed to userspace.
    const MAX_CONTROL_BYTES: usize = 0;
    const MAX_OVERHEAD_BYTES: usize = Self::LONGEST_FRAMING.overhead_bytes();
    const LONGEST_FRAMING: Format = Format::Epoch;

    type Control = Control;
    type PeerControl = PeerControl;
    type PeerData = PeerData;
    type SealContext = SealContext;
    type OpenContext = OpenContext;
    type AddressValidator = ();
    type Framing = Format;
    type Stream = DatagramsOnly;

    fn datagram_bytes(format: Format, payload_bytes: usize, _mtu_bytes: usize) -> usize {
        data::datagram_bytes(format, payload_bytes)
    }

    fn payload_capacity(datagram_bytes: usize) -> usize {
        data::payload_capacity(datagram_bytes)
    }

    fn classify(head: &[u8], _datagram_bytes: usize) -> Class {
        packet::classify(head)
    }
}
