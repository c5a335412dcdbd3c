//! The internet checksum (RFC 1071).

use super::{IPV4_BYTES, IPV6_BYTES};

/// A sum of 16-bit words in the machine's byte order, on which the result does not depend (RFC
/// 1071, section 2B).
#[derive(Clone, Copy, Default)]
pub(super) struct Sum(u64);

impl Sum {
    /// Adds bytes. Only the last ones may have an odd number.
    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        // An overflow needs 2^32 words.
        let sum = words.iter().fold(self.0, |sum, word| sum + u64::from(u32::from_ne_bytes(*word)));
        let mut last = [0; 4];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        Self(sum + u64::from(u32::from_ne_bytes(last)))
    }

    /// Adds a number in network byte order.
    pub(super) fn with_u16(self, value: u16) -> Self {
        Self(self.0 + u64::from(value.to_be()))
    }

    /// Adds the pseudo header (RFC 9293, section 3.1; RFC 8200, section 8.1) of `bytes` bytes of
    /// `protocol` in the IP packet that begins with `ip`.
    pub(super) fn with_pseudo_header(self, ip: &[u8], protocol: u8, bytes: usize) -> Option<Self> {
        let addresses = match ip.first()? >> 4 {
            4 => ip.get(12..IPV4_BYTES)?,
            6 => ip.get(8..IPV6_BYTES)?,
            _ => return None,
        };
        let bytes = u16::try_from(bytes).ok()?;
        Some(self.with(addresses).with_u16(protocol.into()).with_u16(bytes))
    }

    /// The sum, in network byte order.
    pub(super) fn folded(self) -> [u8; 2] {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        (sum as u16).to_ne_bytes()
    }

    /// The checksum, in network byte order.
    pub(super) fn checksum(self) -> [u8; 2] {
        self.folded().map(|byte| !byte)
    }

    /// The checksum of UDP, where 0 stands for no checksum (RFC 768).
    pub(super) fn udp_checksum(self) -> [u8; 2] {
        match self.checksum() {
            [0, 0] => [0xff, 0xff],
            checksum => checksum,
        }
    }

    /// Whether this is the sum of data with a valid checksum.
    pub(super) fn is_right(self) -> bool {
        self.folded() == [0xff, 0xff]
    }
}

/// Computes the header checksum of the IPv4 packet that begins with `ip`.
pub(super) fn of_ipv4_header(ip: &[u8]) -> Option<[u8; 2]> {
    let header = ip.get(..usize::from(ip.first()? & 0x0f) * 4)?;
    Some(Sum::default().with(header.get(..10)?).with(header.get(12..)?).checksum())
}
