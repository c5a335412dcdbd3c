//! The native ABI, version 1: `include/tunic.h`.
//!
//! Every request and answer is a sequence of records, each with a [`Header`] of its size, version
//! and kind. Sizes are multiples of 8. A record may be longer than this version defines if the rest
//! is zero, so that an older driver understands a newer client that uses no new field.
//!
//! A configuration is one [`Interface`], then for each peer a [`Peer`] followed by its [`Route`]s.
//! Requests name their adapter; a GUID of zeroes is the adapter of the device that receives the
//! IOCTL.
//!
//! The requests of [`channel`] control adapters whose handshake is in userspace.

pub mod channel;
mod decode;
mod encode;
mod flags;
mod peers;
mod read;
mod records;
pub mod reply;
mod routes;

pub(crate) use decode::configuration_at;
pub use decode::{configure, decode};
pub use encode::{
    encode_interface, encode_peer, encode_route, encode_select, encode_set_state,
    encode_set_timer_scale, write_interface, write_peer,
};
pub use flags::{InterfaceFlags, PeerFlags, RouteFlags};
pub(crate) use peers::{next_allowed_ip, next_peer};
pub use records::{
    Adapter, Event, Header, Interface, Kind, Peer, Reply, Route, Routes, Select, SetState,
    SetTimerScale, Statistics, Version,
};

pub use routes::{RoutesEncoder, decode_routes};

use crate::code::{Method, READ_ACCESS, WRITE_ACCESS, control_code};

/// The version of this ABI, in every [`Header`].
pub const VERSION: u16 = 1;

/// Device types from 0x8000 and functions from 0x800 are for vendors ("Defining I/O Control
/// Codes").
const DEVICE_TYPE: u32 = 0x9C71;
const FUNCTION: u32 = 0x800;

const fn query(function: u32) -> u32 {
    control_code(DEVICE_TYPE, FUNCTION + function, Method::Buffered, READ_ACCESS)
}

const fn change(function: u32) -> u32 {
    control_code(DEVICE_TYPE, FUNCTION + function, Method::Buffered, READ_ACCESS | WRITE_ACCESS)
}

/// No input; answers a [`Version`].
pub const IOCTL_QUERY_VERSION: u32 = query(0);
/// No input; answers a [`Reply`] and an [`Adapter`] for each adapter.
pub const IOCTL_LIST_ADAPTERS: u32 = query(1);
/// Takes a [`Select`]; answers a [`Reply`] and an [`Adapter`].
pub const IOCTL_QUERY_ADAPTER: u32 = query(2);
/// Takes a [`Select`]; answers a [`Statistics`].
pub const IOCTL_QUERY_STATISTICS: u32 = query(3);
/// Takes a [`SetState`].
pub const IOCTL_SET_STATE: u32 = change(4);
/// Takes a [`Select`]; answers a [`Reply`] and the configuration, keys included.
pub const IOCTL_QUERY_CONFIGURATION: u32 = change(5);
/// Takes a configuration.
pub const IOCTL_SET_CONFIGURATION: u32 = change(6);
/// Takes a [`Select`]; answers with the next [`Event`], for which it waits.
pub const IOCTL_READ_EVENT: u32 = query(7);
/// Takes a [`SetTimerScale`].
pub const IOCTL_SET_TIMER_SCALE: u32 = change(8);
/// Takes a [`Select`]; answers a [`Reply`] and a [`Routes`].
pub const IOCTL_QUERY_ROUTES: u32 = query(9);

/// Events can be read.
pub const CAPABILITY_EVENTS: u64 = 0x2;
/// The timer scale can be set.
pub const CAPABILITY_TIMER_SCALE: u64 = 0x4;

/// Names of the counters behind the fixed part of [`Statistics`], by index. New ones are appended.
pub const DISCARD_NAMES: [&str; 23] = [
    "not-ip",
    "no-route",
    "no-endpoint",
    "not-admitted",
    "queue-full",
    "queued-too-long",
    "no-key",
    "down",
    "no-memory",
    "malformed",
    "unknown-context",
    "forged",
    "replayed",
    "source-not-allowed",
    "address-taken",
    "foreign-control",
    "bad-authenticator",
    "cookie-required",
    "rate-limited",
    "bad-handshake",
    "send-failed",
    "no-outer-route",
    "outer-route-loop",
];
