//! `tunicd` and the OpenVPN programs against real peers, in network namespaces. Needs root.
//!
//! The driver is the linked one, or the image that `TUNIC_DAEMON_DRIVER` or `TUNIC_DRIVER` names.
#![forbid(unsafe_code)]

mod default_route;
mod driver_image;
mod interop;
mod keys_in_memory;
mod mtu;
mod openvpn_27;
mod openvpn_client;
mod openvpn_confined;
mod openvpn_killed;
mod openvpn_netem;
mod openvpn_process;
mod openvpn_server;
mod openvpn_signals;
mod outer_route;
mod smoke;
mod sockets;
mod stock_wg;
