//! ws2ipdef.h: IPv6 addresses, options of IPv4, IPv6 and UDP.

use super::{IN_ADDR, SOCKADDR_IN};
use crate::ntdef::{UCHAR, ULONG, USHORT};

/// An IPv6 address (in6addr.h; the union's `Byte`).
#[repr(C, align(2))]
#[derive(Clone, Copy)]
pub struct IN6_ADDR {
    /// In network byte order.
    pub Byte: [UCHAR; 16],
}

/// An IPv6 socket address (`SOCKADDR_IN6_LH`).
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SOCKADDR_IN6 {
    /// `AF_INET6`.
    pub sin6_family: USHORT,
    /// In network byte order.
    pub sin6_port: USHORT,
    /// In network byte order.
    pub sin6_flowinfo: ULONG,
    /// The address.
    pub sin6_addr: IN6_ADDR,
    /// The zone of a scoped address, in the machine's byte order.
    pub sin6_scope_id: ULONG,
}

/// A socket address of either family.
#[repr(C)]
#[derive(Clone, Copy)]
pub union SOCKADDR_INET {
    /// When `si_family` is `AF_INET`.
    pub Ipv4: SOCKADDR_IN,
    /// When `si_family` is `AF_INET6`.
    pub Ipv6: SOCKADDR_IN6,
    /// `AF_INET` or `AF_INET6`.
    pub si_family: USHORT,
}

/// Control data `IP_PKTINFO`.
///
/// Not Linux's structure of that name, which is 12 bytes.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IN_PKTINFO {
    /// The local address: received at, or to be sent from.
    pub ipi_addr: IN_ADDR,
    /// The interface's index; 0 when sending: any.
    pub ipi_ifindex: ULONG,
}

/// Control data `IPV6_PKTINFO`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct IN6_PKTINFO {
    /// The local address: received at, or to be sent from.
    pub ipi6_addr: IN6_ADDR,
    /// The interface's index; 0 when sending: any.
    pub ipi6_ifindex: ULONG,
}

// All options below are a ULONG. Some also name a type of control data.

/// Control data at `IPPROTO_IP`: the options of the header.
pub const IP_OPTIONS: ULONG = 1;
/// Option at `IPPROTO_IP`: set DF.
pub const IP_DONTFRAGMENT: ULONG = 14;
/// Option at `IPPROTO_IP`: indicate `IN_PKTINFO`. Control data: `IN_PKTINFO`.
pub const IP_PKTINFO: ULONG = 19;
/// Control data at `IPPROTO_IP`: the ECN codepoint, an `INT`.
pub const IP_ECN: ULONG = 50;
/// Option at `IPPROTO_IP`: indicate `IP_ECN`.
pub const IP_RECVECN: ULONG = 50;
/// Option at `IPPROTO_IP`: path MTU discovery, one of `IP_PMTUDISC_*`.
pub const IP_MTU_DISCOVER: ULONG = 71;

/// Option at `IPPROTO_IPV6`: never fragment.
pub const IPV6_DONTFRAG: ULONG = 14;
/// Option at `IPPROTO_IPV6`: indicate `IN6_PKTINFO`. Control data: `IN6_PKTINFO`.
pub const IPV6_PKTINFO: ULONG = 19;
/// Option at `IPPROTO_IPV6`: a socket bound to `::` takes IPv6 only.
pub const IPV6_V6ONLY: ULONG = 27;
/// Control data at `IPPROTO_IPV6`: the routing header.
pub const IPV6_RTHDR: ULONG = 32;
/// Control data at `IPPROTO_IPV6`: the ECN codepoint, an `INT`.
pub const IPV6_ECN: ULONG = 50;
/// Option at `IPPROTO_IPV6`: indicate `IPV6_ECN`.
pub const IPV6_RECVECN: ULONG = 50;
/// Option at `IPPROTO_IPV6`: path MTU discovery, one of `IP_PMTUDISC_*`.
pub const IPV6_MTU_DISCOVER: ULONG = 71;

/// `PMTUD_STATE`: the system's choice.
pub const IP_PMTUDISC_NOT_SET: ULONG = 0;
/// `PMTUD_STATE`: discovers, never fragments.
pub const IP_PMTUDISC_DO: ULONG = 1;
/// `PMTUD_STATE`: fragments.
pub const IP_PMTUDISC_DONT: ULONG = 2;
/// `PMTUD_STATE`: sends with DF and ignores the path MTU.
pub const IP_PMTUDISC_PROBE: ULONG = 3;

/// Option at `IPPROTO_UDP`: segment sent data into datagrams of this many bytes. Control data: the
/// same, a `ULONG`.
pub const UDP_SEND_MSG_SIZE: ULONG = 2;
/// Option at `IPPROTO_UDP`: coalesce received datagrams up to this many bytes.
pub const UDP_RECV_MAX_COALESCED_SIZE: ULONG = 3;
/// Control data at `IPPROTO_UDP`: the size of each coalesced datagram of an indication, a `ULONG`.
pub const UDP_COALESCED_INFO: ULONG = 3;
