//! The crypto-NIC: peers, routes, batches, queues and the [`Protocol`] trait.
//!
//! The engine is sans-IO. Packets, time and commands come in as arguments; what is to be sent,
//! indicated or told comes out as return values or through a sink that the caller gives. It never
//! calls the host, reads a clock or draws a random number, and it knows no protocol and no
//! operating system: the former come as [`Protocol`], the latter as [`System`].
//!
//! [`Device`] is an adapter. A packet's way out is [`Device::submit`], then [`Device::next_batch`],
//! sealed by any thread, [`Device::sealed`], and in order [`Device::next_to_send`] and
//! [`Device::send_completed`]. Its way in is [`Device::classify`], then [`Device::begin_open`],
//! opened by any thread, [`Device::opened`], and in order [`Device::next_to_indicate`] and
//! [`Device::accept`]. Beside them runs a control thread: [`Device::control_datagram`],
//! [`Device::tick`], [`Device::configure`]. What waits for it lies in a [`ControlQueue`], by its
//! [`Device::standing`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "plain"))]
extern crate std;

pub mod cipher_context;
pub mod device;
pub mod endpoint;
pub mod inner_packet;
pub mod protocol;
pub mod routes;
pub mod statistics;
pub mod system;
pub mod time;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(any(test, feature = "plain"))]
pub mod plain;

mod address_book;
mod arena;
mod backlog;
mod byte_limit;
mod codel;
mod context_table;
mod control_queue;
mod deadlines;
mod growing;
mod mtu;
mod peer;
mod peer_directory;
mod peer_table;
mod reorder;

pub use control_queue::{CONTROL_MESSAGES, ControlQueue};
pub use device::{ControlSink, Device};
pub use endpoint::{Endpoint, LocalAddress};
pub use inner_packet::InnerPacket;
pub use mtu::Mtu;
pub use nic_memory::NoMemory;
pub use peer::PeerCounters;
pub use peer_directory::{AddPeerError, MAX_PEERS, PeerName};
pub use protocol::{ControlHost, Protocol};
pub use reorder::{Ticket, Turn};
pub use system::{Packet, PacketQueue, System};
pub use time::{Instant, Now};
