//! The longest packets of the stack above.

/// The length of the longest packet that the stack above sends, by version of IP. Bounds padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// Of IPv4, in bytes.
    pub v4_bytes: u32,
    /// Of IPv6, in bytes.
    pub v6_bytes: u32,
}

impl Mtu {
    /// The same for both.
    pub const fn of_both(bytes: u32) -> Self {
        Self { v4_bytes: bytes, v6_bytes: bytes }
    }

    /// What counts for a packet that begins like this. It is the packet's own version that counts,
    /// not that of the network it is sent over.
    pub fn of_packet(self, head: &[u8]) -> usize {
        match head.first() {
            Some(first) if first >> 4 == 4 => self.v4_bytes as usize,
            _ => self.v6_bytes as usize,
        }
    }

    /// The greater of both, in bytes.
    pub fn longest(self) -> usize {
        self.v4_bytes.max(self.v6_bytes) as usize
    }
}
