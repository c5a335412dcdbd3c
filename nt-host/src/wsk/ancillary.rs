//! Ancillary data (`CMSGHDR`), and its translation between Windows and Linux.
//!
//! A control message has the same header and the same alignment on 64-bit Windows and on 64-bit
//! Linux. Numbers and payloads differ.

use std::net::Ipv6Addr;

use nt_sys::ntdef::ULONG;
use nt_sys::wsk::{
    CMSG_SPACE, CMSGHDR, IP_ECN, IP_OPTIONS, IP_PKTINFO, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP,
    IPV6_ECN, IPV6_PKTINFO, IPV6_RTHDR, UDP_COALESCED_INFO, UDP_SEND_MSG_SIZE,
};

use super::address::Address;
use crate::netio::{self, firewall_mark};

/// Ancillary data that a driver passes is malformed, or of an unknown kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadAncillaryData;

/// The size of a buffer for all control messages that a datagram can have.
pub(super) const ANCILLARY_BYTES: usize = 128;

/// A buffer of control messages.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(super) struct AncillaryData {
    pub(super) bytes: [u8; ANCILLARY_BYTES],
    pub(super) length: usize,
}

impl AncillaryData {
    pub(super) const EMPTY: Self = Self { bytes: [0; ANCILLARY_BYTES], length: 0 };

    /// The control messages.
    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Adds a control message. Does nothing if there is no room.
    pub(super) fn push(&mut self, level: i32, kind: i32, data: &[u8]) {
        let Some(object) = self.bytes.get_mut(self.length..self.length + CMSG_SPACE(data.len()))
        else {
            return;
        };
        object.fill(0);
        object[..8].copy_from_slice(&(size_of::<CMSGHDR>() + data.len()).to_ne_bytes());
        object[8..12].copy_from_slice(&level.to_ne_bytes());
        object[12..16].copy_from_slice(&kind.to_ne_bytes());
        object[16..16 + data.len()].copy_from_slice(data);
        self.length += CMSG_SPACE(data.len());
    }
}

/// The control messages of a send request, translated.
#[derive(Clone, Copy)]
pub(super) struct Outgoing {
    /// The messages for Linux.
    pub(super) control: AncillaryData,
    /// `UDP_SEND_MSG_SIZE`: the size of the datagrams that buffers are segmented into, in bytes.
    pub(super) segment_bytes: Option<usize>,
}

/// Translates the control messages of a send request.
pub(super) fn outgoing(windows: &[u8], remote: &Address) -> Result<Outgoing, BadAncillaryData> {
    const PKTINFO_V4: (ULONG, ULONG) = (IPPROTO_IP, IP_PKTINFO);
    const PKTINFO_V6: (ULONG, ULONG) = (IPPROTO_IPV6, IPV6_PKTINFO);
    const ECN_V4: (ULONG, ULONG) = (IPPROTO_IP, IP_ECN);
    const ECN_V6: (ULONG, ULONG) = (IPPROTO_IPV6, IPV6_ECN);
    const OPTIONS_V4: (ULONG, ULONG) = (IPPROTO_IP, IP_OPTIONS);
    const ROUTING_V6: (ULONG, ULONG) = (IPPROTO_IPV6, IPV6_RTHDR);
    const SEGMENT: (ULONG, ULONG) = (IPPROTO_UDP, UDP_SEND_MSG_SIZE);

    let by_mark = firewall_mark::current() != 0;
    let mut translated = Outgoing { control: AncillaryData::EMPTY, segment_bytes: None };
    let control = &mut translated.control;
    for object in objects(windows) {
        let (level, kind, data) = object?;
        match ((level.cast_unsigned(), kind.cast_unsigned()), data) {
            (PKTINFO_V4, &[a, b, c, d, ref index @ ..]) if index.len() == 4 => {
                // Linux: interface, local address, destination (ignored for a send).
                let mut info = [0; 12];
                if !by_mark {
                    info[..4].copy_from_slice(index);
                }
                info[4..8].copy_from_slice(&[a, b, c, d]);
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            (PKTINFO_V6, info) if info.len() == 20 => {
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &pin(info, remote, by_mark));
            }
            (ECN_V4, &[a, b, c, d]) => {
                let ecn = i32::from_ne_bytes([a, b, c, d]) & 3;
                control.push(libc::IPPROTO_IP, libc::IP_TOS, &ecn.to_ne_bytes());
            }
            (ECN_V6, &[a, b, c, d]) => {
                let ecn = i32::from_ne_bytes([a, b, c, d]) & 3;
                control.push(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &ecn.to_ne_bytes());
            }
            (SEGMENT, &[a, b, c, d]) => {
                let bytes = u32::from_ne_bytes([a, b, c, d]) as usize;
                translated.segment_bytes = (bytes != 0).then_some(bytes);
            }
            // No options, and no routing header.
            (OPTIONS_V4 | ROUTING_V6, []) => {}
            _ => return Err(BadAncillaryData),
        }
    }
    Ok(translated)
}

/// The `in6_pktinfo` by which Linux sends by the interface that Windows would send by.
fn pin(info: &[u8], remote: &Address, by_mark: bool) -> [u8; 20] {
    let mut pinned = [0; 20];
    pinned.copy_from_slice(info);
    let (source, index) = pinned.split_at_mut(16);
    let link_local = remote.is_link_local();
    if by_mark && !link_local {
        index.fill(0);
        return pinned;
    }
    let named = source.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
    let interface = index.first_chunk::<4>().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    if let (Some(source_address), Some(destination)) = (named, remote.v6())
        && interface != 0
        && !link_local
        && !source_address.is_unspecified()
        && !netio::is_pinned(source_address, destination, interface)
    {
        source.fill(0);
    }
    pinned
}

