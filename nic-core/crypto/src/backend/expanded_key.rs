//! An expanded key, the same for every tier.
//!
//! An AES key is expanded once, without tables or branches on secrets and without special
//! instructions, so that a key does not depend on the processor. That takes some microseconds.

use polyval::Polyval;
use polyval::universal_hash::{KeyInit, UniversalHash};
use zeroize::{Zeroize, Zeroizing};

use super::rustcrypto;
use crate::Suite;

/// Powers of the hash key: as many blocks are hashed with one reduction. A group is 16 blocks at
/// most; additional data precede it, and the block of lengths follows.
const POWERS: usize = 18;

/// Blocks of zeros after the last power, which a load of several powers may include.
const PADDING: usize = 3;

/// Round keys of AES-256.
const ROUND_KEYS: usize = 15;

/// The round keys and the powers of the hash key; zeroized on drop.
///
/// It has no byte that is not initialized: a move would copy what the stack had there, which might
/// be a key, and nothing would wipe it.
#[derive(Clone)]
#[repr(C, align(16))]
pub(crate) struct ExpandedKey {
    suite: Suite,
    padding: [u8; 15],
    /// The key schedule (FIPS 197, 5.2), in the order of bytes in memory. For ChaCha20, the key.
    round_keys: [[u8; 4]; 4 * ROUND_KEYS],
    /// H^18 to H^1 for POLYVAL's product.
    powers: [u128; POWERS + PADDING],
}

#[cfg_attr(
    not(target_arch = "x86_64"),
    allow(dead_code, reason = "no kernel for other processors reads them yet")
)]
impl ExpandedKey {
    /// Expands a key of the suite's length.
    pub(crate) fn new(suite: Suite, key: &[u8]) -> Self {
        let mut expanded = Self {
            suite,
            padding: [0; 15],
            round_keys: [[0; 4]; 4 * ROUND_KEYS],
            powers: [0; POWERS + PADDING],
        };
        if suite == Suite::ChaCha20Poly1305 {
            let bytes = expanded.round_keys.as_flattened_mut();
            bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
            return expanded;
        }
        schedule(key, &mut expanded.round_keys);
        let mut block = Zeroizing::new([0; 16]);
        rustcrypto::encrypt(suite, key, &mut block);
        block.reverse();
        raise(&block, &mut expanded.powers);
        expanded
    }

    /// The suite that the key belongs to.
    pub(crate) fn suite(&self) -> Suite {
        self.suite
    }

    /// The key of ChaCha20.
    pub(super) fn chacha(&self) -> &[u8; 32] {
        self.round_keys.as_flattened().first_chunk().unwrap_or(&[0; 32])
    }

    /// Rounds after the first addition of a key: the index of the last round key.
    pub(super) fn rounds(&self) -> usize {
        self.suite.key_len() / 4 + 6
    }

    /// The round keys, [`rounds`](Self::rounds) + 1 blocks.
    pub(super) fn round_keys(&self) -> *const u8 {
        self.round_keys.as_ptr().cast()
    }

    /// The powers of the hash key from H^`highest` down to H^1, then [`PADDING`] zero blocks.
    ///
    /// `highest` is 1 to [`POWERS`].
    pub(super) fn powers(&self, highest: usize) -> *const u8 {
        debug_assert!((1..=POWERS).contains(&highest));
        self.powers.as_ptr().wrapping_add(POWERS - highest).cast()
    }

    /// The key before its expansion, with which the round keys begin.
    pub(super) fn key(&self) -> &[u8] {
        self.round_keys.as_flattened().get(..self.suite.key_len()).unwrap_or_default()
    }
}

/// The struct has no padding.
const _: () = assert!(size_of::<ExpandedKey>() == 16 + 16 * ROUND_KEYS + 16 * (POWERS + PADDING));

impl Drop for ExpandedKey {
    fn drop(&mut self) {
        self.round_keys.zeroize();
        self.powers.zeroize();
    }
}

/// The powers of GHASH's key, of which `block` is the reverse, for POLYVAL (RFC 8452, appendix A):
/// the highest first, zeros last.
#[inline(never)]
fn raise(block: &[u8; 16], powers: &mut [u128]) {
    let key = Zeroizing::new(<[u8; 16]>::from(polyval::mulx(block.into())));
    let mut power = key.clone();
    for place in powers.iter_mut().take(POWERS).rev() {
        *place = u128::from_le_bytes(*power);
        let mut product = Polyval::new((&*key).into());
        product.update(core::slice::from_ref((&*power).into()));
        *power = product.finalize().into();
    }
}

/// The key schedule of AES (FIPS 197, 5.2).
fn schedule(key: &[u8], words: &mut [[u8; 4]]) {
    // Never 0, which the compiler does not know of a divisor.
    let key_words = (key.len() / 4).max(1);
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = *bytes;
    }
    let mut round_constant = 1;
    for at in key_words..4 * (key_words + 7) {
        let word = |at: usize| u32::from_le_bytes(words.get(at).copied().unwrap_or_default());
        let (previous, mut added) = (word(at - key_words), word(at - 1));
        if at % key_words == 0 {
            added = substitute(added).rotate_right(8) ^ round_constant;
            // Doubled in the field of AES: 0x1b follows 0x80.
            round_constant = if round_constant == 0x80 { 0x1b } else { round_constant << 1 };
        } else if key_words == 8 && at % key_words == 4 {
            added = substitute(added);
        }
        if let Some(place) = words.get_mut(at) {
            *place = (previous ^ added).to_le_bytes();
        }
    }
}

/// The S-box of AES on each byte (FIPS 197, 5.1.1).
fn substitute(word: u32) -> u32 {
    let inverse = invert(word);
    let mut sum = inverse;
    let mut rotated = inverse;
    for _ in 0..4 {
        rotated = rotated << 1 & 0xfefe_fefe | rotated >> 7 & 0x0101_0101;
        sum ^= rotated;
    }
    sum ^ 0x6363_6363
}

/// The inverse of each byte in the field of AES, and 0 of 0: its power 254 = 2 + 4 + ... + 128.
fn invert(word: u32) -> u32 {
    let mut square = multiply(word, word);
    let mut power = square;
    for _ in 0..6 {
        square = multiply(square, square);
        power = multiply(power, square);
    }
    power
}

/// The product of each byte with the other's in the field of AES (FIPS 197, 4.2).
fn multiply(mut word: u32, other: u32) -> u32 {
    let mut product = 0;
    for bit in 0..8 {
        let is_set = other >> bit & 0x0101_0101;
        product ^= word & is_set.wrapping_mul(0xff);
        let carries = word >> 7 & 0x0101_0101;
        word = word << 1 & 0xfefe_fefe ^ carries.wrapping_mul(0x1b);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_is_that_of_fips_197() {
        // Appendix A.1: the last word of a key of 128 bits.
        let key = 0x2b7e_1516_28ae_d2a6_abf7_1588_09cf_4f3c_u128.to_be_bytes();
        let mut words = [[0; 4]; 4 * ROUND_KEYS];
        schedule(&key, &mut words);
        assert_eq!(words[43], [0xb6, 0x63, 0x0c, 0xa6]);
        assert_eq!(words[44], [0; 4]);
    }
}
