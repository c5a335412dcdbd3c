//! Values of requests and answers that are the same in every ABI.

use core::net::SocketAddr;

use crate::KEY_BYTES;

/// An adapter's GUID, in the byte order of the Windows `GUID` struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AdapterId(pub [u8; 16]);

/// Whether an adapter carries packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum AdapterState {
    /// No sockets, no sessions, link disconnected.
    Down = 0,
    /// Sockets bound, link connected.
    Up = 1,
}

/// An adapter's own part of its configuration.
#[derive(Clone, Copy, Default)]
pub struct InterfaceInfo<'a> {
    /// The adapter; WireGuardNT's ABI does not carry it.
    pub adapter: AdapterId,
    /// The UDP port, if one is bound or requested.
    pub listen_port: Option<u16>,
    /// The private key, if there is one.
    pub private_key: Option<&'a [u8; KEY_BYTES]>,
    /// The public key, if there is one.
    pub public_key: Option<&'a [u8; KEY_BYTES]>,
}

/// A peer's part of a configuration.
#[derive(Clone, Copy)]
pub struct PeerInfo<'a> {
    /// Its public key.
    pub public_key: &'a [u8; KEY_BYTES],
    /// The preshared key, if there is one.
    pub preshared_key: Option<&'a [u8; KEY_BYTES]>,
    /// Its address, if known.
    pub endpoint: Option<SocketAddr>,
    /// The keepalive interval in seconds; 0 is off.
    pub persistent_keepalive_s: u16,
    /// Bytes sent to it.
    pub tx_bytes: u64,
    /// Bytes received from it.
    pub rx_bytes: u64,
    /// The time of the last completed handshake, in 100 ns units since 1601-01-01 UTC; 0 for never.
    pub last_handshake_filetime: u64,
}

/// The size of an encoded answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the whole answer.
    pub required_bytes: u64,
    /// Bytes that were written at the start of the output: whole records, with matching counts.
    pub written_bytes: usize,
}

impl Encoded {
    /// Whether the whole answer fitted into the output.
    pub fn is_complete(&self) -> bool {
        usize::try_from(self.required_bytes) == Ok(self.written_bytes)
    }
}
