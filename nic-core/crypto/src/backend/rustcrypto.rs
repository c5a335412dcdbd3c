//! The suites over the RustCrypto crates, packet by packet.
//!
//! The key is expanded anew for every batch. An expanded AES key of these crates is a union of 1 KiB of
//! which the hardware form fills a quarter; whatever lay on the stack rides along in the rest when it is
//! moved, and nothing ever wipes that. The 32 bytes kept instead are wiped for sure, and they are what a
//! peer holds six times.

use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;
use zeroize::Zeroizing;

use crate::{Open, Seal, Sealing, Suite, Verdict};

/// A key and what it is for.
#[derive(Clone)]
pub(crate) struct Cipher {
    suite: Suite,
    /// The first [`Suite::key_len`] bytes count, the rest are zeros.
    key: Zeroizing<[u8; 32]>,
}

impl Cipher {
    /// `None` when `key` has the wrong length.
    pub(crate) fn new(suite: Suite, key: &[u8]) -> Option<Self> {
        if key.len() != suite.key_len() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; 32]);
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        Some(Self { suite, key: bytes })
    }

    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// Seals each packet.
    pub(crate) fn seal(&self, packets: &mut [Seal<'_>]) {
        match self.suite {
            Suite::ChaCha20Poly1305 => seal::<ChaCha20Poly1305>(self.key(), packets),
            Suite::Aes128Gcm => seal::<AesGcm<Aes128Enc, U12>>(self.key(), packets),
            Suite::Aes192Gcm => seal::<AesGcm<Aes192Enc, U12>>(self.key(), packets),
            Suite::Aes256Gcm => seal::<AesGcm<Aes256Enc, U12>>(self.key(), packets),
        }
    }

    /// Opens each packet.
    pub(crate) fn open(&self, packets: &mut [Open<'_>]) {
        match self.suite {
            Suite::ChaCha20Poly1305 => open::<ChaCha20Poly1305>(self.key(), packets),
            Suite::Aes128Gcm => open::<AesGcm<Aes128Enc, U12>>(self.key(), packets),
            Suite::Aes192Gcm => open::<AesGcm<Aes192Enc, U12>>(self.key(), packets),
            Suite::Aes256Gcm => open::<AesGcm<Aes256Enc, U12>>(self.key(), packets),
        }
    }

    fn key(&self) -> &[u8] {
        self.key.get(..self.suite.key_len()).unwrap_or_default()
    }
}

/// A function for each suite, not one with the frames of all.
#[inline(never)]
fn seal<C>(key: &[u8], packets: &mut [Seal<'_>])
where
    C: KeyInit + AeadInPlace<NonceSize = U12, TagSize = U16>,
{
    // `Cipher::new` checked the length; a packet that is refused is safe in any case.
    let Ok(cipher) = C::new_from_slice(key) else {
        packets.iter_mut().for_each(Seal::refuse);
        return;
    };
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

/// As `seal`.
#[inline(never)]
fn open<C>(key: &[u8], packets: &mut [Open<'_>])
where
    C: KeyInit + AeadInPlace<NonceSize = U12, TagSize = U16>,
{
    // As in `seal`.
    let Ok(cipher) = C::new_from_slice(key) else {
        for packet in packets {
            packet.refuse(Verdict::Malformed);
        }
        return;
    };
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
