//! Packets of our own that the host's routes lead back into the tunnel.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Protocol 17 is UDP.
const UDP: u8 = 17;

/// Whether a packet that begins like this is a datagram to this address and port.
///
/// A port that lies behind the bytes that are seen is taken for this one: as long as the host has a
/// route to the peer outside of the tunnel, nothing for the peer's address comes here at all.
pub(crate) fn is_for(head: &[u8], remote: SocketAddr) -> bool {
    let destination = match head.first().map(|first| first >> 4) {
        Some(4) => v4(head),
        Some(6) => v6(head),
        _ => None,
    };
    destination.is_some_and(|(address, udp_at)| {
        address == remote.ip().to_canonical()
            && port(head, udp_at).is_none_or(|port| port == remote.port())
    })
}

/// The destination of a UDP datagram over IPv4, and where its UDP header is. Fragments but the
/// first have none.
fn v4(head: &[u8]) -> Option<(IpAddr, usize)> {
    let header: &[u8; 20] = head.first_chunk()?;
    let is_first = header[6] & 0x1f == 0 && header[7] == 0;
    let address = Ipv4Addr::from(*header.last_chunk::<4>()?);
    let udp_at = usize::from(header[0] & 0xf) * 4;
    (header[9] == UDP && is_first).then_some((address.into(), udp_at))
}

/// The same over IPv6, without extension headers.
fn v6(head: &[u8]) -> Option<(IpAddr, usize)> {
    let header: &[u8; 40] = head.first_chunk()?;
    let address = Ipv6Addr::from(*header.last_chunk::<16>()?);
    (header[6] == UDP).then_some((address.into(), 40))
}

/// The port that a UDP header names as its destination.
fn port(head: &[u8], udp_at: usize) -> Option<u16> {
    let port = head.get(udp_at.checked_add(2)?..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_datagrams_to_this_address_and_port_are_own() {
        let mut v4 = [0; 40];
        v4[0] = 0x45;
        v4[9] = UDP;
        v4[16..20].copy_from_slice(&[192, 0, 2, 9]);
        v4[22..24].copy_from_slice(&1194_u16.to_be_bytes());
        let mut v6 = [0; 44];
        v6[0] = 0x60;
        v6[6] = UDP;
        v6[24..28].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        v6[42..44].copy_from_slice(&1194_u16.to_be_bytes());
        for (head, remote, is_own) in [
            (&v4[..], "192.0.2.9:1194", true),
            (&v4, "[::ffff:192.0.2.9]:1194", true),
            (&v4, "192.0.2.9:1195", false),
            (&v4, "192.0.2.8:1194", false),
            (&v4, "[2001:db8::]:1194", false),
            (&v6, "[2001:db8::]:1194", true),
            (&v6, "[2001:db8::]:1195", false),
            (&v6, "[2001:db8::1]:1194", false),
            // All that a system has to show of a packet.
            (&v6[..40], "[2001:db8::]:1195", true),
            (&v6[..39], "[2001:db8::]:1194", false),
            (&v4[..19], "192.0.2.9:1194", false),
            (&[], "192.0.2.9:1194", false),
        ] {
            assert_eq!(is_for(head, remote.parse().unwrap()), is_own, "{remote} of {head:?}");
        }
        v4[7] = 1;
        assert!(!is_for(&v4, "192.0.2.9:1194".parse().unwrap()), "a fragment");
        v4[7] = 0;
        v4[9] = 6;
        assert!(!is_for(&v4, "192.0.2.9:1194".parse().unwrap()), "TCP");
    }
}
