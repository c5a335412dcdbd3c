//! Poly1305 over eight blocks at once, in the multiplications of 52 bits of AVX-512 IFMA.

use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_loadu_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_or_si512, _mm512_reduce_add_epi64, _mm512_set1_epi64,
    _mm512_setr_epi64, _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srli_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use crate::backend::poly1305::{LIMB, Number, Poly1305, TOP_LIMB};

/// Bytes of eight blocks.
const GROUP: usize = 128;

/// A text below this is hashed without the powers of r, which cost as much as some of its blocks.
const MIN_LEN: usize = 3 * GROUP;

/// Hashes whole groups of a text. Returns the rest, all of a short text.
///
/// The processor has AVX-512 F and IFMA, and their registers may be used.
#[inline(always)]
pub(super) unsafe fn update<'t>(mac: &mut Poly1305, text: &'t [u8]) -> &'t [u8] {
    if text.len() < MIN_LEN {
        return text;
    }
    let (groups, rest) = text.as_chunks::<GROUP>();
    let [r1, r2, r3, r4, r5, r6, r7, r8] = mac.powers_to_8();
    // SAFETY: the caller has checked the processor.
    unsafe {
        let step = Factor::new([r8; 8]);
        let mut sum = Limbs::of_first(mac.sum());
        let mut is_first = true;
        for group in groups {
            if !is_first {
                sum = sum.times(&step);
            }
            is_first = false;
            sum = sum.plus(Limbs::of_group(group));
        }
        // In the order of the blocks that `of_group` leaves.
        let last = Factor::new([r8, r4, r7, r3, r6, r2, r5, r1]);
        mac.set_sum(sum.times(&last).total());
    }
    rest
}

/// The limbs of eight numbers.
#[derive(Clone, Copy)]
struct Limbs([__m512i; 3]);

/// A factor, and what it is modulo 2^130 - 5 after a wrap: 20 times its upper limbs.
struct Factor {
    limbs: [__m512i; 3],
    wrapped: [__m512i; 2],
}

impl Factor {
    #[inline(always)]
    unsafe fn new(numbers: [Number; 8]) -> Self {
        let limb = |at: usize, factor: u64| {
            let [a, b, c, d, e, f, g, h] =
                numbers.map(|number| (number.0[at] * factor).cast_signed());
            // SAFETY: the caller has checked the processor.
            unsafe { _mm512_setr_epi64(a, b, c, d, e, f, g, h) }
        };
        Self { limbs: [limb(0, 1), limb(1, 1), limb(2, 1)], wrapped: [limb(1, 20), limb(2, 20)] }
    }
}

impl Limbs {
    /// A number in the first place, zeros in the others.
    #[inline(always)]
    unsafe fn of_first(number: Number) -> Self {
        let limb = |limb: u64| {
            // SAFETY: the caller has checked the processor.
            unsafe { _mm512_setr_epi64(limb.cast_signed(), 0, 0, 0, 0, 0, 0, 0) }
        };
        Self(number.0.map(limb))
    }

    /// The blocks 0, 4, 1, 5, 2, 6, 3 and 7 of a group, with a bit after each.
    #[inline(always)]
    unsafe fn of_group(group: &[u8; GROUP]) -> Self {
        // SAFETY: the caller has checked the processor; a group has two registers.
        unsafe {
            let front = _mm512_loadu_si512(group.as_ptr().cast());
            let back = _mm512_loadu_si512(group.as_ptr().wrapping_add(GROUP / 2).cast());
            let low = _mm512_unpacklo_epi64(front, back);
            let high = _mm512_unpackhi_epi64(front, back);
            let mask = splat(LIMB);
            let middle =
                _mm512_or_si512(_mm512_srli_epi64::<44>(low), _mm512_slli_epi64::<20>(high));
            Self([
                _mm512_and_si512(low, mask),
                _mm512_and_si512(middle, mask),
                _mm512_or_si512(_mm512_srli_epi64::<24>(high), splat(1 << 40)),
            ])
        }
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        let Self([a, b, c]) = self;
        let Self([d, e, f]) = other;
        // SAFETY: the caller has checked the processor.
        unsafe { Self([_mm512_add_epi64(a, d), _mm512_add_epi64(b, e), _mm512_add_epi64(c, f)]) }
    }

    /// The products, with limbs of 44 bits, the middle one a little more.
    #[inline(always)]
    unsafe fn times(self, factor: &Factor) -> Self {
        let Self([a, b, c]) = self;
        let [d, e, f] = factor.limbs;
        let [e20, f20] = factor.wrapped;
        // SAFETY: the caller has checked the processor. All factors are below 2^52.
        unsafe {
            let (low_0, high_0) = sum_of_products([(a, d), (b, f20), (c, e20)]);
            let (low_1, high_1) = sum_of_products([(a, e), (b, d), (c, f20)]);
            let (low_2, high_2) = sum_of_products([(a, f), (b, e), (c, d)]);
            // 2^52 is 2^8 of the next limb's unit; after the last one follow 20 times the first.
            let wrapped =
                _mm512_add_epi64(_mm512_slli_epi64::<12>(high_2), _mm512_slli_epi64::<10>(high_2));
            let low = _mm512_add_epi64(low_0, wrapped);
            let middle = _mm512_add_epi64(low_1, _mm512_slli_epi64::<8>(high_0));
            let high = _mm512_add_epi64(low_2, _mm512_slli_epi64::<8>(high_1));

            let middle = _mm512_add_epi64(middle, _mm512_srli_epi64::<44>(low));
            let high = _mm512_add_epi64(high, _mm512_srli_epi64::<44>(middle));
            let carry = _mm512_srli_epi64::<42>(high);
            let by_5 = _mm512_add_epi64(carry, _mm512_slli_epi64::<2>(carry));
            let mask = splat(LIMB);
            let low = _mm512_add_epi64(_mm512_and_si512(low, mask), by_5);
            let middle =
                _mm512_add_epi64(_mm512_and_si512(middle, mask), _mm512_srli_epi64::<44>(low));
            Self([_mm512_and_si512(low, mask), middle, _mm512_and_si512(high, splat(TOP_LIMB))])
        }
    }

    /// The sum of the eight numbers.
    #[inline(always)]
    unsafe fn total(self) -> Number {
        // SAFETY: the caller has checked the processor.
        let limbs = self.0.map(|limb| unsafe { _mm512_reduce_add_epi64(limb) }.cast_unsigned());
        Number(limbs).carried()
    }
}

/// The sums of the lower 52 bits of products, and of the upper ones.
#[inline(always)]
unsafe fn sum_of_products(factors: [(__m512i, __m512i); 3]) -> (__m512i, __m512i) {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let (mut low, mut high) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (left, right) in factors {
            low = _mm512_madd52lo_epu64(low, left, right);
            high = _mm512_madd52hi_epu64(high, left, right);
        }
        (low, high)
    }
}

#[inline(always)]
unsafe fn splat(number: u64) -> __m512i {
    // SAFETY: the caller has checked the processor.
    unsafe { _mm512_set1_epi64(number.cast_signed()) }
}
