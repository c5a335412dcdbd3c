//! Receive checksum offload: the checksums that the stack need not compute again.

use bitflags::bitflags;
use nt_sys::ndis::{
    NDIS_CHECKSUM_OFFLOAD_FIELDS, NDIS_ENCAPSULATION_NULL, NDIS_OFFLOAD_SUPPORTED,
    NDIS_TCP_IP_CHECKSUM_NET_BUFFER_LIST_INFO as Info, NDIS_TCP_IP_CHECKSUM_OFFLOAD,
};
use nt_sys::ntdef::ULONG;

use crate::interface::IpVersion;

bitflags! {
    /// Checksums of received packets that the adapter declares to be right.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ReceiveChecksums: u8 {
        /// Of the IPv4 header.
        const IPV4 = 1 << 0;
        /// Of TCP over IPv4.
        const TCP_IPV4 = 1 << 1;
        /// Of UDP over IPv4.
        const UDP_IPV4 = 1 << 2;
        /// Of TCP over IPv6.
        const TCP_IPV6 = 1 << 3;
        /// Of UDP over IPv6.
        const UDP_IPV6 = 1 << 4;
    }
}

impl ReceiveChecksums {
    /// All of IPv4.
    pub const OF_IPV4: Self = Self::IPV4.union(Self::TCP_IPV4).union(Self::UDP_IPV4);
    /// All of IPv6.
    pub const OF_IPV6: Self = Self::TCP_IPV6.union(Self::UDP_IPV6);

    /// The checksums of these versions of IP alone.
    #[must_use]
    pub fn of_versions(self, ipv4: bool, ipv6: bool) -> Self {
        let mut versions = Self::empty();
        versions.set(Self::OF_IPV4, ipv4);
        versions.set(Self::OF_IPV6, ipv6);
        self & versions
    }

    /// The per-packet checksum information of a packet of this version.
    pub(crate) fn info(self, version: IpVersion) -> usize {
        let (ip, tcp, udp) = self.of(version);
        let flag = |is_right, flag| if is_right { flag } else { 0 };
        flag(ip, Info::RECEIVE_IP_CHECKSUM_SUCCEEDED)
            | flag(tcp, Info::RECEIVE_TCP_CHECKSUM_SUCCEEDED)
            | flag(udp, Info::RECEIVE_UDP_CHECKSUM_SUCCEEDED)
    }

    /// The adapter's offload capabilities. IP options and extension headers make no difference.
    pub(crate) fn offload(self) -> NDIS_TCP_IP_CHECKSUM_OFFLOAD {
        NDIS_TCP_IP_CHECKSUM_OFFLOAD {
            IPv4Receive: fields(self.of(IpVersion::V4)),
            IPv6Receive: fields(self.of(IpVersion::V6)),
            ..NDIS_TCP_IP_CHECKSUM_OFFLOAD::default()
        }
    }

    /// Whether the checksums of IP, TCP and UDP are among them, for one version of IP.
    fn of(self, version: IpVersion) -> (bool, bool, bool) {
        match version {
            IpVersion::V4 => (
                self.contains(Self::IPV4),
                self.contains(Self::TCP_IPV4),
                self.contains(Self::UDP_IPV4),
            ),
            IpVersion::V6 => (false, self.contains(Self::TCP_IPV6), self.contains(Self::UDP_IPV6)),
        }
    }
}

fn fields((ip, tcp, udp): (bool, bool, bool)) -> NDIS_CHECKSUM_OFFLOAD_FIELDS {
    let supported = |is_on, shift: u32| if is_on { NDIS_OFFLOAD_SUPPORTED << shift } else { 0 };
    let supported: ULONG = supported(ip, NDIS_CHECKSUM_OFFLOAD_FIELDS::IP_CHECKSUM_SHIFT)
        | supported(ip || tcp || udp, NDIS_CHECKSUM_OFFLOAD_FIELDS::IP_OPTIONS_SHIFT)
        | supported(tcp, NDIS_CHECKSUM_OFFLOAD_FIELDS::TCP_OPTIONS_SHIFT)
        | supported(tcp, NDIS_CHECKSUM_OFFLOAD_FIELDS::TCP_CHECKSUM_SHIFT)
        | supported(udp, NDIS_CHECKSUM_OFFLOAD_FIELDS::UDP_CHECKSUM_SHIFT);
    let encapsulation = if supported == 0 { 0 } else { NDIS_ENCAPSULATION_NULL };
    NDIS_CHECKSUM_OFFLOAD_FIELDS { Encapsulation: encapsulation, Supported: supported }
}
