//! OpenVPN client and server over a Tunic adapter, which carries the data channel.
//!
//! The modules, from the wire up; each depends on those above it:
//!
//! * [`packet`]: control packets in wire format.
//! * [`wrap`]: tls-auth, tls-crypt and tls-crypt-v2, a [`wrap::Wrap`] per session.
//! * [`tls`]: rustls configurations: certificate verification, and our identity.
//! * [`keys`]: data-channel keys from the TLS exporter or the PRF.
//! * [`options`]: a tunnel's options, pushed by a server or written in a profile.
//! * [`profile`]: client profiles (`.ovpn`) and server configurations.
//! * [`data_channel`]: the interface between control channel and data channel, the trait
//!   [`data_channel::DataChannel`].
//! * [`session`]: the control channel with one peer, sans-IO.
//! * [`process`]: the program's log, background, privileges; [`commands`]: the process that keeps
//!   them and runs other programs.
//! * [`adapter`]: the data channel on a Tunic adapter, through the SDK; [`tunicd`] runs the driver.
//! * [`server`]: many clients' sessions, addresses and networks; one data channel with a peer each.
//! * [`client`]: a profile's session, its data channel, Linux's addresses and routes.
//!
//! A client and each client of a server use the same [`session::Session`]. Its owner passes
//! datagrams between it and a [`data_channel::DataChannel`], and carries out the session's events
//! there (install a key, swap keys, ...). A session reads no clock and never blocks.
#![forbid(unsafe_code)]

pub mod adapter;
pub mod client;
mod clock;
pub mod commands;
pub mod data_channel;
pub mod keys;
pub mod options;
pub mod packet;
pub mod process;
pub mod profile;
mod role;
mod root_folder;
pub mod server;
pub mod session;
mod signals;
mod terminal;
pub mod tls;
pub mod tunicd;
pub mod wrap;

/// How much of its stack a thread wipes after work with keys, by [`nic_memory::wipe_stack`]: more
/// than TLS takes.
const STACK_FRAMES: usize = 64;

pub use role::Role;
pub use signals::Signals;
pub use tunic::data_channel::Suite;
