//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), for messages with a random 24-byte nonce.

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInPlace, KeyInit};
use zeroize::Zeroize;

use crate::{AeadError, TAG_LEN};

/// Length of a nonce in bytes.
pub const NONCE_LEN: usize = 24;

/// Encrypts `buffer` in place and returns the tag.
pub fn seal_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_LEN], AeadError> {
    XChaCha20Poly1305::new(key.into())
        .encrypt_in_place_detached(nonce.into(), aad, buffer)
        .map(Into::into)
        .map_err(|_| {
            buffer.zeroize();
            AeadError::Length
        })
}

/// Decrypts `buffer` in place if `tag` is right. On failure `buffer` is zeroed.
pub fn open_in_place(
    key: &[u8; 32],
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    buffer: &mut [u8],
    tag: &[u8; TAG_LEN],
) -> Result<(), AeadError> {
    XChaCha20Poly1305::new(key.into())
        .decrypt_in_place_detached(nonce.into(), aad, buffer, tag.into())
        .map_err(|_| {
            buffer.zeroize();
            AeadError::Forged
        })
}
