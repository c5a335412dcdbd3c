//! GUIDs of adapters.

use tunic_ioctl::AdapterId;

/// Parses `{8-4-4-4-12}` hexadecimal digits, UTF-16, braces optional.
pub(crate) fn parse(text: &[u16]) -> Option<AdapterId> {
    let text = match text {
        [first, inner @ .., last] if *first == u16::from(b'{') && *last == u16::from(b'}') => inner,
        text => text,
    };
    if text.len() != 36 {
        return None;
    }
    let mut digits = 0_u128;
    for (index, unit) in text.iter().enumerate() {
        if matches!(index, 8 | 13 | 18 | 23) {
            if *unit != u16::from(b'-') {
                return None;
            }
            continue;
        }
        let digit = char::from_u32(u32::from(*unit))?.to_digit(16)?;
        digits = digits << 4 | u128::from(digit);
    }
    Some(from_digits(digits))
}

/// The GUID of an adapter without one in the registry: its LUID, with leading zeros in text form.
pub(crate) fn of_luid(luid: u64) -> AdapterId {
    from_digits(u128::from(luid))
}

/// The first three parts of a GUID are little-endian in memory (guiddef.h).
fn from_digits(digits: u128) -> AdapterId {
    let [a, b, c, d, e, f, g, h, rest @ ..] = digits.to_be_bytes();
    let mut bytes = [d, c, b, a, f, e, h, g, 0, 0, 0, 0, 0, 0, 0, 0];
    for (byte, value) in bytes.iter_mut().skip(8).zip(rest) {
        *byte = value;
    }
    AdapterId(bytes)
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::utf16;

    #[test]
    fn parses_the_text_form_into_the_order_of_the_struct() {
        let text = utf16!("{00112233-4455-6677-8899-AABBccddeeff}");
        let bytes = [
            0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd,
            0xee, 0xff,
        ];
        assert_eq!(parse(&text).map(|id| id.0), Some(bytes));
    }

    #[test]
    fn refuses_what_is_no_guid() {
        assert!(parse(&[]).is_none());
        assert!(parse(&utf16!("{00112233-4455-6677-8899-AABBccddeef}")).is_none());
        assert!(parse(&utf16!("00112233x4455-6677-8899-AABBccddeeff")).is_none());
        assert!(parse(&utf16!("0011223g-4455-6677-8899-AABBccddeeff")).is_none());
    }
}
