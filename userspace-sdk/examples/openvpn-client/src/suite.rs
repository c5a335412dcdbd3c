//! The data channel's ciphers.

use std::fmt;
use std::str::FromStr;

/// A cipher of the data channel. OpenVPN names them as OpenSSL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// AES-128-GCM
    Aes128Gcm,
    /// AES-192-GCM
    Aes192Gcm,
    /// AES-256-GCM
    Aes256Gcm,
    /// CHACHA20-POLY1305
    ChaCha20Poly1305,
}

impl Suite {
    /// Bytes of a key.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes192Gcm => 24,
            Self::Aes256Gcm | Self::ChaCha20Poly1305 => 32,
        }
    }

    /// The name on the wire and in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes192Gcm => "AES-192-GCM",
            Self::Aes256Gcm => "AES-256-GCM",
            Self::ChaCha20Poly1305 => "CHACHA20-POLY1305",
        }
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
        [Self::Aes128Gcm, Self::Aes192Gcm, Self::Aes256Gcm, Self::ChaCha20Poly1305]
            .into_iter()
            .find(|suite| suite.name().eq_ignore_ascii_case(text))
            .ok_or(ParseSuiteError)
    }
}

/// A text names no cipher that the data channel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseSuiteError;

impl fmt::Display for ParseSuiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not AES-128-GCM, AES-192-GCM, AES-256-GCM or CHACHA20-POLY1305")
    }
}

impl std::error::Error for ParseSuiteError {}
