//! The control ABIs of the Tunic driver: plain-data records and their codecs.
//!
//! Three ABIs are decoded into the same commands: the native one ([`native`], versioned records),
//! WireGuardNT's ([`wireguard_nt`], used by `wg.exe` and `wireguard.dll`) and ovpn-dco-win's
//! ([`ovpn_dco`], used by OpenVPN). The commands for a protocol whose handshake is in userspace are
//! in [`data_channel`]. [`decode()`] turns the bytes of an IOCTL into a [`Request`] and validates
//! the whole buffer, so that a caller that applies the request meets no malformed record half way.
//! [`ConfigurationEncoder`] and the functions of [`native::reply`], [`native::channel::reply`] and
//! [`ovpn_dco`] encode the answers.
//!
//! Nothing here allocates, panics or transmutes: records are read and written field by field, at
//! offsets that are checked against the C layout at compile time.
//!
//! A driver must decode its own copy of a buffer that user mode can still write to (the direct
//! methods). Changing bytes cannot break memory safety, but they invalidate the validation.
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
