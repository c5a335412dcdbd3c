//! What CPUID says of the processor.

use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use crate::tier::{Level, Processor};

// Intel's Software Developer's Manual, volume 2A, CPUID.
/// Leaf 1, ECX: PCLMULQDQ.
const PCLMULQDQ: u32 = 1 << 1;
/// Leaf 1, ECX: SSSE3 and SSE4.1.
const SSE: u32 = 1 << 9 | 1 << 19;
/// Leaf 1, ECX: AES-NI.
const AES: u32 = 1 << 25;
/// Leaf 1, ECX: OSXSAVE and AVX.
const AVX: u32 = 1 << 27 | 1 << 28;
/// Leaf 7, EBX: AVX2 and BMI2.
const AVX2: u32 = 1 << 5 | 1 << 8;
/// Leaf 7, EBX: AVX-512 F, DQ, BW and VL.
const AVX512: u32 = 1 << 16 | 1 << 17 | 1 << 30 | 1 << 31;
/// Leaf 7, EBX: AVX-512 IFMA.
const IFMA: u32 = 1 << 21;
/// Leaf 7, ECX: VAES and VPCLMULQDQ.
const VECTOR_AES: u32 = 1 << 9 | 1 << 10;
/// XCR0: XMM and YMM (volume 1, 13.3).
const YMM_STATE: u64 = 0x06;
/// XCR0: XMM, YMM, opmask and ZMM.
const ZMM_STATE: u64 = 0xe6;

/// Asks the processor.
pub(crate) fn detect() -> Processor {
    let has = |register: u32, bits: u32| register & bits == bits;
    let highest_leaf = __cpuid(0).eax;
    let basic = __cpuid(1).ecx;
    if !has(basic, SSE) {
        return Processor::PORTABLE;
    }
    let has_aes = has(basic, AES | PCLMULQDQ);
    let sse = Processor::new(Level::Sse, if has_aes { Level::Sse } else { Level::Portable });
    if highest_leaf < 7 || !has(basic, AVX) {
        return sse;
    }
    // SAFETY: OSXSAVE says that the instruction is enabled.
    let enabled = unsafe { xcr0() };
    let extended = __cpuid_count(7, 0);
    let has_avx2 = has(extended.ebx, AVX2) && enabled & YMM_STATE == YMM_STATE;
    if !has_avx2 {
        return sse;
    }
    let has_vector_aes = has_aes && has(extended.ecx, VECTOR_AES);
    let has_avx512 = has(extended.ebx, AVX512) && enabled & ZMM_STATE == ZMM_STATE;
    let wide = if has_avx512 { Level::Avx512 } else { Level::Avx2 };
    let gcm = match (has_aes, has_vector_aes) {
        (_, true) => wide,
        (true, false) => Level::Sse,
        (false, false) => Level::Portable,
    };
    let chacha = if has(extended.ebx, IFMA) { wide } else { Level::Avx2 };
    Processor::new(chacha, gcm)
}

#[target_feature(enable = "xsave")]
unsafe fn xcr0() -> u64 {
    // SAFETY: the caller has checked the processor.
    unsafe { _xgetbv(0) }
}
