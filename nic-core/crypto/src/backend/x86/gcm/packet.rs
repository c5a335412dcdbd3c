//! One packet: counter mode and hash of a group of registers at a time, then of the rest.

use core::arch::x86_64::_mm_set_epi64x;

use subtle::ConstantTimeEq;

use super::ghash::{Hash, Sum};
use super::rounds::{self, Counters, encrypt, encrypt_block, opaque};
use crate::backend::cursor::Cursor;
use crate::backend::expanded_key::ExpandedKey;
use crate::backend::x86::register::Register;
use crate::{NONCE_LEN, Open, Seal, Sealing, TAG_LEN, Verdict};

/// The longest plaintext of GCM, in bytes (SP 800-38D, 5.2.1.1).
const MAX_LEN: u64 = (1 << 36) - 32;

/// The size of the largest group, in bytes.
const MAX_GROUP_LEN: usize = 256;

/// Memory for a group that lies in several fragments. A batch has one.
#[repr(align(64))]
pub(super) struct Stage([u8; MAX_GROUP_LEN]);

impl Stage {
    pub(super) fn new() -> Self {
        Self([0; MAX_GROUP_LEN])
    }
}

/// Seals `packet`.
#[inline(always)]
pub(super) unsafe fn seal<R: Register, const GROUP: usize, const ROUNDS: usize>(
    key: &ExpandedKey,
    stage: &mut Stage,
    packet: &mut Seal<'_>,
) {
    let len = packet.output.len();
    if !packet.source.fits(len) || len as u64 > MAX_LEN {
        return packet.refuse();
    }
    let text = Text {
        input: Cursor::new(packet.source, packet.output),
        output: packet.output.as_mut_ptr(),
        len,
    };
    // SAFETY: the caller has checked the processor; the text is the packet's.
    *packet.tag =
        unsafe { crypt::<R, GROUP, ROUNDS, false>(key, &packet.nonce, packet.aad, text, stage) };
    packet.sealing = Sealing::Sealed;
}

/// Opens `packet`. The plaintext is wiped if the tag is wrong.
#[inline(always)]
pub(super) unsafe fn open<R: Register, const GROUP: usize, const ROUNDS: usize>(
    key: &ExpandedKey,
    stage: &mut Stage,
    packet: &mut Open<'_>,
) {
    let len = packet.output.len();
    if !packet.source.fills(len) {
        return packet.refuse(Verdict::Malformed);
    }
    if len as u64 > MAX_LEN {
        return packet.refuse(Verdict::Forged);
    }
    let text = Text {
        input: Cursor::new(packet.source, packet.output),
        output: packet.output.as_mut_ptr(),
        len,
    };
    // SAFETY: the caller has checked the processor; the text is the packet's.
    let tag =
        unsafe { crypt::<R, GROUP, ROUNDS, true>(key, &packet.nonce, packet.aad, text, stage) };
    if are_equal(tag, packet.tag) {
        packet.verdict = Verdict::Authentic;
    } else {
        packet.refuse(Verdict::Forged);
    }
}

/// Compares two tags in constant time, by halves: byte by byte it would take as long as hashing
/// some blocks.
#[inline(always)]
fn are_equal(tag: [u8; TAG_LEN], other: [u8; TAG_LEN]) -> bool {
    let halves = |tag: [u8; TAG_LEN]| {
        let tag = u128::from_ne_bytes(tag);
        (tag as u64, (tag >> 64) as u64)
    };
    let ((low, high), (other_low, other_high)) = (halves(tag), halves(other));
    ((low ^ other_low) | (high ^ other_high)).ct_eq(&0).into()
}

/// The input of a packet and the place of its output, both `len` bytes long.
struct Text<'a> {
    input: Cursor<'a>,
    output: *mut u8,
    len: usize,
}

