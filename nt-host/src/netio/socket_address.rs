//! Windows' socket addresses, of an IP address alone.

use std::mem::zeroed;
use std::net::{IpAddr, Ipv6Addr};

use nt_sys::wsk::{AF_INET, AF_INET6, SOCKADDR_INET};

/// The socket address of an IP address, without a port. A link-local address is of the interface's
/// zone.
pub(super) fn socket_address(address: IpAddr, interface_index: u32) -> SOCKADDR_INET {
    // SAFETY: zeros are valid values of both.
    let mut socket_address: SOCKADDR_INET = unsafe { zeroed() };
    match address {
        IpAddr::V4(v4) => {
            socket_address.Ipv4.sin_family = AF_INET;
            socket_address.Ipv4.sin_addr.S_addr = u32::from_ne_bytes(v4.octets());
        }
        IpAddr::V6(v6) => {
            socket_address.Ipv6.sin6_family = AF_INET6;
            socket_address.Ipv6.sin6_addr.Byte = v6.octets();
            if is_link_local(v6) {
                socket_address.Ipv6.sin6_scope_id = interface_index;
            }
        }
    }
    socket_address
}

/// The IP address of a socket address.
pub(super) fn ip_address(address: &SOCKADDR_INET) -> Option<IpAddr> {
    // SAFETY: both families begin with this field.
    match unsafe { address.si_family } {
        // SAFETY: the family says that this is the field in use; any bytes are valid.
        AF_INET => Some(unsafe { address.Ipv4.sin_addr.S_addr }.to_ne_bytes().into()),
        // SAFETY: the family says that this is the field in use; any bytes are valid.
        AF_INET6 => Some(unsafe { address.Ipv6.sin6_addr.Byte }.into()),
        _ => None,
    }
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}
