//! The traffic class of inner and outer IP headers: DSCP and ECN.

/// The ECN field of an IP header (RFC 3168, section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable transport.
    #[default]
    NotEct = 0b00,
    /// ECN-capable transport (1).
    Ect1 = 0b01,
    /// ECN-capable transport (0).
    Ect0 = 0b10,
    /// Congestion experienced.
    Ce = 0b11,
}

/// The traffic class of an IP header: IPv4's TOS, IPv6's traffic class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficClass {
    /// The differentiated services code point: 6 bits.
    pub dscp: u8,
    /// The ECN field.
    pub ecn: Ecn,
}

impl Ecn {
    /// The ECN field in the lowest two bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The ECN field of this inner header after decapsulation from this outer header; `None` drops
    /// the packet (RFC 6040, section 4.2, figure 4).
    pub const fn decapsulated(self, outer: Self) -> Option<Self> {
        match (self, outer) {
            (Self::NotEct, Self::Ce) => None,
            (Self::NotEct, _) => Some(Self::NotEct),
            (_, Self::Ce) => Some(Self::Ce),
            (Self::Ect0, Self::Ect1) => Some(Self::Ect1),
            (inner, _) => Some(inner),
        }
    }
}

impl TrafficClass {
    /// Reads the octet of an IP header.
    pub const fn from_octet(octet: u8) -> Self {
        Self { dscp: octet >> 2, ecn: Ecn::from_bits(octet) }
    }

    /// The octet of an IP header.
    pub const fn octet(self) -> u8 {
        self.dscp << 2 | self.ecn as u8
    }

    /// Reads the header of an IP packet from its first bytes; the default if it is no IP packet.
    pub fn of_packet(head: &[u8]) -> Self {
        match *head {
            [first, octet, ..] if first >> 4 == 4 => Self::from_octet(octet),
            [first, second, ..] if first >> 4 == 6 => Self::from_octet(first << 4 | second >> 4),
            _ => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decapsulation_is_the_table_of_rfc_6040() {
        use Ecn::{Ce, Ect0, Ect1, NotEct};
        let outers = [NotEct, Ect0, Ect1, Ce];
        let table = [
            (NotEct, [Some(NotEct), Some(NotEct), Some(NotEct), None]),
            (Ect0, [Some(Ect0), Some(Ect0), Some(Ect1), Some(Ce)]),
            (Ect1, [Some(Ect1), Some(Ect1), Some(Ect1), Some(Ce)]),
            (Ce, [Some(Ce); 4]),
        ];
        for (inner, expected) in table {
            assert_eq!(outers.map(|outer| inner.decapsulated(outer)), expected, "{inner:?}");
        }
    }

    #[test]
    fn the_octet_is_read_from_both_versions_of_ip() {
        for octet in 0..=255 {
            let class = TrafficClass::from_octet(octet);
            assert_eq!(class.octet(), octet);
            assert_eq!(TrafficClass::of_packet(&[0x45, octet]), class);
            assert_eq!(TrafficClass::of_packet(&[0x60 | octet >> 4, octet << 4]), class);
        }
        assert_eq!(TrafficClass::of_packet(&[0x45]), TrafficClass::default());
    }
}
