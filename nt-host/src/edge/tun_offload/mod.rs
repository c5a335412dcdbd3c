//! Offloads between a Linux TUN interface and its edge: segmentation of packets from Linux, and
//! coalescing of packets for Linux.
//!
//! Each packet is preceded by a [`VnetHeader`] with the remaining work. The adapter only sees
//! complete packets with checksums, no longer than the MTU.

mod checksum;
mod coalesce;
mod segment;
mod vnet_header;

pub(super) use coalesce::{Coalescer, Joined};
pub(super) use segment::Plan;
pub(super) use vnet_header::VnetHeader;

/// The length of an IPv4 header without options (RFC 791), in bytes.
const IPV4_BYTES: usize = 20;
/// The length of an IPv6 header (RFC 8200), in bytes.
const IPV6_BYTES: usize = 40;
/// IANA's protocol numbers.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Flags of a TCP header (RFC 9293), in its byte 13.
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;

/// The 16-bit number in network order at this offset.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The 32-bit number in network order at this offset.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Writes bytes at this offset, if they fit.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..value.len())?.copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests;
