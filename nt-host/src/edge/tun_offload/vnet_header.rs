//! The header before each packet of a TUN device with `IFF_VNET_HDR`.

/// `struct virtio_net_hdr` (virtio 1.2, section 5.1.6; `linux/virtio_net.h`), in the machine's byte
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::edge) struct VnetHeader {
    /// See the constants.
    pub(super) flags: u8,
    /// How the packet is to be cut; see the constants.
    pub(super) gso_type: u8,
    /// Bytes of all headers.
    pub(super) header_bytes: u16,
    /// Bytes of payload of each packet after cutting.
    pub(super) segment_bytes: u16,
    /// Where the bytes begin that the checksum is of.
    pub(super) checksum_start: u16,
    /// Where from there the checksum is.
    pub(super) checksum_offset: u16,
}

impl VnetHeader {
    /// Its length.
    pub(in crate::edge) const BYTES: usize = 10;

    /// In `flags`: the checksum field has the sum of the pseudo header, and the rest is left to do.
    pub(super) const NEEDS_CHECKSUM: u8 = 1;
    /// In `flags`: the checksum was verified.
    pub(super) const CHECKSUM_VALID: u8 = 2;

    /// A `gso_type`: not to be cut.
    pub(super) const NONE: u8 = 0;
    /// A `gso_type`: TCP over IPv4.
    pub(super) const TCPV4: u8 = 1;
    /// A `gso_type`: TCP over IPv6.
    pub(super) const TCPV6: u8 = 4;
    /// A `gso_type`: UDP, into datagrams.
    pub(super) const UDP_L4: u8 = 5;
    /// Added to a `gso_type`: the first packet alone keeps CWR (RFC 3168).
    pub(super) const ECN: u8 = 0x80;

    /// From memory.
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

    /// As it is in memory.
    pub(in crate::edge) fn to_bytes(self) -> [u8; Self::BYTES] {
        let [h0, h1] = self.header_bytes.to_ne_bytes();
        let [s0, s1] = self.segment_bytes.to_ne_bytes();
        let [c0, c1] = self.checksum_start.to_ne_bytes();
        let [o0, o1] = self.checksum_offset.to_ne_bytes();
        [self.flags, self.gso_type, h0, h1, s0, s1, c0, c1, o0, o1]
    }
}
