use super::checksum::{Sum, of_ipv4_header};
use super::*;

/// A deterministic source of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A TCP segment, as a sender without offloads sends it.
#[derive(Clone)]
struct Tcp {
    is_ipv4: bool,
    identification: u16,
    fragment: u16,
    ttl: u8,
    traffic_class: u8,
    port: u16,
    sequence: u32,
    acknowledgement: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Tcp {
    fn new(is_ipv4: bool, payload_bytes: usize) -> Self {
        Self {
            is_ipv4,
            identification: 7,
            fragment: 0x4000,
            ttl: 64,
            traffic_class: 0,
            port: 443,
            sequence: 1000,
            acknowledgement: 77,
            flags: ACK,
            window: 500,
            options: Vec::new(),
            payload: (0..payload_bytes).map(|at| (at * 7 + 3) as u8).collect(),
        }
    }

    /// The segment that follows this one.
    fn next(&self, payload_bytes: usize) -> Self {
        Self {
            identification: self.identification.wrapping_add(1),
            sequence: self.sequence.wrapping_add(self.payload.len() as u32),
            payload: Self::new(true, payload_bytes).payload,
            ..self.clone()
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut tcp = [self.port.to_be_bytes(), 5000_u16.to_be_bytes()].concat();
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgement.to_be_bytes());
        tcp.extend([((20 + self.options.len()) / 4 * 16) as u8, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let mut packet = ip(self, TCP, tcp.len());
        let checksum = slow_checksum(&[&pseudo(&packet, TCP, tcp.len()), &tcp]);
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        packet.extend(tcp);
        packet
    }
}

fn ip(of: &Tcp, protocol: u8, bytes: usize) -> Vec<u8> {
    if !of.is_ipv4 {
        let mut header = vec![0x60 | of.traffic_class >> 4, of.traffic_class << 4, 0, 9];
        header.extend((bytes as u16).to_be_bytes());
        header.extend([protocol, of.ttl]);
        header.extend((1..=32).collect::<Vec<u8>>());
        return header;
    }
    let mut header = vec![0x45, of.traffic_class];
    header.extend((20 + bytes as u16).to_be_bytes());
    header.extend(of.identification.to_be_bytes());
    header.extend(of.fragment.to_be_bytes());
    header.extend([of.ttl, protocol, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2]);
    let checksum = slow_checksum(&[&header]);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn pseudo(ip: &[u8], protocol: u8, bytes: usize) -> Vec<u8> {
    let addresses = if ip[0] >> 4 == 4 { &ip[12..20] } else { &ip[8..40] };
    let mut pseudo = addresses.to_vec();
    pseudo.extend((bytes as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo
}

/// RFC 1071, word by word.
fn slow_checksum(parts: &[&[u8]]) -> u16 {
    let bytes = parts.concat();
    let sum = bytes.chunks(2).fold(0_u64, |sum, word| {
        sum + u64::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or(0)]))
    });
    let mut folded = sum;
    while folded > 0xffff {
        folded = (folded & 0xffff) + (folded >> 16);
    }
    !(folded as u16)
}

/// A packet as Linux hands it over: one header, much payload, and the checksum left to do.
fn offloaded(of: &Tcp, segment_bytes: u16) -> (VnetHeader, Vec<u8>) {
    let mut packet = of.bytes();
    let transport: usize = if of.is_ipv4 { 20 } else { 40 };
    let sum = !slow_checksum(&[&pseudo(&packet, TCP, packet.len() - transport)]);
    packet[transport + 16..transport + 18].copy_from_slice(&sum.to_be_bytes());
    let header = VnetHeader {
        flags: VnetHeader::NEEDS_CHECKSUM,
        gso_type: if of.is_ipv4 { VnetHeader::TCPV4 } else { VnetHeader::TCPV6 },
        header_bytes: (transport + 20 + of.options.len()) as u16,
        segment_bytes,
        checksum_start: transport as u16,
        checksum_offset: 16,
    };
    (header, packet)
}

fn cut(header: &VnetHeader, packet: &[u8]) -> Vec<Vec<u8>> {
    let plan = Plan::new(header, packet).expect("the header fits the packet");
    let mut to = vec![0xaa; 65_535];
    (0..plan.count())
        .map(|index| {
            let bytes = plan.write(packet, index, &mut to).expect("a segment fits");
            to[..bytes].to_vec()
        })
        .collect()
}

fn join(packets: &[Vec<u8>]) -> Vec<(VnetHeader, Vec<u8>, u64)> {
    let (mut coalescer, mut joined) = (Coalescer::new(), Vec::new());
    let mut write = |it: Joined<'_>| joined.push((it.header, it.packet.to_vec(), it.packets));
    for packet in packets {
        coalescer.push(packet, &mut write);
    }
    coalescer.flush(&mut write);
    joined
}

/// How many packets become one, each.
fn joined_counts(packets: &[Tcp]) -> Vec<u64> {
    let bytes: Vec<_> = packets.iter().map(Tcp::bytes).collect();
    join(&bytes).iter().map(|(_, _, packets)| *packets).collect()
}

#[test]
fn checksums_are_those_of_rfc_1071() {
    let mut random = Random(1);
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let sum = Sum::default().with(&bytes).checksum();
        assert_eq!(u16::from_be_bytes(sum), slow_checksum(&[&bytes]), "{length} bytes");
    }
    let mut header = ip(&Tcp::new(true, 0), TCP, 0);
    header[0] = 0x46;
    header.extend([1, 2, 3, 4]);
    let right = slow_checksum(&[&header[..10], &[0, 0], &header[12..]]);
    assert_eq!(of_ipv4_header(&header), Some(right.to_be_bytes()));
    assert_eq!(of_ipv4_header(&header[..23]), None);
}

#[test]
fn a_long_segment_is_cut_as_its_sender_would_have() {
    for is_ipv4 in [true, false] {
        let mut whole = Tcp::new(is_ipv4, 3001);
        whole.options = vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
        whole.flags = ACK | PSH | FIN | CWR;
        whole.identification = 0xffff;
        whole.sequence = u32::MAX - 500;
        let (header, packet) = offloaded(&whole, 1001);
        let expected: Vec<_> = (0..3)
            .map(|index| {
                let (from, to) = (index * 1001, (index * 1001 + 1001).min(3001));
                let mut segment = whole.clone();
                segment.identification = whole.identification.wrapping_add(index as u16);
                segment.sequence = whole.sequence.wrapping_add(from as u32);
                segment.payload = whole.payload[from..to].to_vec();
                segment.flags = match index {
                    0 => ACK | CWR,
                    1 => ACK,
                    _ => ACK | PSH | FIN,
                };
                segment.bytes()
            })
            .collect();
        assert_eq!(cut(&header, &packet), expected);
        let with_ecn = VnetHeader { gso_type: header.gso_type | VnetHeader::ECN, ..header };
        assert_eq!(cut(&with_ecn, &packet), expected);
    }
}

#[test]
fn ipv4_options_stay() {
    let (header, packet) = offloaded(&Tcp::new(true, 2000), 1000);
    let mut with_options = packet[..20].to_vec();
    with_options[0] = 0x46;
    with_options.extend([1, 1, 1, 0]);
    with_options.extend(&packet[20..]);
    let header = VnetHeader { checksum_start: 24, ..header };
    let cut = cut(&header, &with_options);
    assert_eq!(cut.len(), 2);
    for (index, segment) in cut.iter().enumerate() {
        assert_eq!(slow_checksum(&[&segment[..24]]), 0);
        assert_eq!(segment[20..24], [1, 1, 1, 0]);
        assert_eq!(u16_at(segment, 2), Some(segment.len() as u16));
        assert_eq!(u16_at(segment, 4), Some(7 + index as u16));
        assert_eq!(slow_checksum(&[&pseudo(segment, TCP, segment.len() - 24), &segment[24..]]), 0);
    }
}

#[test]
fn udp_is_cut_into_datagrams() {
    for is_ipv4 in [true, false] {
        let of = Tcp::new(is_ipv4, 0);
        let payload: Vec<u8> = (0..=255).cycle().take(2500).collect();
        let mut packet = ip(&of, UDP, 8 + payload.len());
        let transport = packet.len();
        packet.extend([0, 53, 0, 99]);
        packet.extend((8 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(&payload);
        let header = VnetHeader {
            flags: VnetHeader::NEEDS_CHECKSUM,
            gso_type: VnetHeader::UDP_L4,
            segment_bytes: 1200,
            checksum_start: transport as u16,
            checksum_offset: 6,
            ..VnetHeader::default()
        };
        let cut = cut(&header, &packet);
        assert_eq!(cut.len(), 3);
        for (index, datagram) in cut.iter().enumerate() {
            let part = &payload[index * 1200..(index * 1200 + 1200).min(2500)];
            let udp = &datagram[transport..];
            assert_eq!(&udp[8..], part);
            assert_eq!(u16_at(udp, 4), Some(8 + part.len() as u16));
            assert_eq!(slow_checksum(&[&pseudo(datagram, UDP, udp.len()), udp]), 0);
        }
    }
}

#[test]
fn a_checksum_that_was_left_to_do_is_done() {
    let segment = Tcp::new(true, 333);
    let (header, packet) = offloaded(&segment, 0);
    let header = VnetHeader { gso_type: VnetHeader::NONE, ..header };
    assert_eq!(cut(&header, &packet), [segment.bytes()]);
    let whole = segment.bytes();
    assert_eq!(cut(&VnetHeader::default(), &whole), std::slice::from_ref(&whole));
}

#[test]
fn headers_that_do_not_fit_are_refused() {
    let (good, packet) = offloaded(&Tcp::new(true, 3000), 1000);
    for bad in [
        VnetHeader { gso_type: 3, ..good },
        VnetHeader { segment_bytes: 0, ..good },
        VnetHeader { checksum_start: 4, ..good },
        VnetHeader { checksum_start: 3030, ..good },
        VnetHeader { checksum_start: u16::MAX, ..good },
        VnetHeader { flags: 0, ..good },
        VnetHeader { gso_type: VnetHeader::NONE, checksum_offset: u16::MAX, ..good },
    ] {
        assert_eq!(Plan::new(&bad, &packet), None, "{bad:?}");
    }
    assert_eq!(Plan::new(&good, &[]), None);
    let plan = Plan::new(&good, &packet).unwrap();
    assert_eq!(plan.write(&packet, 0, &mut [0; 1039]), None);
    assert_eq!(plan.write(&packet, 4, &mut [0; 2000]), None);
}

#[test]
fn no_header_and_no_packet_cause_a_panic() {
    let mut random = Random(2);
    let mut to = [0; 2000];
    for _ in 0..20_000 {
        let mut bytes = [0; VnetHeader::BYTES];
        bytes.fill_with(|| random.next() as u8);
        let mut header = VnetHeader::from_bytes(bytes);
        assert_eq!(header.to_bytes(), bytes);
        header.gso_type %= 6;
        header.flags |= (random.next() & 1) as u8;
        header.checksum_start %= 100;
        let length = random.below(300);
        let mut packet: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if let Some(first) = packet.first_mut() {
            *first = [0x45, 0x60, 0x4f, 0x40][random.below(4)];
        }
        if let Some(plan) = Plan::new(&header, &packet) {
            for index in 0..=plan.count().min(20) {
                let _ = plan.write(&packet, index, &mut to);
            }
        }
        assert_eq!(join(&[packet.clone(), packet.clone()]).iter().map(|it| it.2).sum::<u64>(), 2);
    }
}

#[test]
fn consecutive_segments_become_one() {
    for is_ipv4 in [true, false] {
        let mut first = Tcp::new(is_ipv4, 1000);
        first.identification = u16::MAX;
        first.sequence = u32::MAX - 100;
        first.options = vec![1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 1];
        let second = first.next(1000);
        let mut third = second.next(501);
        third.flags |= PSH;
        let all = [first.bytes(), second.bytes(), third.bytes()];
        let joined = join(&all);
        let [(header, packet, 3)] = &joined[..] else { panic!("{joined:?}") };
        assert_eq!(header.segment_bytes, 1000);
        assert_eq!(usize::from(header.header_bytes), packet.len() - 2501);
        let whole = Tcp {
            payload: [first.payload.clone(), second.payload, third.payload].concat(),
            flags: ACK | PSH,
            ..first.clone()
        };
        let (expected_header, expected) = offloaded(&whole, 1000);
        assert_eq!((header, packet), (&expected_header, &expected));
        assert_eq!(cut(header, packet), all);
    }
}

#[test]
fn what_differs_is_not_joined() {
    let first = Tcp::new(true, 1000);
    let second = first.next(1000);
    assert_eq!(joined_counts(&[first.clone(), second.clone()]), [2]);
    for other in [
        Tcp { port: 444, ..second.clone() },
        Tcp { sequence: second.sequence + 1, ..second.clone() },
        Tcp { sequence: first.sequence, ..second.clone() },
        Tcp { acknowledgement: 78, ..second.clone() },
        Tcp { window: 501, ..second.clone() },
        Tcp { ttl: 63, ..second.clone() },
        Tcp { traffic_class: 3, ..second.clone() },
        Tcp { identification: second.identification + 1, ..second.clone() },
        Tcp { fragment: 0, ..second.clone() },
        Tcp { fragment: 0x2000, ..second.clone() },
        Tcp { options: vec![1, 1, 1, 1], ..second.clone() },
        Tcp { flags: ACK | FIN, ..second.clone() },
        Tcp { flags: ACK | 0x02, ..second.clone() },
        Tcp { flags: ACK | 0x04, ..second.clone() },
        Tcp { flags: ACK | 0x20, ..second.clone() },
        Tcp { flags: ACK | 0x40, ..second.clone() },
        Tcp { flags: ACK | CWR, ..second.clone() },
        Tcp { is_ipv4: false, ..second.clone() },
        first.next(1001),
        first.next(0),
    ] {
        assert_eq!(joined_counts(&[first.clone(), other]), [1, 1]);
    }
    let six = Tcp::new(false, 1000);
    assert_eq!(joined_counts(&[six.clone(), six.next(9)]), [2]);
    assert_eq!(joined_counts(&[six.clone(), Tcp { traffic_class: 16, ..six.next(9) }]), [1, 1]);
    assert_eq!(joined_counts(&[six.clone(), Tcp { ttl: 1, ..six.next(9) }]), [1, 1]);
}

#[test]
fn a_short_or_pushed_segment_is_the_last() {
    let first = Tcp::new(true, 1000);
    let short = first.next(999);
    assert_eq!(joined_counts(&[first.clone(), short.clone(), short.next(999)]), [2, 1]);
    let pushed = Tcp { flags: ACK | PSH, ..first.next(1000) };
    let after = Tcp { flags: ACK, ..pushed.next(1000) };
    assert_eq!(joined_counts(&[first, pushed, after]), [2, 1]);
}

#[test]
fn a_constant_identification_is_joined_where_it_means_nothing() {
    let first = Tcp::new(true, 1000);
    let same = |of: &Tcp| Tcp { identification: first.identification, ..of.next(1000) };
    let second = same(&first);
    let third = same(&second);
    assert_eq!(joined_counts(&[first.clone(), second.clone(), third]), [3]);
    assert_eq!(joined_counts(&[first.clone(), second.clone(), second.next(1000)]), [2, 1]);
    let [first, second] = [first.clone(), second].map(|of| Tcp { fragment: 0, ..of });
    assert_eq!(joined_counts(&[first, second]), [1, 1]);
}

#[test]
fn wrong_checksums_arrive_as_they_are() {
    let first = Tcp::new(true, 1000);
    let second = first.next(1000);
    for at in [10, 25, 36, 500] {
        let mut broken = second.bytes();
        broken[at] ^= 0x10;
        let joined = join(&[first.bytes(), broken.clone()]);
        assert_eq!(joined.len(), 2, "byte {at}");
        assert_eq!((joined[1].0, &joined[1].1), (VnetHeader::default(), &broken), "byte {at}");
    }
}

#[test]
fn what_is_not_joined_is_untouched() {
    let mut udp = ip(&Tcp::new(true, 0), UDP, 12);
    udp.extend([0, 1, 0, 2, 0, 12, 0, 0, 1, 2, 3, 4]);
    let mut with_options = Tcp::new(true, 100).bytes();
    with_options[0] = 0x46;
    let mut padded = Tcp::new(true, 100).bytes();
    padded.push(0);
    for packet in [udp, Tcp::new(true, 0).bytes(), with_options, padded, vec![0x45], vec![]] {
        let joined = join(&[packet.clone(), packet.clone()]);
        assert_eq!(
            joined,
            [(VnetHeader::default(), packet.clone(), 1), (VnetHeader::default(), packet, 1)]
        );
    }
}

#[test]
fn a_joined_packet_is_never_longer_than_ip_allows() {
    for is_ipv4 in [true, false] {
        let mut packets = vec![Tcp::new(is_ipv4, 1380)];
        for _ in 0..99 {
            packets.push(packets[packets.len() - 1].next(1380));
        }
        let bytes: Vec<_> = packets.iter().map(Tcp::bytes).collect();
        let joined = join(&bytes);
        assert_eq!(joined.len(), 3);
        assert!(joined.iter().all(|(_, packet, _)| packet.len() <= 65_535));
        let back: Vec<_> =
            joined.iter().flat_map(|(header, packet, _)| cut(header, packet)).collect();
        assert_eq!(back, bytes);
    }
}

#[test]
fn cutting_what_was_joined_gives_back_what_came() {
    let mut random = Random(3);
    for round in 0..300 {
        let is_ipv4 = random.next() & 1 == 0;
        let mut last = Tcp::new(is_ipv4, 1 + random.below(1400));
        last.sequence = random.next() as u32;
        last.identification = random.next() as u16;
        let mut packets = vec![last.bytes()];
        for _ in 0..random.below(80) {
            // Mostly as a sender would go on, sometimes not.
            let length = if random.below(8) == 0 { random.below(1400) } else { last.payload.len() };
            let mut next = last.next(length);
            match random.below(40) {
                0 => next.flags = random.next() as u8,
                1 => next.flags = ACK | PSH,
                2 => next.sequence = next.sequence.wrapping_add(1),
                3 => next.identification = next.identification.wrapping_add(1),
                4 => next.window = random.next() as u16,
                5 => next.acknowledgement += 1,
                6 => next.options = vec![1; 4 * random.below(11)],
                7 => next.port = random.next() as u16,
                8 => next.is_ipv4 = !next.is_ipv4,
                _ => next.flags = ACK,
            }
            packets.push(next.bytes());
            if random.below(30) == 0
                && let Some(packet) = packets.last_mut()
            {
                let at = random.below(packet.len());
                packet[at] ^= 1 << random.below(8);
            }
            last = next;
        }
        let joined = join(&packets);
        let back: Vec<_> =
            joined.iter().flat_map(|(header, packet, _)| cut(header, packet)).collect();
        // Not all of them in a message that nobody can read.
        let different = back.iter().zip(&packets).position(|(back, packet)| back != packet);
        assert_eq!((back.len(), different), (packets.len(), None), "round {round}");
    }
}
