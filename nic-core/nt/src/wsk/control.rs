//! Control data of datagrams (ws2def.h, `WSACMSGHDR`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nt_sys::wsk::{
    CMSG_LEN, CMSG_SPACE, CMSGHDR, CMSGHDR_ALIGN, IP_ECN, IP_OPTIONS, IP_PKTINFO, IPPROTO_IP,
    IPPROTO_IPV6, IPV6_ECN, IPV6_PKTINFO, IPV6_RTHDR,
};

use super::address::PacketInfo;

/// The maximum length of sent control data: one `IN6_PKTINFO`, and an empty object.
const CONTROL_BYTES: usize = CMSG_SPACE(20) + CMSG_SPACE(0);

/// Control data to be sent.
#[repr(C, align(8))]
pub(super) struct Control {
    bytes: [u8; CONTROL_BYTES],
    length: u32,
}

impl Control {
    pub(super) const EMPTY: Self = Self { bytes: [0; CONTROL_BYTES], length: 0 };

    /// Control data to send from a local address, or none.
    ///
    /// An empty object follows: some versions of Windows strip a lone `IP_PKTINFO` before filters
    /// of WFP see it, and a filter that injects the datagram again sends it elsewhere.
    pub(super) fn of(local: Option<PacketInfo>) -> Self {
        let mut control = Self::EMPTY;
        let Some(PacketInfo { address, interface_index }) = local else {
            return control;
        };
        let index = interface_index.to_ne_bytes();
        match address {
            IpAddr::V4(address) => {
                // IN_PKTINFO
                let mut info = [0; 8];
                let (to_address, to_index) = info.split_at_mut(4);
                to_address.copy_from_slice(&address.octets());
                to_index.copy_from_slice(&index);
                control.push(IPPROTO_IP, IP_PKTINFO, &info);
                control.push(IPPROTO_IP, IP_OPTIONS, &[]);
            }
            IpAddr::V6(address) => {
                // IN6_PKTINFO
                let mut info = [0; 20];
                let (to_address, to_index) = info.split_at_mut(16);
                to_address.copy_from_slice(&address.octets());
                to_index.copy_from_slice(&index);
                control.push(IPPROTO_IPV6, IPV6_PKTINFO, &info);
                control.push(IPPROTO_IPV6, IPV6_RTHDR, &[]);
            }
        }
        control
    }

    pub(super) fn length(&self) -> u32 {
        self.length
    }

    /// Adds an object. Does nothing if there is no room.
    fn push(&mut self, level: u32, kind: u32, data: &[u8]) {
        let start = self.length as usize;
        let Some(mut rest) = self.bytes.get_mut(start..) else { return };
        let length = CMSG_SPACE(data.len());
        if rest.len() < length {
            return;
        }
        let fields: [&[u8]; 4] =
            [&CMSG_LEN(data.len()).to_ne_bytes(), &level.to_ne_bytes(), &kind.to_ne_bytes(), data];
        for field in fields {
            let Some((to, after)) = rest.split_at_mut_checked(field.len()) else { return };
            to.copy_from_slice(field);
            rest = after;
        }
        self.length = start.saturating_add(length) as u32;
    }
}

/// The local address of a datagram, from its control data.
pub(super) fn packet_info(control: &[u8]) -> Option<PacketInfo> {
    objects(control).find_map(|(level, kind, data)| match (level, kind) {
        (IPPROTO_IP, IP_PKTINFO) => {
            let address: &[u8; 4] = data.first_chunk()?;
            let index: &[u8; 4] = data.get(4..)?.first_chunk()?;
            Some(PacketInfo {
                address: Ipv4Addr::from(*address).into(),
                interface_index: u32::from_ne_bytes(*index),
            })
        }
        (IPPROTO_IPV6, IPV6_PKTINFO) => {
            let address: &[u8; 16] = data.first_chunk()?;
            let index: &[u8; 4] = data.get(16..)?.first_chunk()?;
            Some(PacketInfo {
                address: Ipv6Addr::from(*address).into(),
                interface_index: u32::from_ne_bytes(*index),
            })
        }
        _ => None,
    })
}

/// The ECN codepoint of a datagram, from its control data.
pub(super) fn ecn(control: &[u8]) -> Option<u8> {
    objects(control).find_map(|object| match object {
        (IPPROTO_IP, IP_ECN, data) | (IPPROTO_IPV6, IPV6_ECN, data) => {
            data.first_chunk::<4>().map(|ecn| (u32::from_ne_bytes(*ecn) & 3) as u8)
        }
        _ => None,
    })
}

/// Level, type and data of each object, up to a malformed one.
fn objects(mut bytes: &[u8]) -> impl Iterator<Item = (u32, u32, &[u8])> {
    core::iter::from_fn(move || {
        let length = usize::from_ne_bytes(*bytes.first_chunk()?);
        let level = u32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
        let kind = u32::from_ne_bytes(*bytes.get(12..)?.first_chunk()?);
        let data = bytes.get(size_of::<CMSGHDR>()..length)?;
        bytes = bytes.get(CMSGHDR_ALIGN(length)..).unwrap_or_default();
        Some((level, kind, data))
    })
}
