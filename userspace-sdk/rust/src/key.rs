//! Keys: 32 bytes, written in base64.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;
use tunic_ioctl::KEY_BYTES;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::{Zeroize, Zeroizing};

use crate::hex::{self, ParseHexError};

/// A private, public or preshared key. It is erased when dropped, compared in constant time, and
/// not shown by `Debug`. Its bytes are on the heap and stay there: where a `Key` is moved, also
/// with a `Vec` that grows, no copy of them is left.
#[derive(Clone)]
pub struct Key(Box<[u8; KEY_BYTES]>);

impl Key {
    /// A key of these bytes. The caller's own array stays as it is.
    pub fn from_bytes(mut bytes: [u8; KEY_BYTES]) -> Self {
        let key = Self::copy_of(&bytes);
        bytes.zeroize();
        key
    }

    /// A key of these bytes.
    pub fn copy_of(bytes: &[u8; KEY_BYTES]) -> Self {
        let mut key = Self::zero();
        key.0.copy_from_slice(bytes);
        key
    }

    /// Reads a key from its hexadecimal digits, of either case.
    pub fn from_hex(digits: &str) -> Result<Self, ParseHexError> {
        let mut key = Self::zero();
        hex::decode(digits.chars(), &mut *key.0)?;
        Ok(key)
    }

    fn zero() -> Self {
        Self(Box::new([0; KEY_BYTES]))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Whether it is all zeroes, which means no key.
    pub fn is_zero(&self) -> bool {
        self.0.as_slice().ct_eq(&[0; KEY_BYTES]).into()
    }

    /// A new private key.
    pub fn generate_private() -> Result<Self, RandomError> {
        let mut key = Self::generate_preshared()?;
        // Clamped as in X25519 (RFC 7748 section 5), so that every tool shows the same key.
        key.0[0] &= 248;
        key.0[31] = (key.0[31] & 127) | 64;
        Ok(key)
    }

    /// A new preshared key.
    pub fn generate_preshared() -> Result<Self, RandomError> {
        let mut key = Self::zero();
        getrandom::fill(&mut *key.0).map_err(RandomError)?;
        Ok(key)
    }

    /// The public key that belongs to this private key.
    pub fn public(&self) -> Self {
        Self::copy_of(PublicKey::from(&StaticSecret::from(*self.0)).as_bytes())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Displays the key itself, in base64.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&Zeroizing::new(BASE64_STANDARD.encode(self.0.as_slice())))
    }
}

impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        let mut key = Self::zero();
        // One base64 group more than the key: `decode_slice` needs room for the longest decoding.
        let mut bytes = Zeroizing::new([0; KEY_BYTES + 3]);
        match BASE64_STANDARD.decode_slice(text.trim(), &mut *bytes) {
            Ok(KEY_BYTES) => {
                key.0.copy_from_slice(&bytes[..KEY_BYTES]);
                Ok(key)
            }
            _ => Err(ParseKeyError),
        }
    }
}

/// A text is not the base64 form of 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseKeyError;

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key is 32 bytes in base64")
    }
}

impl std::error::Error for ParseKeyError {}

/// The system's random number generator failed.
#[derive(Clone, Copy, Debug)]
pub struct RandomError(getrandom::Error);

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no random bytes: {}", self.0)
    }
}

impl std::error::Error for RandomError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_those_of_rfc_7748() {
        let alice = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=".parse::<Key>().unwrap();
        assert_eq!(alice.public().to_string(), "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
    }

    #[test]
    fn text_comes_back_and_bad_text_is_refused() {
        let key = Key::generate_private().unwrap();
        assert!(key.to_string().parse::<Key>().unwrap() == key);
        assert_eq!(key.to_string().len(), 44);
        for bad in ["", "AAAA", "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo", &"A".repeat(44)] {
            assert_eq!(bad.parse::<Key>().err(), Some(ParseKeyError), "{bad}");
        }
    }

    #[test]
    fn debug_keeps_the_secret() {
        assert_eq!(format!("{:?}", Key::from_bytes([0x41; 32])), "Key(..)");
    }
}
