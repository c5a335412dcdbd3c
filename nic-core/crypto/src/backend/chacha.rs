//! ChaCha20-Poly1305 by the best kernel of a tier.

use super::rustcrypto;
use crate::{Open, Seal, Tier};

/// Seals each packet.
pub(crate) fn seal(key: &[u8; 32], _tier: Tier<'_>, packets: &mut [Seal<'_>]) {
    rustcrypto::seal_chacha(key, packets);
}

/// Opens each packet.
pub(crate) fn open(key: &[u8; 32], _tier: Tier<'_>, packets: &mut [Open<'_>]) {
    rustcrypto::open_chacha(key, packets);
}
