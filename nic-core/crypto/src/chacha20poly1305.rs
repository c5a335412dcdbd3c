//! ChaCha20-Poly1305 (RFC 8439) for keys of 32 bytes, which need no expansion.
//!
//! [`AeadKey`](crate::AeadKey) does the same, and has room for an expanded key of another suite.

use crate::backend::chacha;
use crate::{Open, Seal, Tier};

/// Seals every packet of a batch. [`Seal::sealing`] of each has the result.
pub fn seal(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    chacha::seal(key, tier, packets);
}

/// Verifies and opens every packet of a batch. [`Open::verdict`] of each has the result.
pub fn open(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Open<'_>]) {
    chacha::open(key, tier, packets);
}
