//! ChaCha20-Poly1305 by the best kernel of a tier.

#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{rustcrypto, wipe_frames_below};
use crate::{Open, Seal, Tier};

/// Seals each packet.
pub(crate) fn seal(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    #[cfg(target_arch = "x86_64")]
    let is_done = x86::chacha::seal(key, tier, packets);
    #[cfg(not(target_arch = "x86_64"))]
    let (is_done, _) = (false, tier);
    if !is_done {
        rustcrypto::seal_chacha(key, packets);
    }
    wipe_frames_below();
}

/// Opens each packet.
pub(crate) fn open(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Open<'_>]) {
    #[cfg(target_arch = "x86_64")]
    let is_done = x86::chacha::open(key, tier, packets);
    #[cfg(not(target_arch = "x86_64"))]
    let (is_done, _) = (false, tier);
    if !is_done {
        rustcrypto::open_chacha(key, packets);
    }
    wipe_frames_below();
}
