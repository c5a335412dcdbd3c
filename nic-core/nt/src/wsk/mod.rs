//! WSK: UDP sockets in the kernel.
//!
//! A [`WskClient`] opens [`UdpSocket`]s. A socket passes received [`Datagrams`] to its
//! [`ReceiveFrom`]; they are memory of the network stack, retained until they are dropped. A socket
//! sends [`SendBatch`]es, which are returned when they have been sent.

mod address;
mod client;
mod control;
mod datagrams;
mod request;
mod send;
mod socket;

pub use address::PacketInfo;
pub(crate) use address::to_sockaddr;
pub use client::WskClient;
pub use datagrams::{Datagram, Datagrams};
pub use send::{OneSent, SendBatch, Sent};
pub use socket::{Family, ReceiveFrom, UdpSocket};
