//! Socket addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use nt_sys::wsk::{
    AF_INET, AF_INET6, IN_ADDR, IN6_ADDR, SOCKADDR, SOCKADDR_IN, SOCKADDR_IN6, SOCKADDR_INET,
};

/// The local address and interface of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    /// The local address.
    pub address: IpAddr,
    /// The index of the interface; for 0 the network stack chooses.
    pub interface_index: u32,
}

/// Converts a socket address for WSK.
pub(crate) fn to_sockaddr(address: SocketAddr) -> SOCKADDR_INET {
    match address {
        SocketAddr::V4(address) => SOCKADDR_INET {
            Ipv4: SOCKADDR_IN {
                sin_family: AF_INET,
                sin_port: address.port().to_be(),
                sin_addr: IN_ADDR { S_addr: u32::from_ne_bytes(address.ip().octets()) },
                sin_zero: [0; 8],
            },
        },
        SocketAddr::V6(address) => SOCKADDR_INET {
            Ipv6: SOCKADDR_IN6 {
                sin6_family: AF_INET6,
                sin6_port: address.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: IN6_ADDR { Byte: address.ip().octets() },
                sin6_scope_id: address.scope_id(),
            },
        },
    }
}

/// Converts a socket address of WSK. `None` if it is not an IP address.
///
/// # Safety
/// The address must be null, or as long as its family says.
pub(super) unsafe fn from_sockaddr(address: *const SOCKADDR) -> Option<SocketAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: by the caller's promise; every address begins with its family.
    match unsafe { address.cast::<u16>().read_unaligned() } {
        AF_INET => {
            // SAFETY: by the caller's promise.
            let v4 = unsafe { address.cast::<SOCKADDR_IN>().read_unaligned() };
            let ip = Ipv4Addr::from(v4.sin_addr.S_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        AF_INET6 => {
            // SAFETY: by the caller's promise.
            let v6 = unsafe { address.cast::<SOCKADDR_IN6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.Byte);
            Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
