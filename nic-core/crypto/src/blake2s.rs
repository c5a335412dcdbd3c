//! BLAKE2s with 32-byte output (RFC 7693), keyed or not, and HMAC and HKDF over it as the Noise
//! protocol framework (revision 34, section 4.3) defines them.
//!
//! Results are plain arrays. The caller must wipe those that are secret.

use blake2::digest::consts::U16;
use blake2::digest::{FixedOutput, KeyInit, Update};
use blake2::{Blake2s256, Blake2sMac};
use zeroize::Zeroize;

/// Length of a hash in bytes.
pub const HASH_LEN: usize = 32;

/// Length of a block of BLAKE2s in bytes, which is also the block of HMAC.
pub const BLOCK_LEN: usize = 64;

/// An incremental BLAKE2s-256.
#[derive(Clone, Default)]
pub struct Hash(Blake2s256);

impl Hash {
    /// A hash without input.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes` to the input.
    pub fn update(&mut self, bytes: &[u8]) {
        Update::update(&mut self.0, bytes);
    }

    /// The hash of the input.
    #[must_use]
    pub fn finalize(self) -> [u8; HASH_LEN] {
        self.0.finalize_fixed().into()
    }
}

/// BLAKE2s-256 of the concatenation of `parts`.
#[must_use]
pub fn hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut hash = Hash::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
}

/// Keyed BLAKE2s with 16-byte output (RFC 7693 section 2.9) of the concatenation of `parts`.
///
/// The key has 1 to 32 bytes; other lengths do not compile. Compare the result with
/// `subtle::ConstantTimeEq`.
#[must_use]
pub fn keyed_mac16<const KEY_LEN: usize>(key: &[u8; KEY_LEN], parts: &[&[u8]]) -> [u8; 16] {
    const { assert!(KEY_LEN >= 1 && KEY_LEN <= 32, "BLAKE2s key of 1 to 32 bytes") }
    let Ok(mut mac) = Blake2sMac::<U16>::new_from_slice(key) else {
        unreachable!("the length was checked at compile time")
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize_fixed().into()
}

/// HMAC-BLAKE2s (RFC 2104) of the concatenation of `parts`, with a key of any length.
#[must_use]
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut block = [0; BLOCK_LEN];
    match block.get_mut(..key.len()) {
        Some(front) => front.copy_from_slice(key),
        None => {
            for (byte, hashed) in block.iter_mut().zip(hash(&[key])) {
                *byte = hashed;
            }
        }
    }
    for byte in &mut block {
        *byte ^= 0x36;
    }
    let mut inner = Hash::new();
    inner.update(&block);
    for part in parts {
        inner.update(part);
    }
    for byte in &mut block {
        *byte ^= 0x36 ^ 0x5c;
    }
    let outer = hash(&[&block, &inner.finalize()]);
    block.zeroize();
    outer
}

/// The first output of Noise's `HKDF(chaining_key, input)`.
#[must_use]
pub fn hkdf1(chaining_key: &[u8; HASH_LEN], input: &[u8]) -> [u8; HASH_LEN] {
    let [first] = hkdf(chaining_key, input);
    first
}

/// Two outputs of Noise's `HKDF(chaining_key, input)`.
#[must_use]
pub fn hkdf2(chaining_key: &[u8; HASH_LEN], input: &[u8]) -> [[u8; HASH_LEN]; 2] {
    hkdf(chaining_key, input)
}

/// Three outputs of Noise's `HKDF(chaining_key, input)`.
#[must_use]
pub fn hkdf3(chaining_key: &[u8; HASH_LEN], input: &[u8]) -> [[u8; HASH_LEN]; 3] {
    hkdf(chaining_key, input)
}

fn hkdf<const OUTPUTS: usize>(
    chaining_key: &[u8; HASH_LEN],
    input: &[u8],
) -> [[u8; HASH_LEN]; OUTPUTS] {
    let mut outputs = [[0; HASH_LEN]; OUTPUTS];
    let mut secret = hmac(chaining_key, &[input]);
    let mut previous: &[u8] = &[];
    for (number, output) in (1_u8..).zip(&mut outputs) {
        *output = hmac(&secret, &[previous, &[number]]);
        previous = output;
    }
    secret.zeroize();
    outputs
}
