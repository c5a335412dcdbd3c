//! The NDIS miniport of a crypto-NIC: a network adapter for IP packets, each of which is sealed for a
//! peer and sent as UDP from inside the kernel, and back.
//!
//! NDIS's calls arrive at `miniport`, which hands them to an [`adapter`]. There, packets of the stack
//! go through `transmit`, datagrams through `receive`; large batches are shared among the `workers`.
//! Between them stands the engine (`nic-engine`) with the protocol, which know nothing of NT. The
//! control thread of an adapter runs handshakes and timers; the [`control_device`] takes IOCTLs.
//!
//! Which protocols there are, the driver says: it implements [`Driver`] with a list of them, and each
//! is an [`AdapterProtocol`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod adapter;
pub mod answer;
pub mod any_adapter;
pub mod control_device;
mod guid;
mod listed;
mod miniport;
mod name;
pub mod protocols;
mod recycler;
pub mod registry;
pub mod ring;
mod services;
pub mod status;
pub mod time;
pub mod utf16;
mod workers;
mod wsk;

// The functions that nt-sys imports.
#[cfg(test)]
use nt_host as _;

pub use adapter::{Adapter, AdapterProtocol};
pub use listed::Listed;
pub use miniport::{Driver, Tunic};
pub use name::Name;
pub use protocols::ProtocolList;
pub use wsk::Wsk;

/// The driver's version: major and minor.
pub const VERSION: (u8, u8) = (0, 1);
