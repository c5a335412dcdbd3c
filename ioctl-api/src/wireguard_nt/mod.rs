//! The ABI of WireGuardNT, which `wg.exe` and `wireguard.dll` use on the adapter's own device.
//!
//! A configuration is one interface record, then for each peer its record, directly followed by its
//! allowed IPs. Sizes are multiples of 8, so there are no gaps.
//!
//! This decoder is stricter than WireGuardNT, which skips such records or applies them in part: it
//! refuses unknown flags of interface and peer, endpoints of an unknown family (`AF_UNSPEC` means
//! no endpoint) and endpoints with port 0. An all-zero private key clears the identity, as on
//! Linux.

mod decode;
mod encode;
mod flags;
mod peers;

pub use decode::{configure, decode};
pub use encode::{
    encode_allowed_ip, encode_interface, encode_log_entry, encode_peer, write_interface, write_peer,
};
pub(crate) use encode::{encode_interface_info, encode_peer_info};
pub use flags::{AllowedIpFlags, InterfaceFlags, PeerFlags};
pub(crate) use peers::{next_allowed_ip, next_peer};

use crate::code::{Method, READ_ACCESS, WRITE_ACCESS, control_code};
use crate::sockaddr::SockaddrInet;

const DEVICE_TYPE: u32 = 0xB098;
const READ_WRITE: u32 = READ_ACCESS | WRITE_ACCESS;

/// Reads the configuration.
pub const IOCTL_GET: u32 = control_code(DEVICE_TYPE, 321, Method::OutDirect, READ_WRITE);
/// Changes the configuration.
pub const IOCTL_SET: u32 = control_code(DEVICE_TYPE, 322, Method::InDirect, READ_WRITE);
/// Brings the adapter up or down, or queries its state.
pub const IOCTL_SET_ADAPTER_STATE: u32 =
    control_code(DEVICE_TYPE, 323, Method::Buffered, READ_WRITE);
/// Waits for a log line.
pub const IOCTL_READ_LOG_LINE: u32 = control_code(DEVICE_TYPE, 324, Method::Buffered, READ_WRITE);

const _: () = {
    assert!(IOCTL_GET == 0xB098_C506);
    assert!(IOCTL_SET == 0xB098_C509);
    assert!(IOCTL_SET_ADAPTER_STATE == 0xB098_C50C);
    assert!(IOCTL_READ_LOG_LINE == 0xB098_C510);
};

record! {
    /// An interface.
    pub struct Interface = "TUNIC_WG_INTERFACE", 80 {
        /// INTERFACE_* bits.
        flags: u32 = 0,
        /// UDP port, host byte order.
        listen_port: u16 = 4,
        /// Private key.
        private_key: [u8; 32] = 6,
        /// Public key; output only.
        public_key: [u8; 32] = 38,
        /// Peers that follow.
        peers_count: u32 = 72,
    }
}

record! {
    /// A peer.
    pub struct Peer = "TUNIC_WG_PEER", 136 {
        /// PEER_* bits.
        flags: u32 = 0,
        /// 0 for the latest, or 1.
        protocol_version: u32 = 4,
        /// Public key: which peer.
        public_key: [u8; 32] = 8,
        /// Preshared key; zeroes for none.
        preshared_key: [u8; 32] = 40,
        /// Seconds; 0 is off.
        persistent_keepalive: u16 = 72,
        /// SOCKADDR_INET.
        endpoint: SockaddrInet = 76,
        /// Bytes sent.
        tx_bytes: u64 = 104,
        /// Bytes received.
        rx_bytes: u64 = 112,
        /// 100 ns units since 1601-01-01 UTC; 0 for never.
        last_handshake: u64 = 120,
        /// Allowed IPs that follow.
        allowed_ips_count: u32 = 128,
    }
}

record! {
    /// An allowed IP.
    pub struct AllowedIp = "TUNIC_WG_ALLOWED_IP", 24 {
        /// 4 or 16 bytes, network byte order.
        address: [u8; 16] = 0,
        /// AF_INET or AF_INET6.
        address_family: u16 = 16,
        /// Prefix length.
        cidr: u8 = 18,
        /// ALLOWED_IP_* bits.
        flags: u32 = 20,
    }
}

record! {
    /// A line of the log.
    pub struct LogEntry = "TUNIC_WG_LOG_ENTRY", 128 {
        /// 100 ns units since 1601-01-01 UTC.
        timestamp: u64 = 0,
        /// '1' error, '2' warning or '3' information, then the text, NUL-terminated.
        message: [u8; 120] = 8,
    }
}

/// Bring down.
pub const STATE_DOWN: u32 = 0;
/// Bring up.
pub const STATE_UP: u32 = 1;
/// Query the state.
pub const STATE_QUERY: u32 = 2;
