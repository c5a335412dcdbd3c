//! The Tunic daemon: the driver on nt-host, a TUN interface above it, and control sockets.
//!
//! `tunicd IFACE` is a userspace WireGuard implementation as wg(8) and wg-quick(8) expect it: it
//! creates the interface, serves the configuration protocol at `/var/run/wireguard/IFACE.sock`, and
//! translates it into the driver's IOCTLs. The SDK reaches the same driver at
//! `/var/run/tunic/IFACE.sock`. `tunicd --protocol openvpn IFACE` creates an adapter that carries
//! OpenVPN's data channel, with the SDK's socket only.
//!
//! Its modules reach the driver only as a [`tunic::Transport`] and an [`ioctl_socket::Device`], so
//! that tests can substitute it.
#![forbid(unsafe_code)]

pub mod confine;
pub mod daemon;
pub mod host;
pub mod ioctl_socket;
pub mod link;
pub mod log;
mod privilege;
pub mod protocol;
mod request_reader;
pub mod server;
pub mod service;
pub mod signal;
pub mod socket;
pub mod uapi;
