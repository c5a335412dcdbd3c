//! OpenVPN's data channel as a protocol module of Tunic.
//!
//! The handshake is userspace's: it brings keys through [`configure`], and every datagram that is
//! not of the data channel (P_DATA_V2) is handed up to it, unchanged. The rest is here, sans-IO:
//! [`OpenVpn`] implements the engine's [`Protocol`](nic_engine::Protocol).
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
mod mode;
mod mss;
mod own_transport;
mod packet;
mod peer;
mod peer_name;
mod protocol;
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
pub use mode::Mode;
pub use packet::{Format, MAX_KEY_ID, UNDEFINED_PEER_ID};
pub use peer::{PeerControl, PeerData};
pub use protocol::OpenVpn;
pub use slots::Slot;
