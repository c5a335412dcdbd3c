//! Implementations of the suites.
//!
//! A backend gets whole batches, so that it can process several packets at once, and encrypt while
//! it reads the fragments. [`rustcrypto`] is portable, and the reference of the tests.

pub(crate) mod chacha;
#[cfg(target_arch = "x86_64")]
mod cursor;
mod expanded_key;
mod gcm;
#[cfg(target_arch = "x86_64")]
mod poly1305;
mod rustcrypto;
#[cfg(target_arch = "x86_64")]
mod x86;

use core::hint::black_box;

pub(crate) use expanded_key::ExpandedKey;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::detect;

use crate::tier::Tier;
use crate::{Open, Seal, Suite};

/// Half of what is wiped of the stack after a batch, in words. Code that isn't optimized has larger
/// frames.
const WIPED_WORDS: usize = if cfg!(debug_assertions) { 600 } else { 150 };

/// Seals each packet.
pub(crate) fn seal(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    match key.suite() {
        Suite::ChaCha20Poly1305 => chacha::seal(key.chacha(), tier, packets),
        Suite::Aes128Gcm | Suite::Aes192Gcm | Suite::Aes256Gcm => gcm::seal(key, tier, packets),
    }
}

/// Opens each packet.
pub(crate) fn open(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Open<'_>]) {
    match key.suite() {
        Suite::ChaCha20Poly1305 => chacha::open(key.chacha(), tier, packets),
        Suite::Aes128Gcm | Suite::Aes192Gcm | Suite::Aes256Gcm => gcm::open(key, tier, packets),
    }
}

/// Overwrites where the frames of a batch were, which may hold its key, and what was expanded from
/// it: about 2.4 KiB, for each batch. In two steps, as no frame may be large.
#[inline(never)]
fn wipe_frames_below() {
    let mut words = [0_u64; WIPED_WORDS];
    black_box(&mut words);
    wipe_lower_frames();
    // Until here, the compiler must not give up the frame.
    black_box(&words);
}

#[inline(never)]
fn wipe_lower_frames() {
    black_box(&mut [0_u64; WIPED_WORDS]);
}
