//! The suites over the RustCrypto crates, packet by packet.
//!
//! The key is expanded anew for every batch. An expanded AES key of these crates is a union of 1
//! KiB of which the hardware form fills a quarter; whatever lay on the stack rides along in the
//! rest when it is moved, and nothing ever wipes that. The 32 bytes kept instead are wiped for
//! sure, and they are what a peer holds six times.

use aes::cipher::{BlockCipher, BlockEncrypt, BlockSizeUser, Key};
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
            Suite::ChaCha20Poly1305 => seal_chacha(self.key(), packets),
            Suite::Aes128Gcm => seal_gcm::<Aes128Enc>(self.key(), packets),
            Suite::Aes192Gcm => seal_gcm::<Aes192Enc>(self.key(), packets),
            Suite::Aes256Gcm => seal_gcm::<Aes256Enc>(self.key(), packets),
        }
    }

    /// Opens each packet.
    pub(crate) fn open(&self, packets: &mut [Open<'_>]) {
        match self.suite {
            Suite::ChaCha20Poly1305 => open_chacha(self.key(), packets),
            Suite::Aes128Gcm => open_gcm::<Aes128Enc>(self.key(), packets),
            Suite::Aes192Gcm => open_gcm::<Aes192Enc>(self.key(), packets),
            Suite::Aes256Gcm => open_gcm::<Aes256Enc>(self.key(), packets),
        }
    }

    fn key(&self) -> &[u8] {
        self.key.get(..self.suite.key_len()).unwrap_or_default()
    }
}

/// An expanded AES key. GCM borrows it: a frame that holds it once is large enough.
trait Aes: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> {}

impl<C: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16>> Aes for C {}

// Functions for each suite, not one with the frames of all. `Cipher::new` checked the keys' length;
// a packet that is refused is safe in any case.

#[inline(never)]
fn seal_chacha(key: &[u8], packets: &mut [Seal<'_>]) {
    match ChaCha20Poly1305::new_from_slice(key) {
        Ok(cipher) => seal(&cipher, packets),
        Err(_) => packets.iter_mut().for_each(Seal::refuse),
    }
}

#[inline(never)]
fn open_chacha(key: &[u8], packets: &mut [Open<'_>]) {
    match ChaCha20Poly1305::new_from_slice(key) {
        Ok(cipher) => open(&cipher, packets),
        Err(_) => packets.iter_mut().for_each(|packet| packet.refuse(Verdict::Malformed)),
    }
}

#[inline(never)]
fn seal_gcm<C: Aes>(key: &[u8], packets: &mut [Seal<'_>]) {
    if key.len() != C::key_size() {
        return packets.iter_mut().for_each(Seal::refuse);
    }
    let cipher = expand::<C>(Key::<C>::from_slice(key));
    seal(&AesGcm::<&C, U12>::from(&cipher), packets);
}

#[inline(never)]
fn open_gcm<C: Aes>(key: &[u8], packets: &mut [Open<'_>]) {
    if key.len() != C::key_size() {
        return packets.iter_mut().for_each(|packet| packet.refuse(Verdict::Malformed));
    }
    let cipher = expand::<C>(Key::<C>::from_slice(key));
    open(&AesGcm::<&C, U12>::from(&cipher), packets);
}

/// A frame of its own, as the crate makes the key in one place and then moves it.
#[inline(never)]
fn expand<C: Aes>(key: &Key<C>) -> C {
    C::new(key)
}

fn seal(cipher: &impl AeadInPlace<NonceSize = U12, TagSize = U16>, packets: &mut [Seal<'_>]) {
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

fn open(cipher: &impl AeadInPlace<NonceSize = U12, TagSize = U16>, packets: &mut [Open<'_>]) {
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
