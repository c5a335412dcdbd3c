//! AES rounds on counter blocks.

use core::arch::asm;
use core::arch::x86_64::{__m128i, _mm_setr_epi32};

use crate::NONCE_LEN;
use crate::backend::expanded_key::ExpandedKey;
use crate::backend::x86::register::Register;

/// The counter blocks of a packet, with their bytes reversed: the counter is the lowest number.
pub(super) struct Counters<R> {
    next: R,
}

impl<R: Register> Counters<R> {
    /// Those of the text, and the first block, which encrypts the tag (SP 800-38D, 7.1).
    #[inline(always)]
    pub(super) unsafe fn new(nonce: &[u8; NONCE_LEN]) -> (Self, __m128i) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *nonce;
        // SAFETY: the caller has checked the processor.
        unsafe {
            let first = _mm_setr_epi32(
                i32::from_le_bytes([a, b, c, d]),
                i32::from_le_bytes([e, f, g, h]),
                i32::from_le_bytes([i, j, k, l]),
                1_i32.swap_bytes(),
            );
            let second = first.reverse().add(_mm_setr_epi32(1, 0, 0, 0));
            (Self { next: R::splat(second).add(R::ramp()) }, first)
        }
    }

    /// The next `COUNT` registers, ready for the first round.
    #[inline(always)]
    pub(super) unsafe fn take<const COUNT: usize>(&mut self, key: &ExpandedKey) -> [R; COUNT] {
        // SAFETY: the caller has checked the processor.
        unsafe {
            let step = R::splat(_mm_setr_epi32(R::BLOCKS as i32, 0, 0, 0));
            let first_key = round_key::<R>(key, 0);
            let mut states = [R::zero(); COUNT];
            for state in &mut states {
                *state = self.next.reverse().xor(first_key);
                self.next = self.next.add(step);
            }
            states
        }
    }
}

/// One round of every state.
#[inline(always)]
pub(super) unsafe fn round<R: Register, const COUNT: usize>(
    key: &ExpandedKey,
    states: &mut [R; COUNT],
    round: usize,
) {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let round_key = round_key::<R>(key, round);
        for state in states {
            *state = state.aes_round(round_key);
        }
    }
}

/// The last round of every state.
#[inline(always)]
pub(super) unsafe fn last<R: Register, const COUNT: usize, const ROUNDS: usize>(
    key: &ExpandedKey,
    states: &mut [R; COUNT],
) {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let round_key = round_key::<R>(key, ROUNDS);
        for state in states {
            *state = state.aes_last(round_key);
        }
    }
}

/// All rounds of every state.
#[inline(always)]
pub(super) unsafe fn encrypt<R: Register, const COUNT: usize, const ROUNDS: usize>(
    key: &ExpandedKey,
    states: &mut [R; COUNT],
) {
    // SAFETY: the caller has checked the processor.
    unsafe {
        for number in 1..ROUNDS {
            round(key, states, number);
        }
        last::<R, COUNT, ROUNDS>(key, states);
    }
}

/// Encrypts one block.
#[inline(always)]
pub(super) unsafe fn encrypt_block<const ROUNDS: usize>(
    key: &ExpandedKey,
    block: __m128i,
) -> __m128i {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let mut states = [block.xor(round_key(key, 0))];
        encrypt::<__m128i, 1, ROUNDS>(key, &mut states);
        states[0]
    }
}

/// The key of a round, in every block of the register.
#[inline(always)]
unsafe fn round_key<R: Register>(key: &ExpandedKey, round: usize) -> R {
    // SAFETY: the caller has checked the processor, and passes a round that the key has.
    unsafe { R::splat(__m128i::load(key.round_keys().wrapping_add(16 * round))) }
}

/// The same key. The compiler does not know that: it would keep every round key, widened, on the
/// stack.
#[inline(always)]
pub(super) fn opaque(key: &ExpandedKey) -> &ExpandedKey {
    let key: *const ExpandedKey = key;
    let mut address = key.addr();
    // SAFETY: it is no instruction.
    unsafe { asm!("/* {} */", inout(reg) address, options(nomem, nostack, preserves_flags)) };
    // SAFETY: the pointer is that of the argument.
    unsafe { &*key.with_addr(address) }
}
