//! The IP header of a packet inside the tunnel.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::protocol::TrafficClass;

/// What the engine wants to know of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InnerPacket {
    /// The DSCP and ECN fields.
    pub traffic_class: TrafficClass,
    /// Who sent it.
    pub source: IpAddr,
    /// Who shall get it.
    pub destination: IpAddr,
    /// Its length as its header says; what lies behind is padding.
    pub total_bytes: usize,
}

impl InnerPacket {
    /// Reads the header of a packet that came out of a datagram: `head` is its beginning (all of
    /// it, or at least 40 bytes), `payload_bytes` its length with padding. `None` where it is no IP
    /// packet, or longer than the payload.
    pub fn parse(head: &[u8], payload_bytes: usize) -> Option<Self> {
        let header = Header::parse(head)?;
        let total_bytes = header.total_bytes;
        (total_bytes >= header.header_bytes && total_bytes <= payload_bytes)
            .then_some(header.into_packet(total_bytes))
    }

    /// Reads the header of a packet from the stack above, `packet_bytes` long. A header that leaves
    /// its length open, as with large send offload, has the packet's.
    pub fn parse_outgoing(head: &[u8], packet_bytes: usize) -> Option<Self> {
        let header = Header::parse(head)?;
        let is_open = header.total_bytes == header.open_bytes;
        ((is_open || header.total_bytes == packet_bytes) && packet_bytes >= header.header_bytes)
            .then_some(header.into_packet(packet_bytes))
    }
}

struct Header {
    traffic_class: TrafficClass,
    source: IpAddr,
    destination: IpAddr,
    total_bytes: usize,
    /// The length that an empty length field stands for.
    open_bytes: usize,
    /// The length of the header itself.
    header_bytes: usize,
}

impl Header {
    fn parse(head: &[u8]) -> Option<Self> {
        match head.first()? >> 4 {
            4 => {
                // RFC 791, section 3.1.
                let header: &[u8; 20] = head.first_chunk()?;
                let header_bytes = usize::from(header[0] & 0xf) * 4;
                Some(Self {
                    traffic_class: TrafficClass::of_packet(head),
                    source: Ipv4Addr::from(*header[12..].first_chunk::<4>()?).into(),
                    destination: Ipv4Addr::from(*header[16..].first_chunk::<4>()?).into(),
                    total_bytes: u16::from_be_bytes([header[2], header[3]]).into(),
                    open_bytes: 0,
                    header_bytes: (header_bytes >= 20).then_some(header_bytes)?,
                })
            }
            6 => {
                // RFC 8200, section 3.
                let header: &[u8; 40] = head.first_chunk()?;
                Some(Self {
                    traffic_class: TrafficClass::of_packet(head),
                    source: Ipv6Addr::from(*header[8..].first_chunk::<16>()?).into(),
                    destination: Ipv6Addr::from(*header[24..].first_chunk::<16>()?).into(),
                    total_bytes: 40 + usize::from(u16::from_be_bytes([header[4], header[5]])),
                    open_bytes: 40,
                    header_bytes: 40,
                })
            }
            _ => None,
        }
    }

    const fn into_packet(self, total_bytes: usize) -> InnerPacket {
        InnerPacket {
            traffic_class: self.traffic_class,
            source: self.source,
            destination: self.destination,
            total_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(total: u16) -> [u8; 20] {
        let mut header = [0; 20];
        header[0] = 0x45;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[12..16].copy_from_slice(&[10, 0, 0, 1]);
        header[16..].copy_from_slice(&[10, 0, 0, 2]);
        header
    }

    fn v6(payload: u16) -> [u8; 40] {
        let mut header = [0; 40];
        header[0] = 0x60;
        header[4..6].copy_from_slice(&payload.to_be_bytes());
        header[8] = 0xfd;
        header[24] = 0xfe;
        header
    }

    #[test]
    fn padding_is_told_from_the_packet() {
        let packet = InnerPacket::parse(&v4(30), 32).unwrap();
        assert_eq!(packet.total_bytes, 30);
        assert_eq!(packet.source, "10.0.0.1".parse::<IpAddr>().unwrap());
        assert_eq!(packet.destination, "10.0.0.2".parse::<IpAddr>().unwrap());
        let packet = InnerPacket::parse(&v6(8), 48).unwrap();
        assert_eq!(packet.total_bytes, 48);
        assert_eq!(packet.source, "fd00::".parse::<IpAddr>().unwrap());
        assert_eq!(packet.destination, "fe00::".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn headers_that_lie_are_refused() {
        assert_eq!(InnerPacket::parse(&v4(33), 32), None);
        assert_eq!(InnerPacket::parse(&v4(19), 32), None);
        assert_eq!(InnerPacket::parse(&v4(0), 32), None);
        assert_eq!(InnerPacket::parse(&v6(9), 48), None);
        assert_eq!(InnerPacket::parse(&v4(20)[..19], 20), None);
        assert_eq!(InnerPacket::parse(&v6(0)[..39], 40), None);
        assert_eq!(InnerPacket::parse(&[], 0), None);
        for version in [0x00, 0x15, 0x44, 0x55, 0x75, 0xf5] {
            let mut header = v4(20);
            header[0] = version;
            assert_eq!(InnerPacket::parse(&header, 20), None);
        }
    }

    #[test]
    fn a_packet_to_be_segmented_leaves_its_length_open() {
        assert_eq!(InnerPacket::parse_outgoing(&v4(0), 60_000).unwrap().total_bytes, 60_000);
        assert_eq!(InnerPacket::parse_outgoing(&v6(0), 60_000).unwrap().total_bytes, 60_000);
        assert!(InnerPacket::parse_outgoing(&v4(20), 20).is_some());
        assert_eq!(InnerPacket::parse_outgoing(&v4(20), 21), None);
        assert_eq!(InnerPacket::parse_outgoing(&v4(0), 19), None);
    }
}
