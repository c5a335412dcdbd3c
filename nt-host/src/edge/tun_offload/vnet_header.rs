//! The header before each packet of a TUN interface with `IFF_VNET_HDR`.

/// `struct virtio_net_hdr` (virtio 1.2, section 5.1.6; `linux/virtio_net.h`), in the machine's byte
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::edge) struct VnetHeader {
    /// Flags; see the constants.
    pub(super) flags: u8,
    /// The kind of segmentation; see the constants.
    pub(super) gso_type: u8,
    /// The length of all headers in bytes.
    pub(super) header_bytes: u16,
    /// The payload of each segment in bytes.
    pub(super) segment_bytes: u16,
    /// The offset at which the checksummed bytes begin.
    pub(super) checksum_start: u16,
    /// The offset of the checksum from there.
    pub(super) checksum_offset: u16,
}

impl VnetHeader {
    /// Its length in bytes.
    pub(in crate::edge) const BYTES: usize = 10;

    /// In `flags`: the checksum field holds the sum of the pseudo header; the rest is missing.
    pub(super) const NEEDS_CHECKSUM: u8 = 1;
    /// In `flags`: the checksum was verified.
    pub(super) const CHECKSUM_VALID: u8 = 2;

    /// A `gso_type`: no segmentation.
    pub(super) const NONE: u8 = 0;
    /// A `gso_type`: TCP over IPv4.
    pub(super) const TCPV4: u8 = 1;
    /// A `gso_type`: TCP over IPv6.
    pub(super) const TCPV6: u8 = 4;
    /// A `gso_type`: UDP, segmented into datagrams.
    pub(super) const UDP_L4: u8 = 5;
    /// Added to a `gso_type`: only the first segment keeps CWR (RFC 3168).
    pub(super) const ECN: u8 = 0x80;

    /// Reads the header from memory.
    pub(in crate::edge) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [flags, gso_type, h0, h1, s0, s1, c0, c1, o0, o1] = bytes;
        Self {
            flags,
            gso_type,
            header_bytes: u16::from_ne_bytes([h0, h1]),
            segment_bytes: u16::from_ne_bytes([s0, s1]),
            checksum_start: u16::from_ne_bytes([c0, c1]),
            checksum_offset: u16::from_ne_bytes([o0, o1]),
        }
    }

    /// The header as it is in memory.
    pub(in crate::edge) fn to_bytes(self) -> [u8; Self::BYTES] {
        let [h0, h1] = self.header_bytes.to_ne_bytes();
        let [s0, s1] = self.segment_bytes.to_ne_bytes();
        let [c0, c1] = self.checksum_start.to_ne_bytes();
        let [o0, o1] = self.checksum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}
