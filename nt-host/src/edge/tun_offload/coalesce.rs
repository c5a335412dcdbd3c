//! Coalescing of packets for Linux: consecutive TCP segments of one connection become one packet.
//!
//! Segments are coalesced only if segmenting the result restores them exactly, so that a router
//! forwards what came in. The exception is the identification of IPv4 packets with "don't
//! fragment", which has no meaning there (RFC 6864).

use super::checksum::{Sum, of_ipv4_header};
use super::vnet_header::VnetHeader;
use super::{ACK, IPV4_BYTES, IPV6_BYTES, PSH, TCP, put, u16_at, u32_at};

/// The maximum size of a packet in bytes.
const LONGEST: usize = 65_535;
/// "Don't fragment", in the 16-bit fragmentation field of an IPv4 header.
const DONT_FRAGMENT: u16 = 0x4000;

/// Coalesces packets, in order.
pub(in crate::edge) struct Coalescer {
    buffer: Vec<u8>,
    run: Option<Run>,
}

/// A packet for Linux.
#[derive(Clone, Copy, Debug)]
pub(in crate::edge) struct Joined<'a> {
    pub(in crate::edge) header: VnetHeader,
    pub(in crate::edge) packet: &'a [u8],
    /// The number of packets that it consists of.
    pub(in crate::edge) packets: u64,
}

/// The packets in the buffer.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: Segment,
    segments: u16,
    next_sequence: u32,
    /// The difference of the identification between segments, once there are two.
    step: Option<u16>,
    last_identification: u16,
    is_pushed: bool,
    /// Whether no further segment may follow.
    is_closed: bool,
}

/// A TCP segment that can be coalesced, and its position in its packet.
#[derive(Clone, Copy, Debug)]
struct Segment {
    is_ipv4: bool,
    transport: usize,
    headers: usize,
    payload_bytes: usize,
    sequence: u32,
    /// 0 for IPv6.
    identification: u16,
    dont_fragment: bool,
    is_pushed: bool,
}

impl Coalescer {
    /// An empty coalescer.
    pub(in crate::edge) fn new() -> Self {
        Self { buffer: Vec::with_capacity(LONGEST), run: None }
    }

