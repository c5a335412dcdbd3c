//! Hexadecimal text, the form of keys in wg(8)'s protocol and in OpenVPN's key files.

use std::fmt;

/// A text is not the hexadecimal form of the wanted number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseHexError;

impl fmt::Display for ParseHexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the expected number of hexadecimal digits")
    }
}

impl std::error::Error for ParseHexError {}

/// Bytes that are displayed as hexadecimal digits in lower case.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads exactly as many digits as fill `bytes`, in upper or lower case. No copy of the bytes stays
/// elsewhere.
///
/// # Errors
/// [`ParseHexError`], with part of `bytes` overwritten.
pub fn decode(
    digits: impl IntoIterator<Item = char>,
    bytes: &mut [u8],
) -> Result<(), ParseHexError> {
    let mut digits = digits.into_iter();
    for byte in bytes {
        let mut digit = || digits.next().and_then(|digit| digit.to_digit(16)).ok_or(ParseHexError);
        let (high, low) = (digit()?, digit()?);
        // CAST: two hexadecimal digits are below 256.
        *byte = (high << 4 | low) as u8;
    }
    digits.next().map_or(Ok(()), |_| Err(ParseHexError))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_bad_text_is_refused() {
        let mut bytes = [0; 3];
        decode("00fFa1".chars(), &mut bytes).unwrap();
        assert_eq!(bytes, [0, 0xFF, 0xA1]);
        assert_eq!(Hex(&bytes).to_string(), "00ffa1");
        for bad in ["", "00ffa", "00ffa1b", "00ffa1b2", "00ffg1", "00 fa1", "+0ffa1"] {
            assert_eq!(decode(bad.chars(), &mut bytes), Err(ParseHexError), "{bad}");
        }
    }
}
