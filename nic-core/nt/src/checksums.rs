//! Which checksums of received packets the stack is told to be right, so that it doesn't compute
//! them again.

use nt_sys::ndis::{
    NDIS_CHECKSUM_OFFLOAD_FIELDS, NDIS_ENCAPSULATION_NULL, NDIS_OFFLOAD_SUPPORTED,
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, NDIS_TCP_IP_CHECKSUM_OFFLOAD,
};
use nt_sys::ntdef::ULONG;

use crate::nbl::IpVersion;

/// Checksums of received packets, by what they are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveChecksums {
    /// Of IPv4's header.
    pub ipv4: bool,
    /// Of TCP over IPv4.
    pub tcp_ipv4: bool,
    /// Of UDP over IPv4.
    pub udp_ipv4: bool,
    /// Of TCP over IPv6.
    pub tcp_ipv6: bool,
    /// Of UDP over IPv6.
    pub udp_ipv6: bool,
}

impl ReceiveChecksums {
    /// Every one.
    pub const ALL: Self =
        Self { ipv4: true, tcp_ipv4: true, udp_ipv4: true, tcp_ipv6: true, udp_ipv6: true };

    /// Those of these versions of IP alone.
    #[must_use]
    pub const fn of_versions(self, ipv4: bool, ipv6: bool) -> Self {
        Self {
            ipv4: self.ipv4 && ipv4,
            tcp_ipv4: self.tcp_ipv4 && ipv4,
            udp_ipv4: self.udp_ipv4 && ipv4,
            tcp_ipv6: self.tcp_ipv6 && ipv6,
            udp_ipv6: self.udp_ipv6 && ipv6,
        }
    }

    /// A bit for each, for an atomic number.
    pub const fn to_bits(self) -> u8 {
        self.ipv4 as u8
            | (self.tcp_ipv4 as u8) << 1
            | (self.udp_ipv4 as u8) << 2
            | (self.tcp_ipv6 as u8) << 3
            | (self.udp_ipv6 as u8) << 4
    }

    /// As [`Self::to_bits`] made them.
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            ipv4: bits & 1 != 0,
            tcp_ipv4: bits & 2 != 0,
            udp_ipv4: bits & 4 != 0,
            tcp_ipv6: bits & 8 != 0,
            udp_ipv6: bits & 16 != 0,
        }
    }

    /// What a packet of this version says of its checksums.
    pub(crate) fn info(self, version: IpVersion) -> usize {
        let (ip, tcp, udp) = match version {
            IpVersion::V4 => (self.ipv4, self.tcp_ipv4, self.udp_ipv4),
            IpVersion::V6 => (false, self.tcp_ipv6, self.udp_ipv6),
        };
        let flag = |is_right, flag| if is_right { flag } else { 0 };
        flag(ip, Info::RECEIVE_IP_CHECKSUM_SUCCEEDED)
            | flag(tcp, Info::RECEIVE_TCP_CHECKSUM_SUCCEEDED)
            | flag(udp, Info::RECEIVE_UDP_CHECKSUM_SUCCEEDED)
    }

    /// What an adapter says of them. Options and extension headers are no matter.
    pub(crate) fn offload(self) -> NDIS_TCP_IP_CHECKSUM_OFFLOAD {
        NDIS_TCP_IP_CHECKSUM_OFFLOAD {
            IPv4Receive: fields(self.ipv4, self.tcp_ipv4, self.udp_ipv4),
            IPv6Receive: fields(false, self.tcp_ipv6, self.udp_ipv6),
            ..NDIS_TCP_IP_CHECKSUM_OFFLOAD::default()
        }
    }
}

fn fields(ip: bool, tcp: bool, udp: bool) -> NDIS_CHECKSUM_OFFLOAD_FIELDS {
    let supported = |is_on, shift: u32| if is_on { NDIS_OFFLOAD_SUPPORTED << shift } else { 0 };
    let supported: ULONG = supported(ip, NDIS_CHECKSUM_OFFLOAD_FIELDS::IP_CHECKSUM_SHIFT)
        | supported(ip || tcp || udp, NDIS_CHECKSUM_OFFLOAD_FIELDS::IP_OPTIONS_SHIFT)
        | supported(tcp, NDIS_CHECKSUM_OFFLOAD_FIELDS::TCP_OPTIONS_SHIFT)
        | supported(tcp, NDIS_CHECKSUM_OFFLOAD_FIELDS::TCP_CHECKSUM_SHIFT)
        | supported(udp, NDIS_CHECKSUM_OFFLOAD_FIELDS::UDP_CHECKSUM_SHIFT);
    let encapsulation = if supported == 0 { 0 } else { NDIS_ENCAPSULATION_NULL };
    NDIS_CHECKSUM_OFFLOAD_FIELDS { Encapsulation: encapsulation, Supported: supported }
}
