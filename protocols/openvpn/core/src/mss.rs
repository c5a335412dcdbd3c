//! The segment size that TCP announces (RFC 9293, section 3.7.1): lowered in SYN packets, so that
//! full segments fit into the tunnel.

/// The part of an IP packet that tells whether it may be a SYN: IPv4's longest header and TCP's
/// flags.
const LOOK_BYTES: usize = 60 + 14;

/// How much longer IPv6's header is than IPv4's: so much less may a segment carry.
const V6_MORE_BYTES: u16 = 20;

/// Protocol 6 is TCP.
const TCP: u8 = 6;
const SYN: u8 = 2;
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;

/// Whether a packet in these pieces may have to be changed.
pub(crate) fn may_apply(pieces: &[&[u8]]) -> bool {
    let Some(first) = pieces.first() else { return false };
    if pieces.len() > 1 && first.len() < LOOK_BYTES {
        // It is looked at when it is in one piece.
        return true;
    }
    syn_header(first).is_some()
}

/// Lowers the segment size that a packet announces, if it is a SYN and announces more than
/// `mss_bytes` over IPv4 or 20 less over IPv6. Fragments and packets with IPv6 extension headers
/// stay as they are.
pub(crate) fn clamp(packet: &mut [u8], mss_bytes: u16) {
    let Some(at) = syn_header(packet) else { return };
    let most = match packet.first() {
        Some(first) if first >> 4 == 6 => mss_bytes.saturating_sub(V6_MORE_BYTES),
        _ => mss_bytes,
    };
    if let Some(header) = packet.get_mut(at..) {
        clamp_header(header, most);
    }
}

/// Where the TCP header of a SYN begins.
fn syn_header(packet: &[u8]) -> Option<usize> {
    let at = match packet.first()? >> 4 {
        4 => {
            let header: &[u8; 20] = packet.first_chunk()?;
            // More fragments, or an offset.
            let is_whole = header[6] & 0x3f == 0 && header[7] == 0;
            let length = usize::from(header[0] & 0xf) * 4;
            (header[9] == TCP && is_whole && length >= 20).then_some(length)?
        }
        6 => (*packet.get(6)? == TCP).then_some(40)?,
        _ => return None,
    };
    let flags = *packet.get(at.checked_add(13)?)?;
    (flags & SYN != 0).then_some(at)
}

/// Looks for the option and lowers it, with the checksum (RFC 1624, equation 3).
fn clamp_header(header: &mut [u8], most: u16) {
    let Some(&length) = header.get(12) else { return };
    let Some(header) = header.get_mut(..usize::from(length >> 4) * 4) else { return };
    let Some(at) = option(header) else { return };
    let Some(value) = header.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<2>()) else {
        return;
    };
    let old = u16::from_be_bytes(*value);
    if old <= most {
        return;
    }
    *value = most.to_be_bytes();
    // An option may begin anywhere; at an odd place its bytes belong to two words of the sum.
    let (old, new) =
        if at.is_multiple_of(2) { (old, most) } else { (old.swap_bytes(), most.swap_bytes()) };
    if let Some(checksum) = header.get_mut(16..).and_then(|rest| rest.first_chunk_mut::<2>()) {
        let sum = u32::from(!u16::from_be_bytes(*checksum)) + u32::from(!old) + u32::from(new);
        let folded = (sum & 0xffff) + (sum >> 16);
        let folded = (folded & 0xffff) + (folded >> 16);
        *checksum = (!(folded as u16)).to_be_bytes();
    }
}

