//! ChaCha20-Poly1305 by the best kernel of a tier.

use super::rustcrypto;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::{Open, Seal, Tier};

/// Seals each packet.
pub(crate) fn seal(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    #[cfg(target_arch = "x86_64")]
    if x86::chacha::seal(key, tier, packets) {
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = tier;
    rustcrypto::seal_chacha(key, packets);
}

/// Opens each packet.
pub(crate) fn open(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Open<'_>]) {
    #[cfg(target_arch = "x86_64")]
    if x86::chacha::open(key, tier, packets) {
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = tier;
    rustcrypto::open_chacha(key, packets);
}
