//! Addresses of peers.

use core::net::{IpAddr, SocketAddr};

/// Converts an IPv4-mapped IPv6 address to IPv4.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
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
