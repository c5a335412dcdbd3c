//! The data channel's ciphers.

use core::error::Error;
use core::fmt;
use core::str::FromStr;

/// An AEAD of the data channel. It is displayed by OpenSSL's name, which OpenVPN uses on the wire
/// and in profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Suite {
    /// AES-128-GCM
    Aes128Gcm = 1,
    /// AES-192-GCM
    Aes192Gcm = 2,
    /// AES-256-GCM
    Aes256Gcm = 3,
    /// CHACHA20-POLY1305
    ChaCha20Poly1305 = 4,
}

/// A text is not the name of a suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseSuiteError;

impl Suite {
    /// All suites, by number.
    pub const ALL: [Self; 4] =
        [Self::Aes128Gcm, Self::Aes192Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305];

    /// Bytes of a key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes192Gcm => 24,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes192Gcm => "AES-192-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
    }

    /// The suite of this number in the native ABI.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&suite| suite as u32 == number)
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = ParseSuiteError;

    fn from_str(text: &str) -> Result<Self, ParseSuiteError> {
        let is_named = |suite: &Self| suite.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_named).ok_or(ParseSuiteError)
    }
}

impl fmt::Display for ParseSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not AES-128-GCM, AES-192-GCM, AES-256-GCM or CHACHA20-POLY1305")
    }
}

impl Error for ParseSuiteError {}
