//! Blocks of ChaCha20 (RFC 8439, 2.3), one in each lane.

use crate::NONCE_LEN;
use crate::backend::x86::lanes::Lanes;

/// "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// The first 12 words of every block of a key, and the nonce of a packet.
pub(super) struct Words<'k> {
    pub(super) key: &'k [u32; 8],
    pub(super) nonce: [u32; 3],
}

impl<'k> Words<'k> {
    pub(super) fn new(key: &'k [u32; 8], nonce: &[u8; NONCE_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *nonce;
        let word = u32::from_le_bytes;
        Self { key, nonce: [word([a, b, c, d]), word([e, f, g, h]), word([i, j, k, l])] }
    }

    /// The keystream of as many blocks as there are lanes, from number `counter` on.
    #[inline(always)]
    pub(super) unsafe fn blocks<L: Lanes>(&self, counter: u32) -> [L; 16] {
        // SAFETY: the caller has checked the processor.
        unsafe {
            let first = self.first::<L>(counter);
            let mut rows = first;
            for _ in 0..10 {
                quarter::<L, 0, 4, 8, 12>(&mut rows);
                quarter::<L, 1, 5, 9, 13>(&mut rows);
                quarter::<L, 2, 6, 10, 14>(&mut rows);
                quarter::<L, 3, 7, 11, 15>(&mut rows);
                quarter::<L, 0, 5, 10, 15>(&mut rows);
                quarter::<L, 1, 6, 11, 12>(&mut rows);
                quarter::<L, 2, 7, 8, 13>(&mut rows);
                quarter::<L, 3, 4, 9, 14>(&mut rows);
            }
            // Made anew, as there are no registers to keep it.
            let first = self.first::<L>(counter);
            for (row, first) in rows.iter_mut().zip(first) {
                *row = row.add(first);
            }
            L::blocks([
                transposed(rows[0], rows[1], rows[2], rows[3]),
                transposed(rows[4], rows[5], rows[6], rows[7]),
                transposed(rows[8], rows[9], rows[10], rows[11]),
                transposed(rows[12], rows[13], rows[14], rows[15]),
            ])
        }
    }

    #[inline(always)]
    unsafe fn first<L: Lanes>(&self, counter: u32) -> [L; 16] {
        // SAFETY: the caller has checked the processor.
        unsafe {
            let mut rows = [L::of_word(0); 16];
            let words = CONSTANTS.iter().chain(self.key);
            for (row, word) in rows.iter_mut().zip(words) {
                *row = L::of_word(*word);
            }
            rows[12] = L::of_word(counter).add(L::numbers());
            for (row, word) in rows[13..].iter_mut().zip(self.nonce) {
                *row = L::of_word(word);
            }
            rows
        }
    }
}

/// A quarter round of four rows.
#[inline(always)]
unsafe fn quarter<L: Lanes, const A: usize, const B: usize, const C: usize, const D: usize>(
    rows: &mut [L; 16],
) {
    // SAFETY: the caller has checked the processor.
    unsafe {
        rows[A] = rows[A].add(rows[B]);
        rows[D] = rows[D].xor(rows[A]).rotate_16();
        rows[C] = rows[C].add(rows[D]);
        rows[B] = rows[B].xor(rows[C]).rotate_12();
        rows[A] = rows[A].add(rows[B]);
        rows[D] = rows[D].xor(rows[A]).rotate_8();
        rows[C] = rows[C].add(rows[D]);
        rows[B] = rows[B].xor(rows[C]).rotate_7();
    }
}

/// Transposes each 4 by 4 words.
#[inline(always)]
unsafe fn transposed<L: Lanes>(a: L, b: L, c: L, d: L) -> [L; 4] {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let (front_low, front_high) = (a.low_words(b), a.high_words(b));
        let (back_low, back_high) = (c.low_words(d), c.high_words(d));
        [
            front_low.low_halves(back_low),
            front_low.high_halves(back_low),
            front_high.low_halves(back_high),
            front_high.high_halves(back_high),
        ]
    }
}
