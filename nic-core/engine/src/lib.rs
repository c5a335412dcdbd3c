//! The crypto-NIC: peers, routes, batches, queues and the [`Protocol`] trait.
//!
//! The engine is sans-IO. Packets, time and commands come in as arguments; what is to be sent,
//! indicated or told comes out as return values or through a sink that the caller gives. It never
//! calls the host, reads a clock or draws a random number, and it knows no protocol and no
//! operating system: the former come as [`Protocol`], the latter as [`System`].
//!
//! [`Nic`] is an adapter. A packet's way out is [`Nic::submit`], then [`Nic::begin_seal`],
//! sealed by any thread, [`Nic::finish_seal`], and in order [`Nic::next_to_send`] and
//! [`Nic::send_completed`]. Its way in is [`Nic::classify`], then [`Nic::begin_open`],
//! opened by any thread, [`Nic::finish_open`], and in order [`Nic::next_to_indicate`] and
//! [`Nic::accept`]. Beside them runs a control thread: [`Nic::control_message`],
//! [`Nic::tick`], [`Nic::configure`]. What waits for it lies in a [`ControlQueue`], by its
//! [`Nic::validate_address`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "plain"))]
extern crate std;

pub mod endpoint;
pub mod inner_packet;
pub mod nic;
pub mod nonce_counter;
pub mod protocol;
pub mod replay_window;
pub mod routes;
pub mod statistics;
pub mod system;
pub mod time;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "fake")]
pub mod fake_host;
#[cfg(any(test, feature = "plain"))]
pub mod plain;

mod arena;
mod backlog;
mod byte_limit;
mod codel;
mod control_queue;
mod deadlines;
mod growing;
mod hash_table;
mod mtu;
mod peer;
mod peer_addresses;
mod peer_directory;
mod peer_table;
mod receiver_table;
mod resequencer;

pub use control_queue::{CONTROL_MESSAGES, ControlQueue};
pub use endpoint::{Endpoint, LocalAddress, Transport};
pub use inner_packet::InnerPacket;
pub use mtu::Mtu;
pub use nic::{ControlSink, Nic};
pub use nic_memory::NoMemory;
pub use peer::PeerCounters;
pub use peer_directory::{AddPeerError, MAX_PEERS, PeerName};
pub use protocol::{ControlHost, Protocol};
pub use resequencer::Drain;
pub use system::{Packet, PacketQueue, System};
pub use time::{Instant, Now};