/// Translates Linux's control messages of a received message. The second value is the size of the
/// datagrams that it consists of.
pub(super) fn incoming(linux: &[u8]) -> (AncillaryData, Option<usize>) {
    let mut control = AncillaryData::EMPTY;
    let mut segment_bytes = None;
    for (level, kind, data) in objects(linux).map_while(Result::ok) {
        match (level, kind, data) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO, data) if data.len() == 12 => {
                let mut info = [0; 8];
                info[..4].copy_from_slice(&data[8..12]);
                info[4..].copy_from_slice(&data[..4]);
                control.push(IPPROTO_IP.cast_signed(), IP_PKTINFO.cast_signed(), &info);
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, data) if data.len() == 20 => {
                control.push(IPPROTO_IPV6.cast_signed(), IPV6_PKTINFO.cast_signed(), data);
            }
            (libc::IPPROTO_IP, libc::IP_TOS, &[tos, ..]) => {
                let ecn = i32::from(tos & 3);
                control.push(IPPROTO_IP.cast_signed(), IP_ECN.cast_signed(), &ecn.to_ne_bytes());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &[a, b, c, d]) => {
                let ecn = i32::from_ne_bytes([a, b, c, d]) & 3;
                control.push(
                    IPPROTO_IPV6.cast_signed(),
                    IPV6_ECN.cast_signed(),
                    &ecn.to_ne_bytes(),
                );
            }
            (libc::SOL_UDP, libc::UDP_GRO, &[a, b, c, d]) => {
                let bytes = i32::from_ne_bytes([a, b, c, d]);
                segment_bytes = usize::try_from(bytes).ok().filter(|&bytes| bytes != 0);
            }
            _ => {}
        }
    }
    (control, segment_bytes)
}

/// Adds the control message of an indication with coalesced datagrams.
pub(super) fn push_coalesced(control: &mut AncillaryData, segment_bytes: usize) {
    let bytes = u32::try_from(segment_bytes).unwrap_or(u32::MAX);
    control.push(IPPROTO_UDP.cast_signed(), UDP_COALESCED_INFO.cast_signed(), &bytes.to_ne_bytes());
}

/// The level, type and data of each control message.
fn objects(mut bytes: &[u8]) -> impl Iterator<Item = Result<(i32, i32, &[u8]), BadAncillaryData>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let object = split_object(&mut bytes);
        if object.is_none() {
            bytes = &[];
        }
        Some(object.ok_or(BadAncillaryData))
    })
}

fn split_object<'a>(bytes: &mut &'a [u8]) -> Option<(i32, i32, &'a [u8])> {
    let length = usize::from_ne_bytes(*bytes.first_chunk()?);
    let level = i32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*bytes.get(12..)?.first_chunk()?);
    let data = bytes.get(size_of::<CMSGHDR>()..length)?;
    // The last message need not be padded.
    *bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
    Some((level, kind, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wsk::address::Family;

    const REMOTE: Address = Address::unspecified(Family::V4);

    #[test]
    fn packet_information_is_translated_both_ways() {
        let mut windows = AncillaryData::EMPTY;
        windows.push(0, 19, &[127, 0, 0, 2, 1, 0, 0, 0]);
        let sent = outgoing(windows.as_slice(), &REMOTE).ok();
        let linux = sent.map(|sent| sent.control);
        let mut expected = AncillaryData::EMPTY;
        expected.push(0, libc::IP_PKTINFO, &[1, 0, 0, 0, 127, 0, 0, 2, 0, 0, 0, 0]);
        assert_eq!(linux.as_ref().map(AncillaryData::as_slice), Some(expected.as_slice()));

        let mut received = AncillaryData::EMPTY;
        received.push(0, libc::IP_PKTINFO, &[1, 0, 0, 0, 9, 9, 9, 9, 127, 0, 0, 2]);
        received.push(libc::SOL_UDP, libc::UDP_GRO, &1200_i32.to_ne_bytes());
        let (control, segment_bytes) = incoming(received.as_slice());
        assert_eq!(control.as_slice(), windows.as_slice());
        assert_eq!(segment_bytes, Some(1200));
    }

    #[test]
    fn malformed_control_data_is_refused() {
        let mut good = AncillaryData::EMPTY;
        good.push(17, 2, &1000_u32.to_ne_bytes());
        assert!(
            outgoing(good.as_slice(), &REMOTE).is_ok_and(|out| out.segment_bytes == Some(1000))
        );
        // The unpadded form of the last message is valid, too. A shorter one is not.
        assert!(outgoing(&good.as_slice()[..20], &REMOTE).is_ok());
        for length in 1..20 {
            assert!(outgoing(&good.as_slice()[..length], &REMOTE).is_err(), "{length}");
        }
        let mut endless = good;
        endless.bytes[..8].copy_from_slice(&usize::MAX.to_ne_bytes());
        assert!(outgoing(endless.as_slice(), &REMOTE).is_err());
        let mut empty = AncillaryData::EMPTY;
        empty.push(0, 1, &[]);
        empty.push(41, 32, &[]);
        let sent = outgoing(empty.as_slice(), &REMOTE).unwrap().control;
        assert!(sent.as_slice().is_empty());
        for (level, kind) in [(0, 1), (41, 32)] {
            let mut options = AncillaryData::EMPTY;
            options.push(level, kind, &[0; 4]);
            assert!(outgoing(options.as_slice(), &REMOTE).is_err(), "{level} {kind}");
        }
        let mut unknown = AncillaryData::EMPTY;
        unknown.push(0, 77, &[0; 4]);
        assert!(outgoing(unknown.as_slice(), &REMOTE).is_err());
    }
}
