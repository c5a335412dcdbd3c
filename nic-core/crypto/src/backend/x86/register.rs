//! Vector registers of 1, 2 and 4 AES blocks.

use super::partial::{partial_128, partial_256, partial_512};
use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_add_epi32, _mm_aesenc_si128, _mm_aesenclast_si128,
    _mm_clmulepi64_si128, _mm_loadu_si128, _mm_set_epi64x, _mm_setzero_si128, _mm_shuffle_epi8,
    _mm_storeu_si128, _mm_xor_si128, _mm256_add_epi32, _mm256_aesenc_epi128,
    _mm256_aesenclast_epi128, _mm256_broadcastsi128_si256, _mm256_castsi256_si128,
    _mm256_clmulepi64_epi128, _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_setr_epi32,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_storeu_si256, _mm256_xor_si256,
    _mm256_zextsi128_si256, _mm512_add_epi32, _mm512_aesenc_epi128, _mm512_aesenclast_epi128,
    _mm512_broadcast_i32x4, _mm512_castsi512_si256, _mm512_clmulepi64_epi128,
    _mm512_extracti64x4_epi64, _mm512_loadu_si512, _mm512_setr_epi32, _mm512_setzero_si512,
    _mm512_shuffle_epi8, _mm512_storeu_si512, _mm512_xor_si512, _mm512_zextsi128_si512,
};

/// A vector register of [`BLOCKS`](Self::BLOCKS) blocks of 16 bytes.
///
/// Every function needs a processor that has the instructions of the register. A pointer needs
/// `16 * BLOCKS` accessible bytes; it may be unaligned.
pub(super) trait Register: Copy {
    /// Blocks in the register.
    const BLOCKS: usize;

    /// Zeros.
    unsafe fn zero() -> Self;

    /// The blocks at `from`.
    unsafe fn load(from: *const u8) -> Self;

    /// Writes the blocks to `to`.
    unsafe fn store(self, to: *mut u8);

    /// The first `len` bytes at `from`, 1 to the size of the register, then zeros.
    unsafe fn load_partial(from: *const u8, len: usize) -> Self;

    /// Writes the first `len` bytes, 1 to the size of the register, to `to`.
    unsafe fn store_partial(self, to: *mut u8, len: usize);

    /// The first `len` bytes, 1 to the size of the register, then zeros.
    unsafe fn keep(self, len: usize) -> Self;

    /// `block` in every place.
    unsafe fn splat(block: __m128i) -> Self;

    /// The number `n` in the lowest 32 bits of block `n`.
    unsafe fn ramp() -> Self;

    /// `block` in the first place, zeros in the others.
    unsafe fn first(block: __m128i) -> Self;

    /// The exclusive or of all blocks.
    unsafe fn fold(self) -> __m128i;

    /// Exclusive or.
    unsafe fn xor(self, other: Self) -> Self;

    /// The sums of the 32-bit numbers.
    unsafe fn add(self, other: Self) -> Self;

    /// Each block with its bytes reversed.
    unsafe fn reverse(self) -> Self;

    /// One round of AES on each block.
    unsafe fn aes_round(self, key: Self) -> Self;

    /// The last round of AES on each block.
    unsafe fn aes_last(self, key: Self) -> Self;

    /// The carry-less product of a half of each block and one of the other's: bit 0 of `HALVES`
    /// selects the upper half of `self`, bit 4 that of `other`.
    unsafe fn clmul<const HALVES: i32>(self, other: Self) -> Self;
}

