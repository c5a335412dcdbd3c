//! One packet: its one-time key and the first blocks of keystream at once, then the rest.

use core::arch::x86_64::{__m128i, __m256i, __m512i};

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::rounds::Words;
use crate::backend::poly1305::Poly1305;
use crate::backend::x86::lanes::Lanes;
use crate::tier::Level;
use crate::{Open, Seal, Sealing, Verdict};

/// Bytes of a block.
const BLOCK: usize = 64;

/// The longest text: the counter has 32 bits, and block 0 is the one-time key's (RFC 8439, 2.8).
const MAX_LEN: u64 = (1 << 38) - BLOCK as u64;

/// Keystream that is not used where it is computed; wiped on drop. A batch has one.
#[repr(align(64))]
pub(super) struct Stage([u8; 16 * BLOCK]);

impl Stage {
    pub(super) fn new() -> Self {
        Self([0; 16 * BLOCK])
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The widest lanes of a tier.
pub(super) trait Width {
    const LEVEL: Level;

    /// Hashes the front of a text. Returns the rest.
    unsafe fn hash<'t>(mac: &mut Poly1305, text: &'t [u8]) -> &'t [u8];
}

/// Seals `packet`.
#[inline(always)]
pub(super) unsafe fn seal<W: Width>(key: &[u32; 8], stage: &mut Stage, packet: &mut Seal<'_>) {
    if packet.output.len() as u64 > MAX_LEN {
        return packet.refuse();
    }
    if !packet.gather() {
        return;
    }
    let words = Words::new(key, &packet.nonce);
    // SAFETY: the caller has checked the processor.
    unsafe {
        let (mac, rest) = begin::<W>(&words, stage, packet.output.len());
        apply::<W>(&words, stage, rest, packet.output);
        *packet.tag = mac.tag(packet.aad, packet.output, |mac, text| W::hash(mac, text));
    }
    packet.sealing = Sealing::Sealed;
}

/// Opens `packet`. The ciphertext is wiped if the tag is wrong.
#[inline(always)]
pub(super) unsafe fn open<W: Width>(key: &[u32; 8], stage: &mut Stage, packet: &mut Open<'_>) {
    if packet.output.len() as u64 > MAX_LEN {
        return packet.refuse(Verdict::Forged);
    }
    if !packet.gather() {
        return;
    }
    let words = Words::new(key, &packet.nonce);
    // SAFETY: the caller has checked the processor.
    unsafe {
        let (mac, rest) = begin::<W>(&words, stage, packet.output.len());
        let tag =
            u128::from_ne_bytes(mac.tag(packet.aad, packet.output, |mac, text| W::hash(mac, text)));
        let difference = tag ^ u128::from_ne_bytes(packet.tag);
        let is_authentic = (difference as u64 | (difference >> 64) as u64).ct_eq(&0);
        if !bool::from(is_authentic) {
            return packet.refuse(Verdict::Forged);
        }
        apply::<W>(&words, stage, rest, packet.output);
    }
    packet.verdict = Verdict::Authentic;
}

/// The first blocks of a packet's keystream in the stage, block 0 among them. Returns the MAC, and
/// the number of the first block that is not in the stage.
#[inline(always)]
unsafe fn begin<W: Width>(words: &Words<'_>, stage: &mut Stage, len: usize) -> (Poly1305, u32) {
    // SAFETY: the caller has checked the processor.
    let blocks = unsafe { fill::<W>(words, stage, 0, len.div_ceil(BLOCK) + 1) };
    let key = stage.0.first_chunk().unwrap_or(&[0; 32]);
    (Poly1305::new(key), blocks)
}

/// Computes blocks from number `first` on into the stage, in the narrowest lanes that hold `wanted`
/// blocks or else the widest. Returns how many there are.
#[inline(always)]
unsafe fn fill<W: Width>(words: &Words<'_>, stage: &mut Stage, first: u32, wanted: usize) -> u32 {
    // SAFETY: the caller has checked the processor.
    unsafe {
        if W::LEVEL >= Level::Avx512 && wanted > __m256i::COUNT {
            fill_by::<__m512i>(words, stage, first)
        } else if W::LEVEL >= Level::Avx2 && wanted > __m128i::COUNT {
            fill_by::<__m256i>(words, stage, first)
        } else {
            fill_by::<__m128i>(words, stage, first)
        }
    }
}

#[inline(always)]
unsafe fn fill_by<L: Lanes>(words: &Words<'_>, stage: &mut Stage, first: u32) -> u32 {
    // SAFETY: the caller has checked the processor; the stage holds the blocks of any lanes.
    unsafe {
        let mut to = stage.0.as_mut_ptr();
        for register in words.blocks::<L>(first) {
            register.store(to);
            to = to.wrapping_add(4 * L::COUNT);
        }
    }
    L::COUNT as u32
}

/// Encrypts or decrypts a text in place. The stage has the blocks before number `next`.
#[inline(always)]
unsafe fn apply<W: Width>(words: &Words<'_>, stage: &mut Stage, mut next: u32, text: &mut [u8]) {
    let staged = (next as usize - 1) * BLOCK;
    let (front, mut text) = text.split_at_mut(staged.min(text.len()));
    xor(front, stage.0.get(BLOCK..).unwrap_or_default());
    // SAFETY: the caller has checked the processor.
    unsafe {
        match W::LEVEL {
            Level::Avx512 => apply_by::<__m512i>(words, &mut next, &mut text),
            Level::Avx2 => apply_by::<__m256i>(words, &mut next, &mut text),
            Level::Sse | Level::Portable => apply_by::<__m128i>(words, &mut next, &mut text),
        }
        while !text.is_empty() {
            let blocks = fill::<W>(words, stage, next, text.len().div_ceil(BLOCK));
            let len = text.len().min(blocks as usize * BLOCK);
            let (front, rest) = text.split_at_mut(len);
            xor(front, &stage.0);
            text = rest;
            next = next.wrapping_add(blocks);
        }
    }
}

/// Encrypts or decrypts as many whole groups of lanes as the text has.
#[inline(always)]
unsafe fn apply_by<L: Lanes>(words: &Words<'_>, next: &mut u32, text: &mut &mut [u8]) {
    while text.len() >= BLOCK * L::COUNT {
        let (group, rest) = core::mem::take(text).split_at_mut(BLOCK * L::COUNT);
        // SAFETY: the caller has checked the processor; the group has the blocks of all lanes.
        unsafe {
            let mut at = group.as_mut_ptr();
            for register in words.blocks::<L>(*next) {
                L::load(at).xor(register).store(at);
                at = at.wrapping_add(4 * L::COUNT);
            }
        }
        *next = next.wrapping_add(L::COUNT as u32);
        *text = rest;
    }
}

#[inline(always)]
fn xor(text: &mut [u8], keystream: &[u8]) {
    text.iter_mut().zip(keystream).for_each(|(byte, mask)| *byte ^= mask);
}
