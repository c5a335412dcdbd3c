//! WSK: UDP sockets in the kernel.
//!
//! A [`WskClient`] opens [`UdpSocket`]s. What a socket receives goes to its [`ReceiveFrom`] as
//! [`Datagrams`], which are the network's own memory, lent until they are dropped. What it sends
//! are [`SendBatch`]es, which come back when they are sent.

mod address;
mod client;
mod control;
mod datagrams;
mod request;
mod send;
mod socket;

pub use address::PacketInfo;
pub use client::WskClient;
pub use datagrams::{Datagram, Datagrams};
pub use send::{OneSent, SendBatch, Sent};
pub use socket::{Family, ReceiveFrom, UdpSocket};
