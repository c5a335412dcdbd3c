//! Segmentation of packets from Linux into packets for the wire, with their checksums.

use super::checksum::{Sum, of_ipv4_header};
use super::vnet_header::VnetHeader;
use super::{CWR, FIN, IPV6_BYTES, PSH, TCP, UDP, put, u16_at, u32_at};

/// The segmentation of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Plan {
    work: Work,
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// The packet is complete.
    Whole,
    /// The checksum of the bytes from `start` on goes to `field`.
    Checksum { start: usize, field: usize },
    /// The packet is segmented: the length of all headers, that of the headers before the
    /// transport's, and the payload of each segment, in bytes.
    Cut { protocol: u8, headers: usize, transport: usize, segment_bytes: usize },
}

impl Plan {
    /// The plan for a packet with this header. Returns `None` if they contradict each other.
    pub(in crate::edge) fn new(header: &VnetHeader, packet: &[u8]) -> Option<Self> {
        let start = usize::from(header.checksum_start);
        let needs_checksum = header.flags & VnetHeader::NEEDS_CHECKSUM != 0;
        let protocol = match header.gso_type & !VnetHeader::ECN {
            VnetHeader::NONE if needs_checksum => {
                let field = start + usize::from(header.checksum_offset);
                u16_at(packet, field)?;
                return Some(Self { work: Work::Checksum { start, field }, count: 1 });
            }
            VnetHeader::NONE => return Some(Self { work: Work::Whole, count: 1 }),
            VnetHeader::TCPV4 | VnetHeader::TCPV6 => TCP,
            VnetHeader::UDP_L4 => UDP,
            _ => return None,
        };
        let ip_bytes = match packet.first()? >> 4 {
            4 => usize::from(packet.first()? & 0x0f) * 4,
            6 => IPV6_BYTES,
            _ => return None,
        };
        let transport_bytes = match protocol {
            TCP => usize::from(packet.get(start.checked_add(12)?)? >> 4) * 4,
            _ => 8,
        };
        let headers = start + transport_bytes;
        let segment_bytes = usize::from(header.segment_bytes);
        let payload_bytes = packet.len().checked_sub(headers)?;
        if !needs_checksum || start < ip_bytes || payload_bytes == 0 || segment_bytes == 0 {
            return None;
        }
        let work = Work::Cut { protocol, headers, transport: start, segment_bytes };
        Some(Self { work, count: payload_bytes.div_ceil(segment_bytes) })
    }

    /// The number of resulting packets.
    pub(in crate::edge) fn count(&self) -> usize {
        self.count
    }

    /// Writes the packet with this index, and returns its length. Returns `None` if it does not
    /// fit.
    pub(in crate::edge) fn write(
        &self,
        packet: &[u8],
        index: usize,
        to: &mut [u8],
    ) -> Option<usize> {
        let Work::Cut { protocol, headers, transport, segment_bytes } = self.work else {
            let to = to.get_mut(..packet.len())?;
            to.copy_from_slice(packet);
            if let Work::Checksum { start, field } = self.work {
                // The content of the field is a part of the sum. 0 and 0xffff are equivalent for
                // the receiver, except in UDP.
                put(to, field, &Sum::default().with(packet.get(start..)?).udp_checksum())?;
            }
            return Some(packet.len());
        };
        let from = headers + index * segment_bytes;
        let payload = packet.get(from..packet.len().min(from + segment_bytes))?;
        let to = to.get_mut(..headers + payload.len())?;
        let (head, body) = to.split_at_mut(headers);
        head.copy_from_slice(packet.get(..headers)?);
        body.copy_from_slice(payload);

        let is_last = index + 1 == self.count;
        cut_ip_header(head, index, payload.len())?;
        let field = match protocol {
            TCP => cut_tcp_header(head, transport, index * segment_bytes, index == 0, is_last)?,
            _ => cut_udp_header(head, transport, payload.len())?,
        };
        put(head, field, &[0, 0])?;
        let transport_bytes = headers - transport + payload.len();
        // Headers have an even length, so that the payload can be summed separately.
        let sum = Sum::default()
            .with_pseudo_header(head, protocol, transport_bytes)?
            .with(head.get(transport..)?)
            .with(body);
        let checksum = if protocol == UDP { sum.udp_checksum() } else { sum.checksum() };
        put(head, field, &checksum)?;
        Some(to.len())
    }
}

/// Sets the length and the identification in the IP header of a segment.
fn cut_ip_header(head: &mut [u8], index: usize, payload_bytes: usize) -> Option<()> {
    let bytes = head.len() + payload_bytes;
    if head.first()? >> 4 == 6 {
        return put(head, 4, &u16::try_from(bytes - IPV6_BYTES).ok()?.to_be_bytes());
    }
    let identification = u16_at(head, 4)?.wrapping_add(index as u16);
    put(head, 2, &u16::try_from(bytes).ok()?.to_be_bytes())?;
    put(head, 4, &identification.to_be_bytes())?;
    let checksum = of_ipv4_header(head)?;
    put(head, 10, &checksum)
}

/// Sets the sequence number and the flags in the TCP header of a segment. Returns the offset of the
/// checksum.
fn cut_tcp_header(
    head: &mut [u8],
    at: usize,
    offset: usize,
    is_first: bool,
    is_last: bool,
) -> Option<usize> {
    let sequence = u32_at(head, at + 4)?.wrapping_add(offset as u32);
    put(head, at + 4, &sequence.to_be_bytes())?;
    let flags = head.get_mut(at + 13)?;
    if !is_last {
        *flags &= !(FIN | PSH);
    }
    if !is_first {
        *flags &= !CWR;
    }
    Some(at + 16)
}

/// Sets the length in the UDP header of a segment. Returns the offset of the checksum.
fn cut_udp_header(head: &mut [u8], at: usize, payload_bytes: usize) -> Option<usize> {
    put(head, at + 4, &u16::try_from(8 + payload_bytes).ok()?.to_be_bytes())?;
    Some(at + 6)
}
