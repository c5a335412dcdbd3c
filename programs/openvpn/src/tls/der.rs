//! Reads DER (X.690).

// Universal tags.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The elements that are left to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'d>(&'d [u8]);

impl<'d> Der<'d> {
    pub(super) const fn new(bytes: &'d [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of the next element.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Reads the next element: tag and contents.
    pub(super) fn any(&mut self) -> Option<(u8, &'d [u8])> {
        let (length, start) = match *self.0 {
            [_, length @ 0..=0x7F, ..] => (usize::from(length), 2),
            [_, 0x81, length, ..] => (usize::from(length), 3),
            [_, 0x82, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), 4),
            [_, 0x83, a, b, c, ..] => (u32::from_be_bytes([0, a, b, c]).try_into().ok()?, 5),
            _ => return None,
        };
        let tag = self.peek()?;
        let (contents, rest) = self.0.get(start..)?.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// Reads the next element: whole encoding, tag and contents.
    pub(super) fn any_encoded(&mut self) -> Option<(&'d [u8], u8, &'d [u8])> {
        let before = self.0;
        let (tag, contents) = self.any()?;
        let encoding = before.get(..before.len() - self.0.len())?;
        Some((encoding, tag, contents))
    }

    /// Reads the next element, which has this tag, and returns its contents.
    pub(super) fn element(&mut self, tag: u8) -> Option<&'d [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    /// Reads the next element, which has this tag and contains elements.
    pub(super) fn nested(&mut self, tag: u8) -> Option<Self> {
        self.element(tag).map(Self)
    }

    /// Reads the next element if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Option<Option<&'d [u8]>> {
        match self.peek() {
            Some(found) if found == tag => self.element(tag).map(Some),
            _ => Some(None),
        }
    }
}

/// Encodes a dotted object identifier, without tag and length.
pub(super) fn object_identifier(dotted: &str) -> Option<Vec<u8>> {
    let arcs: Option<Vec<u64>> = dotted.split('.').map(|arc| arc.parse().ok()).collect();
    let arcs = arcs?;
    let [first @ 0..=2, second, rest @ ..] = &arcs[..] else { return None };
    if *first < 2 && *second >= 40 {
        return None;
    }
    let mut bytes = Vec::new();
    for arc in [&[first.checked_mul(40)?.checked_add(*second)?], rest].concat() {
        let groups = (64 - arc.max(1).leading_zeros()).div_ceil(7);
        for group in (0..groups).rev() {
            let bits = (arc >> (7 * group)).to_le_bytes()[0] & 0x7F;
            bytes.push(if group > 0 { bits | 0x80 } else { bits });
        }
    }
    Some(bytes)
}

/// The dotted form of an object identifier. Arcs have up to 128 bits, as those of UUIDs do.
pub(super) fn dotted(identifier: &[u8]) -> Option<String> {
    let mut arcs: Vec<u128> = Vec::new();
    let mut arc = 0_u128;
    let mut is_first = true;
    for byte in identifier {
        // X.690, section 8.19.2: no leading zeros.
        if is_first && *byte == 0x80 {
            return None;
        }
        is_first = byte & 0x80 == 0;
        arc = arc.checked_mul(128)? | u128::from(byte & 0x7F);
        if is_first {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc -= first * 40;
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    if identifier.last().is_none_or(|byte| byte & 0x80 != 0) {
        return None;
    }
    Some(arcs.iter().map(u128::to_string).collect::<Vec<_>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_are_converted_both_ways() {
        for (text, bytes) in [
            ("2.5.4.3", &[0x55, 4, 3][..]),
            ("1.3.6.1.5.5.7.3.1", &[0x2B, 6, 1, 5, 5, 7, 3, 1]),
            ("1.2.840.113549.1.9.1", &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]),
            ("2.999.0", &[0x88, 0x37, 0]),
        ] {
            assert_eq!(object_identifier(text).as_deref(), Some(bytes), "{text}");
            assert_eq!(dotted(bytes).as_deref(), Some(text));
        }
        for bad in ["", "1", "3.1", "1.40", "a.b", "1..2"] {
            assert_eq!(object_identifier(bad), None, "{bad}");
        }
        for malformed in [&[][..], &[0x55, 0x84], &[0x55, 0x80, 4], &[0x80, 0x55]] {
            assert_eq!(dotted(malformed), None, "{malformed:?}");
        }
    }

    #[test]
    fn truncated_elements_are_refused() {
        let long = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        assert_eq!(Der::new(&long).any(), Some((0x30, &[7; 256][..])));
        for length in 0..long.len() {
            assert_eq!(Der::new(&long[..length]).any(), None, "{length}");
        }
    }
}
