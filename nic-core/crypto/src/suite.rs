//! The AEAD suites.

/// Length of an authentication tag in bytes, the same for every [`Suite`].
pub const TAG_LEN: usize = 16;

/// Length of a nonce in bytes, the same for every [`Suite`].
pub const NONCE_LEN: usize = 12;

/// An AEAD with a 12-byte nonce and a 16-byte tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Suite {
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
    /// AES-128-GCM (NIST SP 800-38D).
    Aes128Gcm,
    /// AES-192-GCM (NIST SP 800-38D).
    Aes192Gcm,
    /// AES-256-GCM (NIST SP 800-38D).
    Aes256Gcm,
}

impl Suite {
    /// Every suite, for tables and tests.
    pub const ALL: [Self; 4] =
        [Self::ChaCha20Poly1305, Self::Aes128Gcm, Self::Aes192Gcm, Self::Aes256Gcm];

    /// Length of a key in bytes.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Gcm => 16,
            Self::Aes192Gcm => 24,
            Self::ChaCha20Poly1305 | Self::Aes256Gcm => 32,
        }
    }
}