/// Where the value of the option lies.
fn option(header: &[u8]) -> Option<usize> {
    let mut at = 20_usize;
    loop {
        match *header.get(at)? {
            END => return None,
            NO_OPERATION => at = at.checked_add(1)?,
            kind => {
                let length = usize::from(*header.get(at.checked_add(1)?)?);
                if length < 2 {
                    return None;
                }
                let end = at.checked_add(length).filter(|&end| end <= header.len())?;
                if kind == MAXIMUM_SEGMENT_SIZE {
                    return (length == 4).then_some(at + 2);
                }
                at = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{vec, vec::Vec};

    use super::*;
    use crate::random::Random;

    /// A TCP packet with these options.
    fn packet(is_v6: bool, flags: u8, options: &[u8]) -> Vec<u8> {
        let ip_bytes = if is_v6 { 40 } else { 24 };
        let mut packet = vec![0; ip_bytes];
        if is_v6 {
            packet[0] = 0x60;
            packet[5] = (20 + options.len()) as u8;
            packet[6] = TCP;
            packet[8..40].fill(0x21);
        } else {
            // With an option of its own.
            packet[0] = 0x46;
            packet[3] = (44 + options.len()) as u8;
            packet[6] = 0x40;
            packet[9] = TCP;
            packet[12..20].fill(0x0a);
        }
        let mut tcp = vec![0; 20];
        tcp[..12].copy_from_slice(&[0x12, 0x34, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8]);
        tcp[12] = (((20 + options.len()) / 4) << 4) as u8;
        tcp[13] = flags;
        tcp.extend_from_slice(options);
        packet.extend(tcp);
        let checksum = !sum(&packet);
        let at = ip_bytes + 16;
        packet[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        packet
    }

    /// The sum that TCP's checksum completes to 0xffff.
    fn sum(packet: &[u8]) -> u16 {
        let (addresses, tcp) = match packet[0] >> 4 {
            4 => (&packet[12..20], &packet[24..]),
            _ => (&packet[8..40], &packet[40..]),
        };
        let pseudo = [0, TCP, (tcp.len() >> 8) as u8, tcp.len() as u8];
        let mut sum = 0_u32;
        for bytes in [addresses, &pseudo, tcp] {
            for pair in bytes.chunks(2) {
                sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            }
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    const MSS_1460: [u8; 4] = [2, 4, 5, 0xb4];

    #[test]
    fn a_syn_that_announces_more_is_lowered_and_its_checksum_holds() {
        for (is_v6, expected) in [(false, 1300_u16), (true, 1280)] {
            for pad in 0..4 {
                let mut options = vec![NO_OPERATION; pad];
                options.extend(MSS_1460);
                options.extend([8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
                options.resize(options.len().next_multiple_of(4), END);
                let mut packet = packet(is_v6, SYN | 0x10, &options);
                assert_eq!(sum(&packet), 0xffff);
                clamp(&mut packet, 1300);
                assert_eq!(sum(&packet), 0xffff, "{pad}");
                let at = if is_v6 { 60 } else { 44 } + pad + 2;
                assert_eq!(packet[at..at + 2], expected.to_be_bytes());
            }
        }
    }

    #[test]
    fn nothing_else_changes() {
        let fragment = |byte: usize, value: u8| {
            let mut packet = packet(false, SYN, &MSS_1460);
            packet[byte] = value;
            packet
        };
        for packet in [
            packet(false, 0x10, &MSS_1460),
            packet(false, SYN, &[2, 4, 5, 0x14]),
            packet(false, SYN, &[1, 1, 1, 0]),
            packet(true, SYN, &[0, 4, 5, 0xb4]),
            packet(true, SYN, &[3, 0, 5, 0xb4]),
            packet(true, SYN, &[3, 9, 5, 0xb4]),
            fragment(6, 0x20),
            fragment(7, 1),
            fragment(9, 17),
            fragment(0, 0x41),
        ] {
            let mut changed = packet.clone();
            clamp(&mut changed, 1300);
            assert_eq!(changed, packet);
        }
    }

    #[test]
    fn pieces_are_judged_as_the_whole_is() {
        let syn = packet(false, SYN, &MSS_1460);
        let ack = packet(false, 0x10, &[1; 40]);
        assert!(may_apply(&[&syn]));
        assert!(!may_apply(&[&ack]));
        assert!(!may_apply(&[]));
        for cut in 0..=syn.len() {
            let (front, back) = syn.split_at(cut);
            assert!(may_apply(&[front, back]), "cut at {cut}");
        }
    }

    #[test]
    fn no_packet_is_too_odd() {
        let mut random = Random(11);
        for _ in 0..200_000 {
            let options: Vec<u8> = (0..random.below(11) * 4).map(|_| random.next() as u8).collect();
            let mut packet = packet(random.below(2) == 0, SYN, &options);
            for _ in 0..random.below(4) {
                let at = random.below(packet.len() as u64) as usize;
                packet[at] = random.next() as u8;
            }
            packet.truncate(packet.len() - random.below(packet.len() as u64 / 2) as usize);
            let length = packet.len();
            _ = may_apply(&[&packet]);
            clamp(&mut packet, 500);
            assert_eq!(packet.len(), length);
        }
    }
}
