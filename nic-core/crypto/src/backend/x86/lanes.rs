//! Vector registers of 4, 8 and 16 words of 32 bits.

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi32, _mm_setr_epi32,
    _mm_shuffle_epi8, _mm_slli_epi32, _mm_srli_epi32, _mm_unpackhi_epi32, _mm_unpackhi_epi64,
    _mm_unpacklo_epi32, _mm_unpacklo_epi64, _mm256_broadcastsi128_si256, _mm256_or_si256,
    _mm256_permute2x128_si256, _mm256_set1_epi32, _mm256_setr_epi32, _mm256_shuffle_epi8,
    _mm256_slli_epi32, _mm256_srli_epi32, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm512_rol_epi32, _mm512_set1_epi32,
    _mm512_setr_epi32, _mm512_shuffle_i32x4, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};

use super::register::Register;

/// A register of [`COUNT`](Self::COUNT) words.
///
/// Every function needs a processor that has the instructions of the register.
pub(super) trait Lanes: Register {
    /// Words in the register.
    const COUNT: usize;

    /// `word` in every place.
    unsafe fn of_word(word: u32) -> Self;
    /// The number of each place.
    unsafe fn numbers() -> Self;
    /// Each word rotated left by 16 bits.
    unsafe fn rotate_16(self) -> Self;
    /// By 12 bits.
    unsafe fn rotate_12(self) -> Self;
    /// By 8 bits.
    unsafe fn rotate_8(self) -> Self;
    /// By 7 bits.
    unsafe fn rotate_7(self) -> Self;
    /// Words 0 and 1 of each 128 bits of both, in turn.
    unsafe fn low_words(self, other: Self) -> Self;
    /// Words 2 and 3.
    unsafe fn high_words(self, other: Self) -> Self;
    /// The lower 64 of each 128 bits of both, in turn.
    unsafe fn low_halves(self, other: Self) -> Self;
    /// The upper 64.
    unsafe fn high_halves(self, other: Self) -> Self;
    /// The `COUNT` blocks of 64 bytes one after the other. Each 128 bits number `k` of
    /// `pieces[g][j]` is piece `g` of block `4 * k + j`.
    unsafe fn blocks(pieces: [[Self; 4]; 4]) -> [Self; 16];
}

/// Implements [`Lanes`] but for what the caller adds.
macro_rules! lanes {
    (
        $(#[$doc:meta])*
        $lanes:ty, count: $count:literal, of_word: $of_word:ident, numbers: $numbers:expr,
        rotate: ($($rotate:ident: $value:ident => $rotated:expr,)*),
        unpack: ($low_words:ident, $high_words:ident, $low_halves:ident, $high_halves:ident),
        blocks: $blocks:ident $(,)?
    ) => {
        $(#[$doc])*
        impl Lanes for $lanes {
            const COUNT: usize = $count;

            #[inline(always)]
            unsafe fn of_word(word: u32) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $of_word(word.cast_signed()) }
            }

            #[inline(always)]
            unsafe fn numbers() -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $numbers }
            }

            $(
                #[inline(always)]
                unsafe fn $rotate(self) -> Self {
                    let $value = self;
                    // SAFETY: the caller has checked the processor.
                    unsafe { $rotated }
                }
            )*

            #[inline(always)]
            unsafe fn low_words(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $low_words(self, other) }
            }

            #[inline(always)]
            unsafe fn high_words(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $high_words(self, other) }
            }

            #[inline(always)]
            unsafe fn low_halves(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $low_halves(self, other) }
            }

            #[inline(always)]
            unsafe fn high_halves(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $high_halves(self, other) }
            }

            #[inline(always)]
            unsafe fn blocks(pieces: [[Self; 4]; 4]) -> [Self; 16] {
                // SAFETY: the caller has checked the processor.
                unsafe { $blocks(pieces) }
            }
        }
    };
}

lanes! {
    /// SSSE3.
    __m128i, count: 4, of_word: _mm_set1_epi32, numbers: _mm_setr_epi32(0, 1, 2, 3),
    rotate: (
        rotate_16: it => _mm_shuffle_epi8(it, by_16()),
        rotate_12: it => _mm_or_si128(_mm_slli_epi32::<12>(it), _mm_srli_epi32::<20>(it)),
        rotate_8: it => _mm_shuffle_epi8(it, by_8()),
        rotate_7: it => _mm_or_si128(_mm_slli_epi32::<7>(it), _mm_srli_epi32::<25>(it)),
    ),
    unpack: (_mm_unpacklo_epi32, _mm_unpackhi_epi32, _mm_unpacklo_epi64, _mm_unpackhi_epi64),
    blocks: blocks_128,
}

