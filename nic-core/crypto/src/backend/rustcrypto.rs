//! The suites over the RustCrypto crates, packet by packet.

use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadCore, AeadInPlace, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use crate::{Open, Seal, Sealing, Suite, Verdict};

/// An expanded key.
#[derive(Clone)]
pub(crate) enum Cipher {
    ChaCha20Poly1305(ChaCha20Poly1305),
    Aes128Gcm(AesGcm<Aes128Enc, U12>),
    Aes192Gcm(AesGcm<Aes192Enc, U12>),
    Aes256Gcm(AesGcm<Aes256Enc, U12>),
}

impl Cipher {
    /// Expands `key`; `None` when it has the wrong length.
    pub(crate) fn new(suite: Suite, key: &[u8]) -> Option<Self> {
        Some(match suite {
            Suite::ChaCha20Poly1305 => {
                Self::ChaCha20Poly1305(ChaCha20Poly1305::new_from_slice(key).ok()?)
            }
            Suite::Aes128Gcm => Self::Aes128Gcm(AesGcm::new_from_slice(key).ok()?),
            Suite::Aes192Gcm => Self::Aes192Gcm(AesGcm::new_from_slice(key).ok()?),
            Suite::Aes256Gcm => Self::Aes256Gcm(AesGcm::new_from_slice(key).ok()?),
        })
    }

    /// Seals each packet.
    pub(crate) fn seal(&self, packets: &mut [Seal<'_>]) {
        match self {
            Self::ChaCha20Poly1305(cipher) => seal(cipher, packets),
            Self::Aes128Gcm(cipher) => seal(cipher, packets),
            Self::Aes192Gcm(cipher) => seal(cipher, packets),
            Self::Aes256Gcm(cipher) => seal(cipher, packets),
        }
    }

    /// Opens each packet.
    pub(crate) fn open(&self, packets: &mut [Open<'_>]) {
        match self {
            Self::ChaCha20Poly1305(cipher) => open(cipher, packets),
            Self::Aes128Gcm(cipher) => open(cipher, packets),
            Self::Aes192Gcm(cipher) => open(cipher, packets),
            Self::Aes256Gcm(cipher) => open(cipher, packets),
        }
    }
}

impl Drop for Cipher {
    fn drop(&mut self) {
        // The round keys and the ChaCha key wipe themselves, but polyval 0.6 keeps its hash key in a
        // union that has no drop: a key of zeros takes its place.
        match self {
            Self::ChaCha20Poly1305(_) => return,
            Self::Aes128Gcm(cipher) => *cipher = AesGcm::new(&[0; 16].into()),
            Self::Aes192Gcm(cipher) => *cipher = AesGcm::new(&[0; 24].into()),
            Self::Aes256Gcm(cipher) => *cipher = AesGcm::new(&[0; 32].into()),
        }
        // Nobody reads it any more, so without this the compiler may leave out the write.
        core::hint::black_box(self);
    }
}

fn seal<C>(cipher: &C, packets: &mut [Seal<'_>])
where
    C: AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16>,
{
    for packet in packets {
        if !packet.gather() {
            continue;
        }
        match cipher.encrypt_in_place_detached(&packet.nonce.into(), packet.aad, packet.output) {
            Ok(tag) => {
                *packet.tag = tag.into();
                packet.sealing = Sealing::Sealed;
            }
            Err(_) => packet.refuse(),
        }
    }
}

fn open<C>(cipher: &C, packets: &mut [Open<'_>])
where
    C: AeadInPlace + AeadCore<NonceSize = U12, TagSize = U16>,
{
    for packet in packets {
        if !packet.gather() {
            continue;
        }
        match cipher.decrypt_in_place_detached(
            &packet.nonce.into(),
            packet.aad,
            packet.output,
            &packet.tag.into(),
        ) {
            Ok(()) => packet.verdict = Verdict::Authentic,
            Err(_) => packet.refuse(Verdict::Forged),
        }
    }
}
