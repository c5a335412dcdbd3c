//! The control ABIs of the Tunic driver: plain-data records and their codecs.
//!
//! Three ABIs lead to the same commands: the native one ([`native`], versioned records), that of
//! WireGuardNT ([`wireguard_nt`], what `wg.exe` and `wireguard.dll` speak) and that of ovpn-dco-win
//! ([`ovpn_dco`], what OpenVPN speaks). What is asked of a protocol whose handshake is in userspace
//! is in [`data_channel`]. [`decode`] turns the bytes of an IOCTL into a [`Request`]; it has judged
//! the whole buffer when it returns, so a caller may apply what it finds without meeting a
//! malformed record half way. Answers are written by [`ConfigurationEncoder`] and the functions of
//! [`native::reply`], [`native::channel::reply`] and [`ovpn_dco`].
//!
//! Nothing here allocates, panics or transmutes: a record is read and written field by field, at
//! offsets that are checked at compile time against the C layout.
//!
//! A kernel must decode its own copy of a buffer that user mode can still write to (the direct
//! methods): the views stay memory-safe whatever happens to the bytes, but only an unchanging
//! buffer stays valid.
#![no_std]
#![forbid(unsafe_code)]

mod abi;
mod bytes;
mod flags;
#[macro_use]
mod record;

mod change;
pub mod code;
mod command;
pub mod configuration;
pub mod data_channel;
mod decode;
pub mod error;
pub mod frame;
pub mod header;
pub mod native;
pub mod ovpn_dco;
pub mod protocol;
pub mod sockaddr;
pub mod status;
mod suite;
mod values;
pub mod wireguard_nt;

pub use abi::Abi;
pub use change::{
    AllowedIpChange, AllowedIps, Configure, KeyChange, MAX_PEERS, PeerAction, PeerChange, Peers,
};
pub use command::{Command, Request};
pub use configuration::ConfigurationEncoder;
pub use decode::decode;
pub use error::{DecodeError, DecodeErrorKind};
pub use record::{Field, Layout};
pub use values::{AdapterId, AdapterState, Encoded, InterfaceInfo, PeerInfo};

/// Bytes of every key.
pub const KEY_BYTES: usize = 32;
