//! The crypto-NIC: peers, routes, batches, queues and the [`Protocol`] trait.
//!
//! The engine is sans-IO. Packets, time and commands come in as arguments; what is to be sent, indicated or told comes
//! out as return values or through a sink that the caller gives. It never calls the host, reads a clock or draws a random
//! number, and it knows no protocol and no operating system: the former come as [`Protocol`], the latter as [`System`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod endpoint;
pub mod protocol;
pub mod system;
pub mod time;

pub use endpoint::{Endpoint, LocalAddress};
pub use protocol::{ControlHost, Protocol};
pub use system::{Packet, PacketQueue, System};
pub use time::{Instant, Now};
