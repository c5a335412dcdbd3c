//! A peer's endpoint: its address, and the local address by which it is reached.

use core::net::{IpAddr, SocketAddr};

/// The local address and interface at which a datagram arrived; replies use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The local address.
    pub address: IpAddr,
    /// The operating system's index of the interface.
    pub interface_index: u32,
}

/// The transport under the data channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// UDP: each message is a datagram.
    #[default]
    Datagram,
    /// A byte stream, such as TCP, framed by [`crate::Protocol::Stream`]. The addresses of the
    /// endpoint identify the connection.
    Stream,
}

/// Converts an IPv4-mapped IPv6 address to IPv4. A socket sends to one address family only, so that
/// an address has one form in the driver.
pub const fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        v4 @ IpAddr::V4(_) => SocketAddr::new(v4, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// One end of a path: the remote address, and the local address if known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The remote address. It is not IPv4-mapped.
    pub remote: SocketAddr,
    /// The local address; `None` lets the network stack choose.
    pub local: Option<LocalAddress>,
    /// The transport.
    pub transport: Transport,
}

impl Endpoint {
    /// A configured endpoint: over datagrams, with the local address left to the network stack.
    /// An IPv4-mapped address is IPv4.
    pub const fn new(remote: SocketAddr) -> Self {
        Self { remote: canonical(remote), local: None, transport: Transport::Datagram }
    }

    /// This endpoint, reached by a local address.
    pub const fn with_local(self, local: Option<LocalAddress>) -> Self {
        Self { local, ..self }
    }
}
