//! ChaCha20-Poly1305 (RFC 8439): ChaCha20 in lanes, Poly1305 in general registers.

mod packet;
mod poly_ifma;
mod rounds;

use packet::Stage;
use zeroize::Zeroizing;

use crate::backend::poly1305::Poly1305;
use crate::tier::{Level, Tier};
use crate::{Open, Seal};

/// Seals each packet, if the tier has a kernel.
pub(in crate::backend) fn seal(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Seal<'_>]) -> bool {
    let (key, stage) = (&words(key), &mut Stage::new());
    match tier.chacha() {
        // SAFETY: a tier has the instructions of its level, and its registers may be used.
        Level::Sse => unsafe { sse::seal(key, stage, packets) },
        // SAFETY: likewise.
        Level::Avx2 => unsafe { avx2::seal(key, stage, packets) },
        // SAFETY: likewise.
        Level::Avx512 => unsafe { avx512::seal(key, stage, packets) },
        Level::Portable => return false,
    }
    true
}

/// Opens each packet, if the tier has a kernel.
pub(in crate::backend) fn open(key: &[u8; 32], tier: Tier<'_>, packets: &mut [Open<'_>]) -> bool {
    let (key, stage) = (&words(key), &mut Stage::new());
    match tier.chacha() {
        // SAFETY: a tier has the instructions of its level, and its registers may be used.
        Level::Sse => unsafe { sse::open(key, stage, packets) },
        // SAFETY: likewise.
        Level::Avx2 => unsafe { avx2::open(key, stage, packets) },
        // SAFETY: likewise.
        Level::Avx512 => unsafe { avx512::open(key, stage, packets) },
        Level::Portable => return false,
    }
    true
}

fn words(key: &[u8; 32]) -> Zeroizing<[u32; 8]> {
    let mut words = Zeroizing::new([0; 8]);
    for (word, bytes) in words.iter_mut().zip(key.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    words
}

/// Leaves all of a text to Poly1305 in general registers.
#[inline(always)]
unsafe fn none<'t>(_mac: &mut Poly1305, text: &'t [u8]) -> &'t [u8] {
    text
}

/// Declares the entry points of a tier.
macro_rules! tier {
    ($(#[$doc:meta])* $tier:ident, $level:ident, $features:literal, $hash:expr) => {
        $(#[$doc])*
        mod $tier {
            use super::{Level, Open, Poly1305, Seal, Stage, packet};

            struct Lanes;

            impl packet::Width for Lanes {
                const LEVEL: Level = Level::$level;

                #[inline(always)]
                unsafe fn hash<'t>(mac: &mut Poly1305, text: &'t [u8]) -> &'t [u8] {
                    // SAFETY: as `seal`.
                    unsafe { $hash(mac, text) }
                }
            }

            /// Seals every packet.
            ///
            /// # Safety
            ///
            /// The processor has the instructions of the tier, and the registers may be used.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn seal(
                key: &[u32; 8],
                stage: &mut Stage,
                packets: &mut [Seal<'_>],
            ) {
                for packet in packets {
                    // SAFETY: as this function.
                    unsafe { packet::seal::<Lanes>(key, stage, packet) };
                }
            }

            /// Opens every packet.
            ///
            /// # Safety
            ///
            /// As `seal`.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn open(
                key: &[u32; 8],
                stage: &mut Stage,
                packets: &mut [Open<'_>],
            ) {
                for packet in packets {
                    // SAFETY: as this function.
                    unsafe { packet::open::<Lanes>(key, stage, packet) };
                }
            }
        }
    };
}

tier! {
    /// Four lanes: registers that a kernel may always use.
    sse, Sse, "sse4.1,ssse3", super::none
}
tier! {
    /// Up to eight lanes.
    avx2, Avx2, "avx2,bmi2", super::none
}
tier! {
    /// Up to 16 lanes.
    avx512, Avx512, "avx512f,avx512bw,avx512vl,avx512ifma,avx2,bmi2", super::poly_ifma::update
}
