//! The NDIS miniport of a crypto-NIC: a network adapter for IP packets. It seals each packet for a
//! peer and sends it as UDP from inside the kernel; and the reverse.
//!
//! NDIS calls `miniport`, which forwards to an [`adapter`]. In the adapter, packets of the stack
//! pass through `transmit`, and datagrams through `receive`; `workers` seal and open large batches.
//! The engine (`nic-engine`) and the protocol, between transmit and receive, do not depend on NT.
//! Each adapter's control thread runs handshakes and timers. The [`control_device`] receives
//! IOCTLs.
//!
//! A driver implements [`Driver`] with its list of protocols; each is an [`AdapterProtocol`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod adapter;
pub mod answer;
pub mod any_adapter;
pub mod control_device;
pub mod device_group;
mod devices;
mod guid;
mod listed;
mod miniport;
mod name;
mod outer_route;
pub mod own_device;
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

/// What is wiped of the stack after work with keys, by [`nic_memory::wipe_stack`]: about as much as
/// any chain of calls takes (`cargo xtask check-stack`). Code that isn't optimized takes more.
const STACK_FRAMES: usize = if cfg!(debug_assertions) { 48 } else { 12 };

/// The driver's version: major and minor.
pub const VERSION: (u8, u8) = (0, 1);
