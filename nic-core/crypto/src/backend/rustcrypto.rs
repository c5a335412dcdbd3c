//! The suites over the RustCrypto crates, packet by packet.
//!
//! The key is expanded for every batch. An expanded AES key of these crates is a union of 1 KiB, of
//! which the hardware form uses a quarter. A move copies the rest as well, which holds old contents
//! of the stack and is never wiped. The 32 bytes that are stored instead are always wiped, and keep
//! a peer with six keys small.

use aes::cipher::{BlockCipher, BlockEncrypt, BlockSizeUser, Key};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;
use zeroize::Zeroizing;

use crate::{Open, Seal, Sealing, Suite, Verdict};

/// A key and its suite.
#[derive(Clone)]
pub(crate) struct Cipher {
    suite: Suite,
    /// The key is the first [`Suite::key_len`] bytes; the rest are zeros.
    key: Zeroizing<[u8; 32]>,
}

impl Cipher {
    /// `None` if `key` has the wrong length.
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

/// An expanded AES key. GCM borrows it, as a stack frame should hold it only once.
trait Aes: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> {}

impl<C: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16>> Aes for C {}

// One function for each suite: a common one would have the frames of all. `Cipher::new` has checked
// the length of the key, and refusing a packet is safe in any case.

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

/// It has a stack frame of its own, as the crate makes the key in one place and then moves it.
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
