//! Socket addresses as Windows lays them out (ws2def.h, ws2ipdef.h).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::bytes::{array, put, u16_at, u32_at};
use crate::{DecodeError, DecodeErrorKind};

/// A `SOCKADDR_INET`: family in host order, port in network order, then the IPv4 address, or flow
/// information, IPv6 address and scope.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub struct SockaddrInet(pub [u8; 28]);

/// Windows' `AF_INET`.
pub const AF_INET: u16 = 2;
/// Windows' `AF_INET6`.
pub const AF_INET6: u16 = 23;

/// Bytes of the `sockaddr_in` or `sockaddr_in6` of an address.
pub const fn size_bytes(address: &SocketAddr) -> usize {
    match address {
        SocketAddr::V4(_) => 16,
        SocketAddr::V6(_) => 28,
    }
}

/// Writes a `SOCKADDR_INET`.
pub(crate) fn encode(address: &SocketAddr) -> [u8; 28] {
    let mut bytes = [0; 28];
    match address {
        SocketAddr::V4(v4) => {
            put(&mut bytes, 0, &AF_INET.to_le_bytes());
            put(&mut bytes, 4, &v4.ip().octets());
        }
        SocketAddr::V6(v6) => {
            put(&mut bytes, 0, &AF_INET6.to_le_bytes());
            put(&mut bytes, 4, &v6.flowinfo().to_le_bytes());
            put(&mut bytes, 8, &v6.ip().octets());
            put(&mut bytes, 24, &v6.scope_id().to_le_bytes());
        }
    }
    put(&mut bytes, 2, &address.port().to_be_bytes());
    bytes
}

/// Writes the `sockaddr_in` or `sockaddr_in6` of an address at `offset`; nothing if it does not
/// fit.
pub(crate) fn put_short(bytes: &mut [u8], offset: usize, address: &SocketAddr) {
    let inet = encode(address);
    put(bytes, offset, inet.get(..size_bytes(address)).unwrap_or(&inet));
}

/// Reads a `SOCKADDR_INET`; `None` if its family is `AF_UNSPEC`.
pub(crate) fn decode(bytes: &[u8], start: usize) -> Result<Option<SocketAddr>, DecodeError> {
    let inet: &[u8; 28] = array(bytes, start)?;
    if u16_at(inet, 0)? == 0 {
        return Ok(None);
    }
    match decode_short(inet) {
        Some(address) => Ok(Some(address)),
        None => Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, start)),
    }
}

/// Reads the `SOCKADDR_INET` of an endpoint, whose port must not be 0; `None` if its family is
/// `AF_UNSPEC`.
pub(crate) fn decode_endpoint(
    bytes: &[u8],
    start: usize,
) -> Result<Option<SocketAddr>, DecodeError> {
    let endpoint = decode(bytes, start)?;
    if endpoint.is_some_and(|endpoint| endpoint.port() == 0) {
        return Err(DecodeError::new(DecodeErrorKind::BadPort, start.saturating_add(2)));
    }
    Ok(endpoint)
}

/// Reads a `sockaddr_in` or `sockaddr_in6` at the start of the input; `None` if it is cut short
/// or of another family.
pub(crate) fn decode_short(input: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(*array(input, 2).ok()?);
    match u16_at(input, 0).ok()? {
        AF_INET => {
            let record: &[u8; 16] = array(input, 0).ok()?;
            let address = Ipv4Addr::from(*array::<4>(record, 4).ok()?);
            Some(SocketAddrV4::new(address, port).into())
        }
        AF_INET6 => {
            let record: &[u8; 28] = array(input, 0).ok()?;
            let address = Ipv6Addr::from(*array::<16>(record, 8).ok()?);
            let (flow, scope) = (u32_at(record, 4).ok()?, u32_at(record, 24).ok()?);
            Some(SocketAddrV6::new(address, port, flow, scope).into())
        }
        _ => None,
    }
}

/// Writes the 4 or 16 bytes of an IP address at `offset`; returns its family.
pub(crate) fn put_ip(bytes: &mut [u8], offset: usize, address: IpAddr) -> u16 {
    match address {
        IpAddr::V4(v4) => {
            put(bytes, offset, &v4.octets());
            AF_INET
        }
        IpAddr::V6(v6) => {
            put(bytes, offset, &v6.octets());
            AF_INET6
        }
    }
}

/// Reads the 4 or 16 bytes of an IP address at `offset`; `None` if the family is neither.
pub(crate) fn ip_at(
    bytes: &[u8],
    offset: usize,
    family: u16,
) -> Result<Option<IpAddr>, DecodeError> {
    Ok(match family {
        AF_INET => Some(IpAddr::V4(Ipv4Addr::from(*array::<4>(bytes, offset)?))),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(*array::<16>(bytes, offset)?))),
        _ => None,
    })
}