    /// Takes a packet. `write` gets the packets that are complete.
    pub(in crate::edge) fn push(&mut self, packet: &[u8], write: &mut impl FnMut(Joined<'_>)) {
        let segment = Segment::parse(packet);
        if let (Some(segment), Some(run)) = (segment, self.run.as_mut())
            && run.accepts(&self.buffer, packet, &segment)
            && segment.has_right_checksum(packet)
        {
            run.add(&segment);
            self.buffer.extend_from_slice(packet.get(segment.headers..).unwrap_or_default());
            return;
        }
        self.flush(write);
        match segment.filter(|segment| segment.has_right_checksum(packet)) {
            Some(segment) => {
                self.buffer.clear();
                self.buffer.extend_from_slice(packet);
                self.run = Some(Run::new(segment));
            }
            None => write(Joined { header: VnetHeader::default(), packet, packets: 1 }),
        }
    }

    /// Completes the packet in the buffer.
    pub(in crate::edge) fn flush(&mut self, write: &mut impl FnMut(Joined<'_>)) {
        let Some(run) = self.run.take() else { return };
        let header = if run.segments == 1 {
            // Its checksums were verified when it was taken.
            Some(VnetHeader { flags: VnetHeader::CHECKSUM_VALID, ..VnetHeader::default() })
        } else {
            run.finish(&mut self.buffer)
        };
        if let Some(header) = header {
            write(Joined { header, packet: &self.buffer, packets: run.segments.into() });
        }
    }
}

impl Segment {
    /// Parses a packet. Returns `None` if it cannot be coalesced.
    fn parse(packet: &[u8]) -> Option<Self> {
        let version = packet.first()? >> 4;
        let (transport, ip_bytes, protocol, identification, fragment) = match version {
            // An IPv4 header without options.
            4 if *packet.first()? == 0x45 => {
                let bytes = usize::from(u16_at(packet, 2)?);
                (IPV4_BYTES, bytes, *packet.get(9)?, u16_at(packet, 4)?, u16_at(packet, 6)?)
            }
            6 => {
                let bytes = IPV6_BYTES + usize::from(u16_at(packet, 4)?);
                (IPV6_BYTES, bytes, *packet.get(6)?, 0, 0)
            }
            _ => return None,
        };
        if protocol != TCP || ip_bytes != packet.len() || fragment & !DONT_FRAGMENT != 0 {
            return None;
        }
        let headers = transport + usize::from(packet.get(transport + 12)? >> 4) * 4;
        let flags = *packet.get(transport + 13)?;
        let payload_bytes = packet.len().checked_sub(headers)?;
        if payload_bytes == 0 || flags & !PSH != ACK || headers < transport + 20 {
            return None;
        }
        Some(Self {
            is_ipv4: version == 4,
            transport,
            headers,
            payload_bytes,
            sequence: u32_at(packet, transport + 4)?,
            identification,
            dont_fragment: fragment == DONT_FRAGMENT,
            is_pushed: flags & PSH != 0,
        })
    }

    /// Whether the checksums of the IP header and of TCP are right. Packets with wrong ones must
    /// pass unchanged.
    fn has_right_checksum(&self, packet: &[u8]) -> bool {
        let (ip, tcp) = packet.split_at(self.transport);
        let sum = Sum::default().with_pseudo_header(ip, TCP, tcp.len());
        sum.is_some_and(|sum| sum.with(tcp).is_right())
            && (!self.is_ipv4 || Sum::default().with(ip).is_right())
    }
}

impl Run {
    fn new(first: Segment) -> Self {
        Self {
            first,
            segments: 1,
            next_sequence: first.sequence.wrapping_add(first.payload_bytes as u32),
            step: None,
            last_identification: first.identification,
            is_pushed: first.is_pushed,
            is_closed: first.is_pushed,
        }
    }

    /// Whether this segment is the next one. `joined` begins with the headers of the first.
    fn accepts(&self, joined: &[u8], packet: &[u8], segment: &Segment) -> bool {
        let first = &self.first;
        !self.is_closed
            && segment.sequence == self.next_sequence
            && segment.headers == first.headers
            && segment.payload_bytes <= first.payload_bytes
            && joined.len() + segment.payload_bytes <= LONGEST
            && self.accepts_identification(segment)
            && has_same_headers(joined, packet, segment)
    }

    fn accepts_identification(&self, segment: &Segment) -> bool {
        let step = segment.identification.wrapping_sub(self.last_identification);
        match self.step {
            _ if !segment.is_ipv4 => true,
            Some(before) => step == before,
            None => step == 1 || (step == 0 && segment.dont_fragment),
        }
    }

    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        self.next_sequence = self.next_sequence.wrapping_add(segment.payload_bytes as u32);
        self.step = Some(segment.identification.wrapping_sub(self.last_identification));
        self.last_identification = segment.identification;
        self.is_pushed = segment.is_pushed;
        self.is_closed = segment.is_pushed || segment.payload_bytes < self.first.payload_bytes;
    }

    /// Makes the headers in `joined` those of the whole packet.
    fn finish(&self, joined: &mut [u8]) -> Option<VnetHeader> {
        let Segment { is_ipv4, transport, headers, payload_bytes, .. } = self.first;
        let bytes = joined.len();
        if is_ipv4 {
            put(joined, 2, &u16::try_from(bytes).ok()?.to_be_bytes())?;
            let checksum = of_ipv4_header(joined)?;
            put(joined, 10, &checksum)?;
        } else {
            put(joined, 4, &u16::try_from(bytes - IPV6_BYTES).ok()?.to_be_bytes())?;
        }
        if self.is_pushed {
            *joined.get_mut(transport + 13)? |= PSH;
        }
        let pseudo = Sum::default().with_pseudo_header(joined, TCP, bytes - transport)?.folded();
        put(joined, transport + 16, &pseudo)?;
        Some(VnetHeader {
            flags: VnetHeader::NEEDS_CHECKSUM,
            gso_type: if is_ipv4 { VnetHeader::TCPV4 } else { VnetHeader::TCPV6 },
            header_bytes: headers as u16,
            segment_bytes: u16::try_from(payload_bytes).ok()?,
            checksum_start: transport as u16,
            checksum_offset: 16,
        })
    }
}

/// Whether all fields are equal that do not differ between segments: all but lengths,
/// identification, sequence number, flags (checked by [`Segment::parse`]) and checksums.
fn has_same_headers(joined: &[u8], packet: &[u8], segment: &Segment) -> bool {
    let is_same = |from: usize, to: usize| packet.get(from..to) == joined.get(from..to);
    let tcp = segment.transport;
    let is_same_ip = if segment.is_ipv4 {
        is_same(0, 2) && is_same(6, 10) && is_same(12, tcp)
    } else {
        is_same(0, 4) && is_same(6, tcp)
    };
    is_same_ip
        && is_same(tcp, tcp + 4)
        && is_same(tcp + 8, tcp + 13)
        && is_same(tcp + 14, tcp + 16)
        && is_same(tcp + 18, segment.headers)
}