/// Encrypts or decrypts the text, and returns the tag.
#[inline(always)]
unsafe fn crypt<R: Register, const GROUP: usize, const ROUNDS: usize, const OPEN: bool>(
    key: &ExpandedKey,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    mut text: Text<'_>,
    stage: &mut Stage,
) -> [u8; TAG_LEN] {
    let group_len = 16 * R::BLOCKS * GROUP;
    let lengths = [aad.len() as u64 * 8, text.len as u64 * 8].map(u64::cast_signed);
    // SAFETY: the caller has checked the processor. Pointers advance over `len` bytes of the text,
    // group by group and then the rest.
    unsafe {
        let (mut counters, first) = Counters::<R>::new(nonce);
        let mask = encrypt_block::<ROUNDS>(key, first);
        let mut hash = Hash::new(key, aad);

        // Where the hash of a sealed packet lags one group behind.
        let mut unhashed = false;
        while text.len >= group_len {
            let key = opaque(key);
            let from = text.input.take(group_len, &mut stage.0);
            let mut states = counters.take::<GROUP>(key);
            if OPEN {
                let blocks = load::<R, GROUP>(from);
                hash = encrypt_and_hash::<R, GROUP, ROUNDS>(key, &mut states, &blocks, hash);
                store_xor(&states, &blocks, text.output);
            } else {
                if unhashed {
                    let blocks = load::<R, GROUP>(text.output.wrapping_sub(group_len));
                    hash = encrypt_and_hash::<R, GROUP, ROUNDS>(key, &mut states, &blocks, hash);
                } else {
                    encrypt::<R, GROUP, ROUNDS>(key, &mut states);
                    unhashed = true;
                }
                store_xor(&states, &load::<R, GROUP>(from), text.output);
            }
            text.output = text.output.wrapping_add(group_len);
            text.len -= group_len;
        }
        if unhashed {
            let blocks = load::<R, GROUP>(text.output.wrapping_sub(group_len));
            let mut sum = Sum::new(key, hash, R::BLOCKS * GROUP);
            for (number, block) in blocks.iter().enumerate() {
                sum.add(key, *block, R::BLOCKS * (GROUP - number));
            }
            hash = Hash::of(sum.reduce());
        }

        let mut sum = Sum::<R>::new(key, hash, text.len.div_ceil(16) + 1);
        sum.add_last(key, _mm_set_epi64x(lengths[0], lengths[1]));
        if text.len != 0 {
            let from = text.input.take(text.len, &mut stage.0);
            let rest = Rest { key, counters, from, output: text.output, len: text.len, sum };
            sum = match text.len.div_ceil(16 * R::BLOCKS) {
                1 => rest.crypt::<1, ROUNDS, OPEN>(),
                2 => rest.crypt::<2, ROUNDS, OPEN>(),
                3 => rest.crypt::<3, ROUNDS, OPEN>(),
                4 => rest.crypt::<4, ROUNDS, OPEN>(),
                5 if GROUP >= 5 => rest.crypt::<5, ROUNDS, OPEN>(),
                6 if GROUP >= 6 => rest.crypt::<6, ROUNDS, OPEN>(),
                7 if GROUP >= 7 => rest.crypt::<7, ROUNDS, OPEN>(),
                _ => rest.crypt::<GROUP, ROUNDS, OPEN>(),
            };
        }
        let mut tag = [0; TAG_LEN];
        sum.reduce().reverse().xor(mask).store(tag.as_mut_ptr());
        tag
    }
}

/// The rounds of a group and the hash of another, interleaved: they need different units of the
/// processor.
#[inline(always)]
unsafe fn encrypt_and_hash<R: Register, const GROUP: usize, const ROUNDS: usize>(
    key: &ExpandedKey,
    states: &mut [R; GROUP],
    blocks: &[R; GROUP],
    hash: Hash,
) -> Hash {
    // SAFETY: the caller has checked the processor.
    unsafe {
        let mut sum = Sum::new(key, hash, R::BLOCKS * GROUP);
        for round in 1..ROUNDS {
            rounds::round(key, states, round);
            if let Some(block) = blocks.get(round - 1) {
                sum.add(key, *block, R::BLOCKS * (GROUP + 1 - round));
            }
        }
        rounds::last::<R, GROUP, ROUNDS>(key, states);
        Hash::of(sum.reduce())
    }
}

#[inline(always)]
unsafe fn load<R: Register, const GROUP: usize>(from: *const u8) -> [R; GROUP] {
    // SAFETY: the caller has checked the processor, and passes a whole group.
    unsafe {
        let mut blocks = [R::zero(); GROUP];
        for (number, block) in blocks.iter_mut().enumerate() {
            *block = R::load(from.wrapping_add(16 * R::BLOCKS * number));
        }
        blocks
    }
}

/// Writes the exclusive or of both.
#[inline(always)]
unsafe fn store_xor<R: Register, const GROUP: usize>(
    states: &[R; GROUP],
    blocks: &[R; GROUP],
    to: *mut u8,
) {
    // SAFETY: the caller has checked the processor, and passes room for a whole group.
    unsafe {
        for (number, (state, block)) in states.iter().zip(blocks).enumerate() {
            state.xor(*block).store(to.wrapping_add(16 * R::BLOCKS * number));
        }
    }
}

/// The end of a packet: 1 byte to a group less one.
struct Rest<'k, R> {
    key: &'k ExpandedKey,
    counters: Counters<R>,
    from: *const u8,
    output: *mut u8,
    len: usize,
    sum: Sum<R>,
}

impl<R: Register> Rest<'_, R> {
    /// Encrypts or decrypts the rest, which is `COUNT` registers, the last one perhaps not full.
    /// Returns the sum with the rest's ciphertext.
    #[inline(always)]
    unsafe fn crypt<const COUNT: usize, const ROUNDS: usize, const OPEN: bool>(mut self) -> Sum<R> {
        self.key = opaque(self.key);
        let register_len = 16 * R::BLOCKS;
        let last_len = self.len - register_len * (COUNT - 1);
        // SAFETY: the caller has checked the processor; `from` and `output` have `len` bytes.
        unsafe {
            let mut blocks = self.len.div_ceil(16) + 1;
            let mut states = self.counters.take::<COUNT>(self.key);
            encrypt::<R, COUNT, ROUNDS>(self.key, &mut states);
            for (number, state) in states.iter().enumerate() {
                let from = self.from.wrapping_add(register_len * number);
                let output = self.output.wrapping_add(register_len * number);
                let ciphertext = if number + 1 < COUNT {
                    let input = R::load(from);
                    let result = state.xor(input);
                    result.store(output);
                    if OPEN { input } else { result }
                } else {
                    let input = R::load_partial(from, last_len);
                    let result = state.xor(input);
                    result.store_partial(output, last_len);
                    if OPEN { input } else { result.keep(last_len) }
                };
                self.sum.add(self.key, ciphertext, blocks);
                blocks = blocks.wrapping_sub(R::BLOCKS);
            }
            self.sum
        }
    }
}
