//! Where a peer is, and by which of our addresses it was reached.

use core::net::{IpAddr, SocketAddr};

/// The address and interface that a datagram arrived at; a reply leaves by the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// Our address.
    pub address: IpAddr,
    /// The operating system's index of the interface.
    pub interface_index: u32,
}

/// One end of a path: the remote UDP address, and our side of it where known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The other side.
    pub remote: SocketAddr,
    /// Our side; `None` lets the network stack choose.
    pub local: Option<LocalAddress>,
}

impl Endpoint {
    /// The endpoint as configured: no local side yet.
    pub const fn new(remote: SocketAddr) -> Self {
        Self { remote, local: None }
    }
}
