//! AES-GCM by the best kernel of a tier.

use super::expanded_key::ExpandedKey;
use super::rustcrypto;
#[cfg(target_arch = "x86_64")]
use super::x86;
use crate::{Open, Seal, Tier};

/// Seals each packet.
pub(super) fn seal(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    #[cfg(target_arch = "x86_64")]
    if x86::gcm::seal(key, tier, packets) {
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = tier;
    rustcrypto::seal_gcm(key.suite(), key.key(), packets);
}

/// Opens each packet.
pub(super) fn open(key: &ExpandedKey, tier: Tier<'_>, packets: &mut [Open<'_>]) {
    #[cfg(target_arch = "x86_64")]
    if x86::gcm::open(key, tier, packets) {
        return;
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = tier;
    rustcrypto::open_gcm(key.suite(), key.key(), packets);
}
