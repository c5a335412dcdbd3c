//! AES-GCM by the best kernel of a tier.

use super::expanded_key::ExpandedKey;
#[cfg(target_arch = "x86_64")]
use super::x86;
use super::{rustcrypto, wipe_frames_below};
use crate::{Open, Seal, Tier};

/// Seals each packet.
pub(super) fn seal(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    #[cfg(target_arch = "x86_64")]
    let is_done = x86::gcm::seal(key, tier, packets);
    #[cfg(not(target_arch = "x86_64"))]
    let (is_done, _) = (false, tier);
    if !is_done {
        rustcrypto::seal_gcm(key.suite(), key.key(), packets);
    }
    wipe_frames_below();
}

/// Opens each packet.
pub(super) fn open(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Open<'_>]) {
    #[cfg(target_arch = "x86_64")]
    let is_done = x86::gcm::open(key, tier, packets);
    #[cfg(not(target_arch = "x86_64"))]
    let (is_done, _) = (false, tier);
    if !is_done {
        rustcrypto::open_gcm(key.suite(), key.key(), packets);
    }
    wipe_frames_below();
}
