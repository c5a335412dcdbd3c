//! AES-GCM (NIST SP 800-38D): counter mode and hash in one pass.

mod ghash;
mod packet;
mod rounds;

use packet::Stage;

use crate::backend::expanded_key::ExpandedKey;
use crate::tier::{Level, Tier};
use crate::{Open, Seal};

/// Seals each packet, if the tier has a kernel.
pub(in crate::backend) fn seal(
    key: &ExpandedKey,
    tier: Tier<'_>,
    packets: &mut [Seal<'_>],
) -> bool {
    match tier.gcm() {
        // SAFETY: a tier has the instructions of its level, and its registers may be used.
        Level::Sse => unsafe { sse::seal(key, packets) },
        // SAFETY: likewise.
        Level::Avx2 => unsafe { avx2::seal(key, packets) },
        // SAFETY: likewise.
        Level::Avx512 => unsafe { avx512::seal(key, packets) },
        Level::Portable => return false,
    }
    true
}

/// Opens each packet, if the tier has a kernel.
pub(in crate::backend) fn open(
    key: &ExpandedKey,
    tier: Tier<'_>,
    packets: &mut [Open<'_>],
) -> bool {
    match tier.gcm() {
        // SAFETY: a tier has the instructions of its level, and its registers may be used.
        Level::Sse => unsafe { sse::open(key, packets) },
        // SAFETY: likewise.
        Level::Avx2 => unsafe { avx2::open(key, packets) },
        // SAFETY: likewise.
        Level::Avx512 => unsafe { avx512::open(key, packets) },
        Level::Portable => return false,
    }
    true
}

/// Declares the entry points of a tier.
macro_rules! tier {
    ($(#[$doc:meta])* $tier:ident, $register:ident, $group:literal, $features:literal) => {
        $(#[$doc])*
        pub(in crate::backend::x86) mod $tier {
            use core::arch::x86_64::$register;

            use super::{ExpandedKey, Open, Seal, Stage, packet};

            /// Seals every packet.
            ///
            /// # Safety
            ///
            /// The processor has the instructions of the tier, and the registers may be used.
            pub(in crate::backend::x86) unsafe fn seal(
                key: &ExpandedKey,
                packets: &mut [Seal<'_>],
            ) {
                let stage = &mut Stage::new();
                // SAFETY: as this function.
                unsafe {
                    match key.rounds() {
                        10 => seal_rounds::<10>(key, stage, packets),
                        12 => seal_rounds::<12>(key, stage, packets),
                        _ => seal_rounds::<14>(key, stage, packets),
                    }
                }
            }

            /// Opens every packet.
            ///
            /// # Safety
            ///
            /// As `seal`.
            pub(in crate::backend::x86) unsafe fn open(
                key: &ExpandedKey,
                packets: &mut [Open<'_>],
            ) {
                let stage = &mut Stage::new();
                // SAFETY: as this function.
                unsafe {
                    match key.rounds() {
                        10 => open_rounds::<10>(key, stage, packets),
                        12 => open_rounds::<12>(key, stage, packets),
                        _ => open_rounds::<14>(key, stage, packets),
                    }
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn seal_rounds<const ROUNDS: usize>(
                key: &ExpandedKey,
                stage: &mut Stage,
                packets: &mut [Seal<'_>],
            ) {
                for packet in packets {
                    // SAFETY: as `seal`.
                    unsafe { packet::seal::<$register, $group, ROUNDS>(key, stage, packet) };
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn open_rounds<const ROUNDS: usize>(
                key: &ExpandedKey,
                stage: &mut Stage,
                packets: &mut [Open<'_>],
            ) {
                for packet in packets {
                    // SAFETY: as `open`.
                    unsafe { packet::open::<$register, $group, ROUNDS>(key, stage, packet) };
                }
            }
        }
    };
}

tier! {
    /// One block in a register: those that a kernel may always use.
    sse, __m128i, 8, "sse4.1,ssse3,aes,pclmulqdq"
}
tier! {
    /// Two blocks in a register.
    avx2, __m256i, 6, "avx2,aes,pclmulqdq,vaes,vpclmulqdq"
}
tier! {
    /// Four blocks in a register.
    avx512, __m512i, 4, "avx512f,avx512bw,avx512vl,aes,pclmulqdq,vaes,vpclmulqdq"
}
