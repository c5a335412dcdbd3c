//! Addresses of peers.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// How ovpn-dco-win's ABI names IPv4 addresses. There, a listener is one socket, and all addresses
/// are of its family; the driver has two sockets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// As IPv4 addresses.
    Plain,
    /// As IPv4-mapped IPv6 addresses: the program listens on an IPv6 address.
    Mapped,
}

impl Naming {
    /// That of a listener, by the address that the program gave it.
    pub(crate) const fn of(listener: &SocketAddr) -> Self {
        if listener.is_ipv4() { Self::Plain } else { Self::Mapped }
    }

    /// The address in this form. Mapped, the IPv4 wildcard is the IPv6 wildcard.
    pub(crate) const fn name(self, address: SocketAddr) -> SocketAddr {
        match (self, address.ip()) {
            (Self::Mapped, IpAddr::V4(v4)) => {
                let v6 =
                    if v4.is_unspecified() { Ipv6Addr::UNSPECIFIED } else { v4.to_ipv6_mapped() };
                SocketAddr::new(IpAddr::V6(v6), address.port())
            }
            _ => address,
        }
    }
}

/// Whether two addresses are equal, ignoring the IPv6 flow label and an unset scope.
pub(crate) fn is_same_address(a: &SocketAddr, b: &SocketAddr) -> bool {
    match (a, b) {
        (SocketAddr::V6(a), SocketAddr::V6(b)) => {
            let scopes = (a.scope_id(), b.scope_id());
            a.ip() == b.ip()
                && a.port() == b.port()
                && (scopes.0 == scopes.1 || scopes.0 == 0 || scopes.1 == 0)
        }
        (a, b) => a == b,
    }
}
