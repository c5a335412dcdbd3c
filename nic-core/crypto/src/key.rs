//! One keyed direction of an AEAD.

use core::fmt;

use crate::backend::{self, ExpandedKey};
use crate::{NONCE_LEN, Open, Processor, Seal, Sealing, Source, Suite, TAG_LEN, Tier, Verdict};

/// A key of any [`Suite`], ready to use; zeroized on drop.
///
/// An AES key is expanded: it takes some 600 bytes, so that batches share it rather than copy it.
#[derive(Clone)]
pub struct AeadKey(ExpandedKey);

impl AeadKey {
    /// Takes a copy of `key`, which must be [`Suite::key_len`] bytes long.
    #[inline(never)]
    pub fn new(suite: Suite, key: &[u8]) -> Result<Self, KeyError> {
        if key.len() != suite.key_len() {
            return Err(KeyError::WrongLength { expected: suite.key_len(), actual: key.len() });
        }
        Ok(Self(ExpandedKey::new(suite, key)))
    }

    /// The suite this key belongs to.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.0.suite()
    }

    /// Seals every packet of a batch. [`Seal::sealing`] of each has the result.
    pub fn seal(&self, tier: Tier<'_>, packets: &mut [Seal<'_>]) {
        backend::seal(&self.0, tier, packets);
    }

    /// Verifies and opens every packet of a batch. [`Open::verdict`] of each has the result.
    pub fn open(&self, tier: Tier<'_>, packets: &mut [Open<'_>]) {
        backend::open(&self.0, tier, packets);
    }

    /// Encrypts `buffer` in place and returns the tag.
    pub fn seal_one(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], AeadError> {
        let mut tag = [0; TAG_LEN];
        let mut packet = Seal::new(*nonce, aad, Source::InPlace, buffer, &mut tag);
        self.seal(Processor::PORTABLE.base(), core::slice::from_mut(&mut packet));
        match packet.sealing {
            Sealing::Sealed => Ok(tag),
            Sealing::Pending | Sealing::Malformed => Err(AeadError::Length),
        }
    }

    /// Decrypts `buffer` in place if `tag` is right. On failure `buffer` is zeroed.
    pub fn open_one(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), AeadError> {
        let mut packet = Open::new(*nonce, aad, Source::InPlace, *tag, buffer);
        self.open(Processor::PORTABLE.base(), core::slice::from_mut(&mut packet));
        match packet.verdict {
            Verdict::Authentic => Ok(()),
            Verdict::Forged => Err(AeadError::Forged),
            Verdict::Pending | Verdict::Malformed => Err(AeadError::Length),
        }
    }

    /// Encrypts all but the last [`TAG_LEN`] bytes of `buffer` in place and writes the tag there.
    pub fn seal_one_appended(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> Result<(), AeadError> {
        let (text, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().ok_or(AeadError::Length)?;
        *tag = self.seal_one(nonce, aad, text)?;
        Ok(())
    }

    /// Decrypts in place a `buffer` that ends with its tag, and returns the plaintext. On failure
    /// all bytes but the tag are zeroed.
    pub fn open_one_appended<'b>(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &'b mut [u8],
    ) -> Result<&'b mut [u8], AeadError> {
        let (text, tag) = buffer.split_last_chunk_mut::<TAG_LEN>().ok_or(AeadError::Length)?;
        self.open_one(nonce, aad, text, tag)?;
        Ok(text)
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("AeadKey").field("suite", &self.suite()).finish_non_exhaustive()
    }
}

/// The error of an invalid key, which is the fault of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The key does not have the length of the suite.
    WrongLength {
        /// The key length of the suite in bytes.
        expected: usize,
        /// The length of the given key in bytes.
        actual: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { expected, actual } => {
                write!(formatter, "key of {actual} bytes: the suite needs {expected}")
            }
        }
    }
}

impl core::error::Error for KeyError {}

/// The error of sealing or opening a single packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AeadError {
    /// The packet was not sealed with this key: the fault of the sender.
    Forged,
    /// The packet is too short for a tag, or longer than the suite allows: the fault of the caller,
    /// or for an appended tag, of the sender.
    Length,
}

impl fmt::Display for AeadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Forged => "packet is not authentic",
            Self::Length => "packet length is out of range",
        })
    }
}

impl core::error::Error for AeadError {}
