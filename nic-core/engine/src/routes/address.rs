//! Addresses as a trie sees them.

use core::{
    net::IpAddr,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// A string of bits, the first in the highest place.
pub(super) trait Address: Copy + Eq + Into<IpAddr> {
    /// How many bits.
    const BITS: u32;
    /// Holds one so that others may read it.
    type Cell: Default;

    fn load(cell: &Self::Cell) -> Self;
    fn store(self, cell: &Self::Cell);
    /// How many of the first bits are the same.
    fn common_bits(self, other: Self) -> u32;
    /// The bit behind the first `length`: 0 or 1.
    fn bit(self, length: u32) -> usize;
    /// The first `length` bits, the others 0.
    fn masked(self, length: u32) -> Self;
}

/// An IPv4 address in native byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct V4(pub(super) u32);

/// An IPv6 address in native byte order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct V6(pub(super) u128);

impl Address for V4 {
    const BITS: u32 = 32;
    type Cell = AtomicU32;

    fn load(cell: &AtomicU32) -> Self {
        Self(cell.load(Ordering::Relaxed))
    }

    fn store(self, cell: &AtomicU32) {
        cell.store(self.0, Ordering::Relaxed);
    }

    fn common_bits(self, other: Self) -> u32 {
        (self.0 ^ other.0).leading_zeros()
    }

    fn bit(self, length: u32) -> usize {
        (self.0.wrapping_shl(length) >> 31) as usize
    }

    fn masked(self, length: u32) -> Self {
        Self(self.0 & !u32::MAX.checked_shr(length).unwrap_or(0))
    }
}

impl Address for V6 {
    const BITS: u32 = 128;
    /// The high half and the low half. A reader that gets halves of two addresses notices in the
    /// end that the node was recycled.
    type Cell = [AtomicU64; 2];

    fn load([high, low]: &Self::Cell) -> Self {
        let [high, low] = [high, low].map(|half| u128::from(half.load(Ordering::Relaxed)));
        Self(high << 64 | low)
    }

    fn store(self, [high, low]: &Self::Cell) {
        high.store((self.0 >> 64) as u64, Ordering::Relaxed);
        low.store(self.0 as u64, Ordering::Relaxed);
    }

    fn common_bits(self, other: Self) -> u32 {
        (self.0 ^ other.0).leading_zeros()
    }

    fn bit(self, length: u32) -> usize {
        (self.0.wrapping_shl(length) >> 127) as usize
    }

    fn masked(self, length: u32) -> Self {
        Self(self.0 & !u128::MAX.checked_shr(length).unwrap_or(0))
    }
}

impl From<V4> for IpAddr {
    fn from(address: V4) -> Self {
        core::net::Ipv4Addr::from_bits(address.0).into()
    }
}

impl From<V6> for IpAddr {
    fn from(address: V6) -> Self {
        core::net::Ipv6Addr::from_bits(address.0).into()
    }
}
