//! The Tunic SDK: configures adapters and reads their state.
//!
//! An [`Adapter`] is controlled by IOCTLs, which a [`Transport`] carries to the driver. On Linux,
//! the transport is the Unix socket of `tunicd`:
//!
//! ```no_run
//! use tunic::{Adapter, ConfigurationChange, Key, PeerChange};
//!
//! let adapter = Adapter::open("wg0")?;
//! let mut peer = PeerChange::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=".parse()?);
//! peer.endpoint = Some("192.0.2.1:51820".parse()?);
//! peer.allowed_ips.push("0.0.0.0/0".parse()?);
//! adapter.set_configuration(&ConfigurationChange {
//!     private_key: Some(Some(Key::generate_private()?)),
//!     peers: vec![peer],
//!     ..ConfigurationChange::default()
//! })?;
//! for peer in adapter.configuration()?.peers {
//!     println!("{}: {} bytes received", peer.public_key, peer.rx_bytes);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program with a handshake of its own, such as an OpenVPN client or server, uses a
//! [`DataChannel`] instead; `userspace-sdk/examples/push-keys.rs` is a complete one.
#![forbid(unsafe_code)]

mod adapter;
mod change;
mod configuration;
pub mod data_channel;
mod error;
pub mod hex;
mod key;
mod routes;
mod transport;
#[cfg(unix)]
mod unix;

pub use adapter::{Adapter, AdapterInfo, Protocol, Statistics};
pub use change::{AllowedIpChange, ConfigurationChange, PeerChange};
pub use configuration::{AllowedIp, Configuration, ParseAllowedIpError, Peer};
pub use data_channel::DataChannel;
pub use error::Error;
pub use key::{Key, ParseKeyError, RandomError};
pub use routes::Routes;
pub use transport::{
    Completion, IoctlReply, OverlappedTransport, PendingRequest, Request, Transport,
};
pub use tunic_ioctl::native::reply::{EventInfo, EventKind, Traffic};
pub use tunic_ioctl::{AdapterId, AdapterState, PeerAction, protocol, status};
#[cfg(unix)]
pub use unix::{DEVICE_DIRECTORY, SOCKET_DIRECTORY, UnixTransport};
