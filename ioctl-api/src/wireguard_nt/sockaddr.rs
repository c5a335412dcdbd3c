//! Addresses of endpoints, as Windows has them.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use crate::bytes::{array, put, u16_at, u32_at};
use crate::{DecodeError, DecodeErrorKind};

/// A `SOCKADDR_INET` (ws2ipdef.h): family in host order, port in network order, then for IPv4 the
/// address, for IPv6 flow information, address and scope.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
pub struct SockaddrInet(pub [u8; 28]);

/// Windows' `AF_INET`.
pub const AF_INET: u16 = 2;
/// Windows' `AF_INET6`.
pub const AF_INET6: u16 = 23;

/// A `SOCKADDR_INET` (ws2ipdef.h): family in host order, port in network order.
pub(crate) fn encode_sockaddr(endpoint: &SocketAddr) -> [u8; 28] {
    let mut bytes = [0; 28];
    match endpoint {
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
    put(&mut bytes, 2, &endpoint.port().to_be_bytes());
    bytes
}

/// Reads the `SOCKADDR_INET` of an endpoint, whose port is not 0; `None` where its family is
/// `AF_UNSPEC`.
pub(crate) fn decode_sockaddr(
    bytes: &[u8],
    start: usize,
) -> Result<Option<SocketAddr>, DecodeError> {
    let endpoint = decode_any_sockaddr(bytes, start)?;
    if endpoint.is_some_and(|endpoint| endpoint.port() == 0) {
        return Err(DecodeError::new(DecodeErrorKind::BadPort, start.saturating_add(2)));
    }
    Ok(endpoint)
}

/// Reads a `SOCKADDR_INET` with whatever port; `None` where its family is `AF_UNSPEC`.
pub(crate) fn decode_any_sockaddr(
    bytes: &[u8],
    start: usize,
) -> Result<Option<SocketAddr>, DecodeError> {
    let record: &[u8; 28] = array(bytes, start)?;
    let family = u16_at(record, 0)?;
    let port = u16::from_be_bytes(*array(record, 2)?);
    Ok(Some(match family {
        0 => return Ok(None),
        AF_INET => SocketAddrV4::new(Ipv4Addr::from(*array::<4>(record, 4)?), port).into(),
        AF_INET6 => SocketAddrV6::new(
            Ipv6Addr::from(*array::<16>(record, 8)?),
            port,
            u32_at(record, 4)?,
            u32_at(record, 24)?,
        )
        .into(),
        _ => return Err(DecodeError::new(DecodeErrorKind::BadAddressFamily, start)),
    }))
}
