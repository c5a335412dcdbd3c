//! ws2def.h: addresses and control data.

use crate::ntdef::{SIZE_T, UCHAR, ULONG, USHORT};

/// No family.
pub const AF_UNSPEC: USHORT = 0;
/// IPv4.
pub const AF_INET: USHORT = 2;
/// IPv6.
pub const AF_INET6: USHORT = 23;
/// Datagrams.
pub const SOCK_DGRAM: USHORT = 2;
/// The protocol UDP, and the level of its options and control data.
pub const IPPROTO_UDP: ULONG = 17;
/// The level of IPv4's options and control data.
pub const IPPROTO_IP: ULONG = 0;
/// The level of IPv6's options and control data.
pub const IPPROTO_IPV6: ULONG = 41;
/// The level of options of the socket itself.
pub const SOL_SOCKET: ULONG = 0xffff;
/// Option at `SOL_SOCKET`: send buffer size in bytes, a `ULONG`.
pub const SO_SNDBUF: ULONG = 0x1001;
/// Option at `SOL_SOCKET`: receive buffer size in bytes, a `ULONG`.
pub const SO_RCVBUF: ULONG = 0x1002;

/// Any socket address: its family says which.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SOCKADDR {
    /// `AF_*`.
    pub sa_family: USHORT,
    /// The rest.
    pub sa_data: [UCHAR; 14],
}

/// An IPv4 address (inaddr.h; the union's `S_addr`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IN_ADDR {
    /// In network byte order.
    pub S_addr: ULONG,
}

/// An IPv4 socket address.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SOCKADDR_IN {
    /// `AF_INET`.
    pub sin_family: USHORT,
    /// In network byte order.
    pub sin_port: USHORT,
    /// The address.
    pub sin_addr: IN_ADDR,
    /// Zero.
    pub sin_zero: [UCHAR; 8],
}

/// The header of a control data object (`WSACMSGHDR`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct CMSGHDR {
    /// Length of header and data, in bytes, without padding after the data.
    pub cmsg_len: SIZE_T,
    /// `IPPROTO_*`.
    pub cmsg_level: i32,
    /// The object's type; the options' numbers.
    pub cmsg_type: i32,
}

/// Rounds up to where the next control data object begins (`WSA_CMSGHDR_ALIGN`).
pub const fn CMSGHDR_ALIGN(length: SIZE_T) -> SIZE_T {
    length.saturating_add(align_of::<CMSGHDR>() - 1) & !(align_of::<CMSGHDR>() - 1)
}

/// The `cmsg_len` of an object with this length of data (`WSA_CMSG_LEN`).
pub const fn CMSG_LEN(length: SIZE_T) -> SIZE_T {
    size_of::<CMSGHDR>().saturating_add(length)
}

/// The space that a control data object occupies (`WSA_CMSG_SPACE`).
pub const fn CMSG_SPACE(length: SIZE_T) -> SIZE_T {
    size_of::<CMSGHDR>().saturating_add(CMSGHDR_ALIGN(length))
}

const _: () = {
    assert!(CMSG_LEN(8) == 24);
    assert!(CMSG_SPACE(4) == 24);
    assert!(CMSG_SPACE(20) == 40);
};
