//! The suites over the RustCrypto crates, packet by packet: the portable backend, and the reference
//! of the tests.
//!
//! The key is expanded for every batch. An expanded AES key of these crates is a union of 1 KiB, of
//! which the hardware form uses a quarter. A move copies the rest as well, which holds old contents
//! of the stack and is never wiped.

use aes::cipher::{BlockCipher, BlockEncrypt, BlockSizeUser, Key};
use aes::{Aes128Enc, Aes192Enc, Aes256Enc};
use aes_gcm::AesGcm;
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use chacha20poly1305::ChaCha20Poly1305;

use crate::{Open, Seal, Sealing, Suite, Verdict};

/// Seals each packet by AES-GCM.
pub(super) fn seal_gcm(suite: Suite, key: &[u8], packets: &mut [Seal<'_>]) {
    match suite {
        Suite::Aes128Gcm => seal_aes::<Aes128Enc>(key, packets),
        Suite::Aes192Gcm => seal_aes::<Aes192Enc>(key, packets),
        Suite::Aes256Gcm | Suite::ChaCha20Poly1305 => seal_aes::<Aes256Enc>(key, packets),
    }
}

/// Opens each packet by AES-GCM.
pub(super) fn open_gcm(suite: Suite, key: &[u8], packets: &mut [Open<'_>]) {
    match suite {
        Suite::Aes128Gcm => open_aes::<Aes128Enc>(key, packets),
        Suite::Aes192Gcm => open_aes::<Aes192Enc>(key, packets),
        Suite::Aes256Gcm | Suite::ChaCha20Poly1305 => open_aes::<Aes256Enc>(key, packets),
    }
}

/// Encrypts a block by AES.
pub(super) fn encrypt(suite: Suite, key: &[u8], block: &mut [u8; 16]) {
    match suite {
        Suite::Aes128Gcm => encrypt_aes::<Aes128Enc>(key, block),
        Suite::Aes192Gcm => encrypt_aes::<Aes192Enc>(key, block),
        Suite::Aes256Gcm | Suite::ChaCha20Poly1305 => encrypt_aes::<Aes256Enc>(key, block),
    }
}

/// An expanded AES key. GCM borrows it, as a stack frame should hold it only once.
trait Aes: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16> {}

impl<C: KeyInit + BlockCipher + BlockEncrypt + BlockSizeUser<BlockSize = U16>> Aes for C {}

// One function for each suite: a common one would have the frames of all. The caller has checked
// the length of the key, and refusing a packet is safe in any case.

/// Seals each packet by ChaCha20-Poly1305.
#[inline(never)]
pub(super) fn seal_chacha(key: &[u8; 32], packets: &mut [Seal<'_>]) {
    seal_each(&ChaCha20Poly1305::new(key.into()), packets);
}

/// Opens each packet by ChaCha20-Poly1305.
#[inline(never)]
pub(super) fn open_chacha(key: &[u8; 32], packets: &mut [Open<'_>]) {
    open_each(&ChaCha20Poly1305::new(key.into()), packets);
}

#[inline(never)]
fn seal_aes<C: Aes>(key: &[u8], packets: &mut [Seal<'_>]) {
    if key.len() != C::key_size() {
        return packets.iter_mut().for_each(Seal::refuse);
    }
    let cipher = expand::<C>(Key::<C>::from_slice(key));
    seal_each(&AesGcm::<&C, U12>::from(&cipher), packets);
}

#[inline(never)]
fn open_aes<C: Aes>(key: &[u8], packets: &mut [Open<'_>]) {
    if key.len() != C::key_size() {
        return packets.iter_mut().for_each(|packet| packet.refuse(Verdict::Malformed));
    }
    let cipher = expand::<C>(Key::<C>::from_slice(key));
    open_each(&AesGcm::<&C, U12>::from(&cipher), packets);
}

#[inline(never)]
fn encrypt_aes<C: Aes>(key: &[u8], block: &mut [u8; 16]) {
    if key.len() == C::key_size() {
        expand::<C>(Key::<C>::from_slice(key)).encrypt_block(block.into());
    }
}

/// It has a stack frame of its own, as the crate makes the key in one place and then moves it.
#[inline(never)]
fn expand<C: Aes>(key: &Key<C>) -> C {
    C::new(key)
}

fn seal_each(cipher: &impl AeadInPlace<NonceSize = U12, TagSize = U16>, packets: &mut [Seal<'_>]) {
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

fn open_each(cipher: &impl AeadInPlace<NonceSize = U12, TagSize = U16>, packets: &mut [Open<'_>]) {
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
