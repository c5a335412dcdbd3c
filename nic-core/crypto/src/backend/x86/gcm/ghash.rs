//! The hash of GCM (NIST SP 800-38D, 6.4), in the field of POLYVAL (RFC 8452, appendix A).
//!
//! Blocks are byte-reversed, and the hash key is multiplied by x once: so a product needs no shift
//! by one bit.

use core::arch::x86_64::{
    __m128i, _mm_clmulepi64_si128, _mm_set_epi64x, _mm_setzero_si128, _mm_shuffle_epi32,
    _mm_slli_si128, _mm_srli_si128, _mm_xor_si128,
};

use crate::backend::expanded_key::ExpandedKey;
use crate::backend::x86::register::Register;

/// The hash of the blocks so far.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    value: __m128i,
    /// How often `value` is yet to be multiplied by H: 1 for a block of additional data, which is
    /// so multiplied together with what follows.
    pending: usize,
}

impl Hash {
    /// The hash of the additional data.
    #[inline(always)]
    pub(super) unsafe fn new(key: &ExpandedKey, mut aad: &[u8]) -> Self {
        // SAFETY: the caller has checked the processor; a chunk is 1 to 16 bytes.
        unsafe {
            let mut hash = Self { value: _mm_setzero_si128(), pending: 0 };
            while !aad.is_empty() {
                let (chunk, rest) = aad.split_at(aad.len().min(16));
                let block = __m128i::load_partial(chunk.as_ptr(), chunk.len()).reverse();
                if hash.pending != 0 {
                    hash.value = Sum::<__m128i>::new(key, hash, 0).reduce();
                }
                hash = Self { value: hash.value.xor(block), pending: 1 };
                aad = rest;
            }
            hash
        }
    }

    /// A hash without pending multiplications.
    #[inline(always)]
    pub(super) fn of(value: __m128i) -> Self {
        Self { value, pending: 0 }
    }
}

/// A sum of products with powers of H, not reduced.
#[derive(Clone, Copy)]
pub(super) struct Sum<R> {
    low: R,
    middle: R,
    high: R,
}

impl<R: Register> Sum<R> {
    /// The hash so far, if `blocks` blocks follow it.
    #[inline(always)]
    pub(super) unsafe fn new(key: &ExpandedKey, hash: Hash, blocks: usize) -> Self {
        // SAFETY: the caller has checked the processor. There is a power for a whole group with a
        // block before and after it.
        unsafe {
            let mut sum = Self { low: R::zero(), middle: R::zero(), high: R::zero() };
            let power = __m128i::load(key.powers(blocks + hash.pending));
            sum.add_products(R::first(hash.value), R::first(power));
            sum
        }
    }

    /// Adds the register's blocks, of which the first is followed by `blocks - 1`.
    #[inline(always)]
    pub(super) unsafe fn add(&mut self, key: &ExpandedKey, registers: R, blocks: usize) {
        // SAFETY: the caller has checked the processor. Zeros follow the last power.
        unsafe { self.add_products(registers.reverse(), R::load(key.powers(blocks))) };
    }

    /// Adds the last block.
    #[inline(always)]
    pub(super) unsafe fn add_last(&mut self, key: &ExpandedKey, block: __m128i) {
        // SAFETY: the caller has checked the processor.
        unsafe { self.add_products(R::first(block), R::first(__m128i::load(key.powers(1)))) };
    }

    #[inline(always)]
    unsafe fn add_products(&mut self, blocks: R, powers: R) {
        // SAFETY: the caller has checked the processor.
        unsafe {
            self.low = self.low.xor(blocks.clmul::<0x00>(powers));
            self.high = self.high.xor(blocks.clmul::<0x11>(powers));
            let middle = blocks.clmul::<0x01>(powers).xor(blocks.clmul::<0x10>(powers));
            self.middle = self.middle.xor(middle);
        }
    }

    /// The sum as an element of the field.
    #[inline(always)]
    pub(super) unsafe fn reduce(self) -> __m128i {
        // SAFETY: the caller has checked the processor.
        unsafe {
            let middle = self.middle.fold();
            let low = _mm_xor_si128(self.low.fold(), _mm_slli_si128::<8>(middle));
            let high = _mm_xor_si128(self.high.fold(), _mm_srli_si128::<8>(middle));
            // Montgomery reduction by x^128 + x^127 + x^126 + x^121 + 1, 64 bits at a time.
            let polynomial = _mm_set_epi64x(0, POLYNOMIAL);
            let quotient = _mm_clmulepi64_si128::<0x00>(low, polynomial);
            let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), quotient);
            let quotient = _mm_clmulepi64_si128::<0x00>(low, polynomial);
            let low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), quotient);
            _mm_xor_si128(high, low)
        }
    }
}

/// x^127 + x^126 + x^121, without the lower 64 bits.
const POLYNOMIAL: i64 = 0xc200_0000_0000_0000_u64.cast_signed();
