//! Runs the Tunic driver on Linux as a WireGuard daemon.
//!
//! `tunicd IFACE` is a userspace WireGuard implementation as wg(8) and wg-quick(8) expect one: it
//! makes the interface, serves the configuration protocol at `/var/run/wireguard/IFACE.sock`, and
//! translates it into the driver's IOCTLs. The SDK reaches the same driver at
//! `/var/run/tunic/IFACE.sock`. `tunicd --protocol openvpn IFACE` makes an adapter that carries
//! OpenVPN's data channel, and has the SDK's socket alone.
//!
//! The parts know the driver only as a [`tunic::Transport`] and an [`ioctl_socket::Device`], so
//! that tests can put something else in its place.
#![forbid(unsafe_code)]

pub mod daemon;
pub mod host;
pub mod ioctl_socket;
pub mod link;
pub mod log;
pub mod protocol;
pub mod server;
pub mod service;
pub mod signal;
pub mod socket;
pub mod uapi;