lanes! {
    /// AVX2.
    __m256i, count: 8, of_word: _mm256_set1_epi32,
    numbers: _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
    rotate: (
        rotate_16: it => _mm256_shuffle_epi8(it, _mm256_broadcastsi128_si256(by_16())),
        rotate_12: it => _mm256_or_si256(_mm256_slli_epi32::<12>(it), _mm256_srli_epi32::<20>(it)),
        rotate_8: it => _mm256_shuffle_epi8(it, _mm256_broadcastsi128_si256(by_8())),
        rotate_7: it => _mm256_or_si256(_mm256_slli_epi32::<7>(it), _mm256_srli_epi32::<25>(it)),
    ),
    unpack: (
        _mm256_unpacklo_epi32, _mm256_unpackhi_epi32, _mm256_unpacklo_epi64, _mm256_unpackhi_epi64
    ),
    blocks: blocks_256,
}

lanes! {
    /// AVX-512 F.
    __m512i, count: 16, of_word: _mm512_set1_epi32,
    numbers: _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    rotate: (
        rotate_16: it => _mm512_rol_epi32::<16>(it),
        rotate_12: it => _mm512_rol_epi32::<12>(it),
        rotate_8: it => _mm512_rol_epi32::<8>(it),
        rotate_7: it => _mm512_rol_epi32::<7>(it),
    ),
    unpack: (
        _mm512_unpacklo_epi32, _mm512_unpackhi_epi32, _mm512_unpacklo_epi64, _mm512_unpackhi_epi64
    ),
    blocks: blocks_512,
}

/// The order of bytes in words that are rotated left by 16 bits.
#[inline(always)]
unsafe fn by_16() -> __m128i {
    // SAFETY: the caller has checked the processor.
    unsafe { _mm_set_epi64x(0x0d0c_0f0e_0908_0b0a, 0x0504_0706_0100_0302) }
}

/// By 8 bits.
#[inline(always)]
unsafe fn by_8() -> __m128i {
    // SAFETY: the caller has checked the processor.
    unsafe { _mm_set_epi64x(0x0e0d_0c0f_0a09_080b, 0x0605_0407_0201_0003) }
}

#[inline(always)]
unsafe fn blocks_128(pieces: [[__m128i; 4]; 4]) -> [__m128i; 16] {
    let [a, b, c, d] = pieces;
    [a[0], b[0], c[0], d[0], a[1], b[1], c[1], d[1], a[2], b[2], c[2], d[2], a[3], b[3], c[3], d[3]]
}

#[inline(always)]
unsafe fn blocks_256(pieces: [[__m256i; 4]; 4]) -> [__m256i; 16] {
    let [a, b, c, d] = pieces;
    let mut blocks = [a[0]; 16];
    for j in 0..4 {
        // SAFETY: the caller has checked the processor.
        unsafe {
            blocks[2 * j] = _mm256_permute2x128_si256::<0x20>(a[j], b[j]);
            blocks[2 * j + 1] = _mm256_permute2x128_si256::<0x20>(c[j], d[j]);
            blocks[2 * j + 8] = _mm256_permute2x128_si256::<0x31>(a[j], b[j]);
            blocks[2 * j + 9] = _mm256_permute2x128_si256::<0x31>(c[j], d[j]);
        }
    }
    blocks
}

#[inline(always)]
unsafe fn blocks_512(pieces: [[__m512i; 4]; 4]) -> [__m512i; 16] {
    let [a, b, c, d] = pieces;
    let mut blocks = [a[0]; 16];
    for j in 0..4 {
        // SAFETY: the caller has checked the processor.
        unsafe {
            let front_low = _mm512_shuffle_i32x4::<0x44>(a[j], b[j]);
            let front_high = _mm512_shuffle_i32x4::<0xee>(a[j], b[j]);
            let back_low = _mm512_shuffle_i32x4::<0x44>(c[j], d[j]);
            let back_high = _mm512_shuffle_i32x4::<0xee>(c[j], d[j]);
            blocks[j] = _mm512_shuffle_i32x4::<0x88>(front_low, back_low);
            blocks[j + 4] = _mm512_shuffle_i32x4::<0xdd>(front_low, back_low);
            blocks[j + 8] = _mm512_shuffle_i32x4::<0x88>(front_high, back_high);
            blocks[j + 12] = _mm512_shuffle_i32x4::<0xdd>(front_high, back_high);
        }
    }
    blocks
}