/// Implements [`Register`] by one intrinsic or expression for each function.
macro_rules! register {
    (
        $(#[$doc:meta])*
        $register:ty, blocks: $blocks:literal, zero: $zero:ident,
        load: $load:ident, store: $store:ident, partial: $partial:ident, splat: $splat:expr,
        ramp: $ramp:expr, first: $first:expr, fold: $fold:expr, xor: $xor:ident, add: $add:ident,
        shuffle: $shuffle:ident, round: $round:ident, last: $last:ident, clmul: $clmul:ident $(,)?
    ) => {
        $(#[$doc])*
        impl Register for $register {
            const BLOCKS: usize = $blocks;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $zero() }
            }

            #[inline(always)]
            unsafe fn load(from: *const u8) -> Self {
                // SAFETY: the caller has checked processor and pointer.
                unsafe { $load(from.cast()) }
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut u8) {
                // SAFETY: the caller has checked processor and pointer.
                unsafe { $store(to.cast(), self) };
            }

            #[inline(always)]
            unsafe fn load_partial(from: *const u8, len: usize) -> Self {
                // SAFETY: the caller has checked processor, pointer and length.
                unsafe { $partial::load(from, len) }
            }

            #[inline(always)]
            unsafe fn store_partial(self, to: *mut u8, len: usize) {
                // SAFETY: the caller has checked processor, pointer and length.
                unsafe { $partial::store(self, to, len) };
            }

            #[inline(always)]
            unsafe fn keep(self, len: usize) -> Self {
                // SAFETY: the caller has checked processor and length.
                unsafe { $partial::keep(self, len) }
            }

            #[inline(always)]
            unsafe fn splat(block: __m128i) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $splat(block) }
            }

            #[inline(always)]
            unsafe fn ramp() -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $ramp }
            }

            #[inline(always)]
            unsafe fn first(block: __m128i) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $first(block) }
            }

            #[inline(always)]
            unsafe fn fold(self) -> __m128i {
                // SAFETY: the caller has checked the processor.
                unsafe { $fold(self) }
            }

            #[inline(always)]
            unsafe fn xor(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $xor(self, other) }
            }

            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            unsafe fn reverse(self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe {
                    let order = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
                    $shuffle(self, Self::splat(order))
                }
            }

            #[inline(always)]
            unsafe fn aes_round(self, key: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $round(self, key) }
            }

            #[inline(always)]
            unsafe fn aes_last(self, key: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $last(self, key) }
            }

            #[inline(always)]
            unsafe fn clmul<const HALVES: i32>(self, other: Self) -> Self {
                // SAFETY: the caller has checked the processor.
                unsafe { $clmul::<HALVES>(self, other) }
            }
        }
    };
}

register! {
    /// SSE4.1, AES-NI, PCLMULQDQ.
    __m128i, blocks: 1, zero: _mm_setzero_si128, load: _mm_loadu_si128,
    store: _mm_storeu_si128, partial: partial_128, splat: same, ramp: _mm_setzero_si128(),
    first: same, fold: same, xor: _mm_xor_si128,
    add: _mm_add_epi32, shuffle: _mm_shuffle_epi8, round: _mm_aesenc_si128,
    last: _mm_aesenclast_si128, clmul: _mm_clmulepi64_si128,
}

register! {
    /// AVX2, VAES, VPCLMULQDQ.
    __m256i, blocks: 2, zero: _mm256_setzero_si256, load: _mm256_loadu_si256,
    store: _mm256_storeu_si256, partial: partial_256, splat: _mm256_broadcastsi128_si256,
    ramp: _mm256_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0), first: _mm256_zextsi128_si256,
    fold: fold_256, xor: _mm256_xor_si256, add: _mm256_add_epi32, shuffle: _mm256_shuffle_epi8,
    round: _mm256_aesenc_epi128, last: _mm256_aesenclast_epi128, clmul: _mm256_clmulepi64_epi128,
}

register! {
    /// AVX-512 F, BW and VL, VAES, VPCLMULQDQ.
    __m512i, blocks: 4, zero: _mm512_setzero_si512, load: _mm512_loadu_si512,
    store: _mm512_storeu_si512, partial: partial_512, splat: _mm512_broadcast_i32x4,
    ramp: _mm512_setr_epi32(0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0),
    first: _mm512_zextsi128_si512, fold: fold_512, xor: _mm512_xor_si512, add: _mm512_add_epi32,
    shuffle: _mm512_shuffle_epi8, round: _mm512_aesenc_epi128, last: _mm512_aesenclast_epi128,
    clmul: _mm512_clmulepi64_epi128,
}

#[inline(always)]
unsafe fn fold_256(value: __m256i) -> __m128i {
    // SAFETY: the caller has checked the processor.
    unsafe { _mm_xor_si128(_mm256_castsi256_si128(value), _mm256_extracti128_si256::<1>(value)) }
}

#[inline(always)]
unsafe fn fold_512(value: __m512i) -> __m128i {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let upper = _mm512_extracti64x4_epi64::<1>(value);
        fold_256(_mm256_xor_si256(_mm512_castsi512_si256(value), upper))
    }
}

#[inline(always)]
unsafe fn same(block: __m128i) -> __m128i {
    block
}
