//! Offloads between a Linux TUN device and the edge: packets longer than the MTU that Linux leaves
//! to be cut, and ones that the edge joins for it.
//!
//! Each packet has a [`VnetHeader`] before it, that says what is left to do. What the adapter sees
//! are always whole packets with their checksums, no longer than the MTU.

mod checksum;
mod coalesce;
mod segment;
mod vnet_header;

pub(super) use coalesce::{Coalescer, Joined};
pub(super) use segment::Plan;
pub(super) use vnet_header::VnetHeader;

/// Bytes of an IPv4 header without options (RFC 791).
const IPV4_BYTES: usize = 20;
/// Bytes of an IPv6 header (RFC 8200).
const IPV6_BYTES: usize = 40;
/// IANA's numbers of protocols.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Flags of a TCP header (RFC 9293), in its byte 13.
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const CWR: u8 = 0x80;

/// The 16-bit number in network order at this place.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The 32-bit number in network order at this place.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Puts bytes to this place, when they fit.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) -> Option<()> {
    bytes.get_mut(at..)?.get_mut(..value.len())?.copy_from_slice(value);
    Some(())
}

#[cfg(test)]
mod tests;
