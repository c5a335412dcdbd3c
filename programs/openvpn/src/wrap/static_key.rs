//! OpenVPN's 2048-bit static key, in the format of `openvpn --genkey secret`.

use std::fmt;
use std::str::FromStr;

use zeroize::Zeroizing;

use super::error::KeyFileError;

const BEGIN: &str = "-----BEGIN OpenVPN Static key V1-----";
const END: &str = "-----END OpenVPN Static key V1-----";
const LENGTH: usize = 256;

/// Assignment of the halves of a static key to the directions: the argument of `key-direction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `0`: sends with the first half.
    Normal,
    /// `1`: sends with the second half.
    Inverse,
}

/// A static key: two halves, each with 64 bytes for a cipher and 64 bytes for an HMAC. It is on the
/// heap, so that it leaves no copies where it is moved.
#[derive(Clone)]
pub struct StaticKey(Box<Zeroizing<[u8; LENGTH]>>);

/// One half of a static key.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    pub(super) cipher: &'a [u8; 64],
    pub(super) hmac: &'a [u8; 64],
}

impl StaticKey {
    /// Creates a key from these bytes.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Self {
        Self(Box::new(Zeroizing::new(*bytes)))
    }

    /// The halves for sending and receiving. Without a direction, both are the first.
    pub(super) fn halves(&self, direction: Option<Direction>) -> (Half<'_>, Half<'_>) {
        let (first, second) = (self.half(0), self.half(2));
        match direction {
            None => (first, first),
            Some(Direction::Normal) => (first, second),
            Some(Direction::Inverse) => (second, first),
        }
    }

    fn half(&self, quarter: usize) -> Half<'_> {
        // The array has exactly four quarters.
        let (quarters, _) = self.0.as_chunks::<64>();
        Half { cipher: &quarters[quarter], hmac: &quarters[quarter + 1] }
    }

    pub(super) fn xor(&self, other: &Self) -> Self {
        let mut key = self.clone();
        key.0.iter_mut().zip(other.0.iter()).for_each(|(byte, other)| *byte ^= other);
        key
    }
}

impl FromStr for StaticKey {
    type Err = KeyFileError;

    /// Parses a key file: hexadecimal digits between two markers, with any text around them.
    fn from_str(file: &str) -> Result<Self, KeyFileError> {
        let (_, rest) = file.split_once(BEGIN).ok_or(KeyFileError)?;
        let (digits, _) = rest.split_once(END).ok_or(KeyFileError)?;
        let mut key = Box::new(Zeroizing::new([0; LENGTH]));
        let digits = digits.chars().filter(|character| !character.is_ascii_whitespace());
        tunic::hex::decode(digits, &mut **key).map_err(|_| KeyFileError)?;
        Ok(Self(key))
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_file_of_the_right_length_alone() {
        let file =
            |digits: usize| format!("# key\n{BEGIN}\n{}\n{END}\nmore", "a5\n".repeat(digits));
        assert_eq!(file(256).parse::<StaticKey>().unwrap().0[..], [0xa5; 256]);
        for wrong in [file(255), file(257), file(256).replace(END, ""), file(256).replace('5', "g")]
        {
            assert_eq!(wrong.parse::<StaticKey>().unwrap_err(), KeyFileError);
        }
    }
}
