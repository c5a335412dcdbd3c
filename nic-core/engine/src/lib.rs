//! The crypto-NIC: peers, routes, batches, queues and the [`Protocol`] trait.
//!
//! The engine is sans-IO. Packets, time and commands are arguments; what is to be sent, indicated
//! or reported is returned, or passed to a sink of the caller. The engine never calls the host,
//! reads a clock or draws a random number. It knows no protocol and no operating system: a protocol
//! is a type parameter ([`Protocol`]), and so is the system ([`System`]).
//!
//! [`Nic`] is an adapter:
//!
//! * Transmit: [`Nic::submit`], then [`Nic::begin_seal`]; any thread seals the batch and returns it
//!   by [`Nic::finish_seal`]. In order: [`Nic::next_to_send`], [`Nic::send_completed`].
//! * Receive: [`Nic::classify`], then [`Nic::begin_open`]; any thread opens the batch and returns
//!   it by [`Nic::finish_open`]. In order: [`Nic::next_to_indicate`], [`Nic::accept`].
//! * Control thread: [`Nic::control_message`], [`Nic::authenticated_message`], [`Nic::tick`],
//!   [`Nic::configure`]. Control messages wait for it in a [`ControlQueue`], after
//!   [`Nic::validate_address`].
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
mod path;
mod peer;
mod peer_addresses;
mod peer_directory;
mod peer_table;
mod receiver_table;
mod resequencer;

pub use control_queue::{CONTROL_MESSAGES, ControlQueue};
pub use endpoint::{Endpoint, LocalAddress, Transport, canonical};
pub use inner_packet::InnerPacket;
pub use mtu::Mtu;
pub use nic::{ControlSink, Nic};
pub use nic_memory::NoMemory;
pub use path::{Path, PathQuestion};
pub use peer::PeerCounters;
pub use peer_directory::{AddPeerError, MAX_PEERS, PeerName};
pub use protocol::{ControlHost, Protocol};
pub use resequencer::Drain;
pub use system::{Packet, PacketQueue, System};
pub use time::{Instant, Now};
