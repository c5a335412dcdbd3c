//! Loads and stores of less than a register. They access only the bytes that are wanted.

use core::ptr;

/// A load at `32 - n` keeps the first `n` bytes of a register of 32 bytes, one at `48 - n` those of
/// 16 bytes.
static KEPT: [u8; 64] = {
    let mut kept = [0; 64];
    let mut at = 0;
    while at < 32 {
        kept[at] = 0xff;
        at += 1;
    }
    kept
};

/// Of 16 bytes.
pub(super) mod partial_128 {
    use core::arch::x86_64::{__m128i, _mm_and_si128, _mm_loadu_si128, _mm_set_epi64x};

    use super::{KEPT, ptr};

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn load(from: *const u8, len: usize) -> __m128i {
        // SAFETY: the caller has checked the processor, and `from` has `len` bytes. The two reads
        // of a branch overlap, or meet.
        unsafe {
            let (low, high) = if len >= 16 {
                return _mm_loadu_si128(from.cast());
            } else if len > 8 {
                let high = read_u64(from.wrapping_add(len - 8));
                (read_u64(from), high >> (8 * (16 - len)))
            } else if len == 8 {
                (read_u64(from), 0)
            } else if len >= 4 {
                let high = u64::from(read_u32(from.wrapping_add(len - 4)));
                (u64::from(read_u32(from)) | high << (8 * (len - 4)), 0)
            } else {
                let mut bytes = [0; 8];
                ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), len);
                (u64::from_le_bytes(bytes), 0)
            };
            _mm_set_epi64x(high.cast_signed(), low.cast_signed())
        }
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn store(value: __m128i, to: *mut u8, len: usize) {
        let mut bytes = [0; 16];
        // SAFETY: the caller has checked the processor, and `to` has `len` bytes.
        unsafe {
            core::arch::x86_64::_mm_storeu_si128(bytes.as_mut_ptr().cast(), value);
            if len >= 16 {
                ptr::write_unaligned(to.cast(), bytes);
            } else if len >= 8 {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, 8);
                let last = len - 8;
                ptr::copy_nonoverlapping(
                    bytes.as_ptr().wrapping_add(last),
                    to.wrapping_add(last),
                    8,
                );
            } else if len >= 4 {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, 4);
                let last = len - 4;
                ptr::copy_nonoverlapping(
                    bytes.as_ptr().wrapping_add(last),
                    to.wrapping_add(last),
                    4,
                );
            } else {
                ptr::copy_nonoverlapping(bytes.as_ptr(), to, len);
            }
        }
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn keep(value: __m128i, len: usize) -> __m128i {
        // SAFETY: the caller has checked the processor; `len` is at most 16.
        unsafe {
            let kept = KEPT.as_ptr().wrapping_add(32 - len);
            _mm_and_si128(value, _mm_loadu_si128(kept.cast()))
        }
    }

    #[inline(always)]
    unsafe fn read_u64(from: *const u8) -> u64 {
        // SAFETY: the caller's.
        unsafe { ptr::read_unaligned(from.cast()) }
    }

    #[inline(always)]
    unsafe fn read_u32(from: *const u8) -> u32 {
        // SAFETY: the caller's.
        unsafe { ptr::read_unaligned(from.cast()) }
    }
}

/// Of 32 bytes.
pub(super) mod partial_256 {
    use core::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm_storeu_si128, _mm256_and_si256, _mm256_castsi256_si128,
        _mm256_extracti128_si256, _mm256_loadu_si256, _mm256_set_m128i, _mm256_zextsi128_si256,
    };

    use super::{KEPT, partial_128};

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn load(from: *const u8, len: usize) -> __m256i {
        // SAFETY: the caller has checked the processor, and `from` has `len` bytes.
        unsafe {
            if len <= 16 {
                return _mm256_zextsi128_si256(partial_128::load(from, len));
            }
            let high = partial_128::load(from.wrapping_add(16), len - 16);
            _mm256_set_m128i(high, _mm_loadu_si128(from.cast()))
        }
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn store(value: __m256i, to: *mut u8, len: usize) {
        // SAFETY: the caller has checked the processor, and `to` has `len` bytes.
        unsafe {
            let low = _mm256_castsi256_si128(value);
            if len <= 16 {
                return partial_128::store(low, to, len);
            }
            _mm_storeu_si128(to.cast(), low);
            let high = _mm256_extracti128_si256::<1>(value);
            partial_128::store(high, to.wrapping_add(16), len - 16);
        }
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn keep(value: __m256i, len: usize) -> __m256i {
        // SAFETY: the caller has checked the processor; `len` is at most 32.
        unsafe {
            let kept = KEPT.as_ptr().wrapping_add(32 - len);
            _mm256_and_si256(value, _mm256_loadu_si256(kept.cast()))
        }
    }
}

/// Of 64 bytes.
pub(super) mod partial_512 {
    use core::arch::x86_64::{
        __m512i, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8, _mm512_maskz_mov_epi8,
    };

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn load(from: *const u8, len: usize) -> __m512i {
        // SAFETY: the caller has checked the processor; what the mask leaves out is not accessed.
        unsafe { _mm512_maskz_loadu_epi8(mask(len), from.cast()) }
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn store(value: __m512i, to: *mut u8, len: usize) {
        // SAFETY: the caller has checked the processor; what the mask leaves out is not accessed.
        unsafe { _mm512_mask_storeu_epi8(to.cast(), mask(len), value) };
    }

    #[inline(always)]
    pub(in crate::backend::x86) unsafe fn keep(value: __m512i, len: usize) -> __m512i {
        // SAFETY: the caller has checked the processor.
        unsafe { _mm512_maskz_mov_epi8(mask(len), value) }
    }

    /// The lowest `len` bits, 1 to 64.
    #[inline(always)]
    fn mask(len: usize) -> u64 {
        u64::MAX >> (64 - len)
    }
}
