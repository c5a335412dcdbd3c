//! OpenVPN over Tunic: everything but the data channel, which is a Tunic adapter's.
//!
//! How the parts fit, from the wire up:
//!
//! | Module | What it is | Knows |
//! |---|---|---|
//! | [`packet`] | control packets as they are on the wire | nobody |
//! | [`wrap`] | tls-auth, tls-crypt, tls-crypt-v2 around control packets: a [`wrap::Wrap`] per session | [`packet`] |
//! | [`tls`] | rustls configurations: who is trusted, as what, and who we are | nobody |
//! | [`keys`] | data-channel keys from the TLS exporter or the PRF | nobody |
//! | [`session`] | the control channel with one peer, sans-IO: datagrams and time in; datagrams and events out | these |
//! | [`options`] | what a tunnel is configured with, pushed by a server or written in a profile | nobody |
//! | [`profile`] | `.ovpn` files | [`options`] |
//! | [`data_channel`] | what the control channel asks of a data path: the trait [`data_channel::DataChannel`] | [`keys`] |
//! | [`adapter`] | the data path that there is: a Tunic adapter, by the SDK; [`tunicd`] runs it | [`data_channel`] |
//! | [`server`] | the server: many clients' sessions, addresses, networks; one data channel with a peer for each | all |
//! | [`client`] | the client: a profile's session, its data channel, Linux's addresses and routes | all |
//!
//! A [`session::Session`] is the same machine for a client and for each client of a server: whoever
//! owns it moves datagrams between it and a [`data_channel::DataChannel`], and does there what the
//! session's events say (install a key, swap, ...). It never reads a clock and never waits.
#![forbid(unsafe_code)]

pub mod adapter;
pub mod client;
mod clock;
pub mod data_channel;
pub mod keys;
pub mod options;
pub mod packet;
pub mod profile;
mod role;
pub mod server;
pub mod session;
mod terminal;
pub mod tls;
pub mod tunicd;
pub mod wrap;

pub use role::Role;
pub use tunic::data_channel::Suite;
