//! The frames of an ARM64 image's functions, from their instructions.
//!
//! Unwind data (Microsoft, "ARM64 exception handling") lists the functions with frames, and the
//! smallest size of each: after a frame pointer is set, it doesn't describe further allocations.

use anyhow::{Context, Result, bail, ensure};

use crate::image::file::Image;
use crate::stack::{Frame, unwind_table};

/// An entry of .pdata: where the function begins, and its unwind data or where that is.
const ENTRY_BYTES: usize = 8;

/// Packed unwind data: of a whole function, or of a part without prologue and epilogue.
const PACKED: u32 = 1;
const PACKED_PART: u32 = 2;

/// All frames, by address.
pub(crate) fn read(image: &Image<'_>) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for entry in unwind_table(image)?.chunks_exact(ENTRY_BYTES) {
        let (start, data) = (word(entry, 0)?, word(entry, 1)?);
        let frame = match data & 3 {
            0 => frame(image.data_at(data)?),
            PACKED | PACKED_PART => Ok(packed(data)),
            _ => bail!("unwind data of {start:#x} of an unknown kind"),
        };
        let (length, bytes) = frame.with_context(|| format!("unwind data of {start:#x}"))?;
        ensure!(length > 0, "unwind data of an empty function at {start:#x}");
        let code =
            image.data_at(start)?.get(..length as usize).context("a function that is cut")?;
        let taken = taken(code).with_context(|| format!("the code at {start:#x}"))?;
        ensure!(taken >= bytes, "{start:#x} takes {taken} bytes, and unwind data says {bytes}");
        frames.push(Frame { start, end: start + length, bytes: taken });
    }
    frames.sort_by_key(|frame| frame.start);
    Ok(frames)
}

fn word(data: &[u8], index: usize) -> Result<u32> {
    let word = data.get(4 * index..4 * index + 4).context("it is cut")?;
    Ok(u32::from_le_bytes(word.try_into()?))
}

/// The length of a function and the size of its frame, in bytes, from packed unwind data, which
/// counts instructions and units of 16 bytes.
fn packed(data: u32) -> (u32, u32) {
    (4 * (data >> 2 & 0x7ff), 16 * (data >> 23))
}

/// The same by an .xdata record.
fn frame(record: &[u8]) -> Result<(u32, u32)> {
    let head = word(record, 0)?;
    let (length, version, has_one_epilogue) = (head & 0x3_ffff, head >> 18 & 3, head >> 21 & 1);
    ensure!(version == 0, "its version is {version}");
    let (mut epilogues, mut code_words, mut words) = (head >> 22 & 0x1f, head >> 27, 1);
    if epilogues == 0 && code_words == 0 {
        let more = word(record, 1)?;
        (epilogues, code_words, words) = (more & 0xffff, more >> 16 & 0xff, 2);
    }
    // Otherwise this is the first code of the only epilogue.
    if has_one_epilogue == 0 {
        words += epilogues as usize;
    }
    let codes = record.get(4 * words..4 * (words + code_words as usize)).context("it is cut")?;
    Ok((4 * length, allocated(codes)?))
}

/// The stack that a function's instructions allocate, in bytes, as if none freed any.
fn taken(code: &[u8]) -> Result<u32> {
    let mut bytes: u32 = 0;
    // The argument of `__chkstk` in x15, in units of 16 bytes.
    let mut told = None;
    for word in code.chunks_exact(4) {
        let word = u32::from_le_bytes(word.try_into()?);
        let is = |mask: u32, bits: u32| word & mask == bits;
        let signed =
            |from: u32, count: u32| (word << (32 - from - count)).cast_signed() >> (32 - count);
        let taken = if is(0xff80_03ff, 0xd100_03ff) {
            // sub sp, sp, #
            (word >> 10 & 0xfff) << (12 * (word >> 22 & 1))
        } else if is(0x3bc0_03e0, 0x2980_03e0) {
            // A store of a pair with pre-index, of registers of 4, 8 or 16 bytes.
            let is_vector = word >> 26 & 1 == 1;
            let scale = 2 + if is_vector { word >> 30 } else { word >> 31 };
            lowered(signed(15, 7) << scale)
        } else if is(0x3b20_0fe0, 0x3800_0fe0) {
            lowered(signed(12, 9))
        } else if is(0xffff_ffff, 0xcb2f_73ff) {
            // sub sp, sp, x15, uxtx #4
            told.context("it takes what a register says")?
        } else {
            // Any other sub or and, except one that restores sp from a frame pointer
            let is_other = is(0xffe0_03ff, 0xcb20_03ff) || is(0xff80_001f, 0x9200_001f);
            ensure!(!is_other, "it takes what a register says");
            0
        };
        if is(0xffe0_001f, 0xd280_000f) {
            told = Some(16 * (word >> 5 & 0xffff));
        } else if is(0xff80_001f, 0xf280_000f) {
            told = None;
        }
        bytes = bytes.checked_add(taken).context("it is too large")?;
    }
    Ok(bytes)
}

/// The bytes by which an offset lowers the stack pointer.
fn lowered(offset: i32) -> u32 {
    u32::try_from(-offset).unwrap_or(0)
}

/// The stack that a prologue's codes allocate, in bytes. They come first, up to `end`.
fn allocated(codes: &[u8]) -> Result<u32> {
    let mut bytes: u32 = 0;
    let mut at = 0;
    loop {
        let code = |index: usize| codes.get(at + index).map(|code| u32::from(*code));
        let first = code(0).context("it has no end")?;
        let number = |length: usize| {
            (1..length).try_fold(first, |number, index| Some(number << 8 | code(index)?))
        };
        let (length, unit, offset_bits, is_pair_or_more) = match first {
            0x00..=0x1f => (1, 16, 5, 0),              // alloc_s
            0x20..=0x3f => (1, 8, 5, 0),               // save_r19r20_x
            0x40..=0x7f => (1, 0, 0, 0),               // save_fplr
            0x80..=0xbf => (1, 8, 6, 1),               // save_fplr_x
            0xc0..=0xc7 => (2, 16, 11, 0),             // alloc_m
            0xcc..=0xcf | 0xda..=0xdb => (2, 8, 6, 1), // save_regp_x, save_fregp_x
            0xd4..=0xd5 | 0xde => (2, 8, 5, 1),        // save_reg_x, save_freg_x
            // Saves within the frame.
            0xc8..=0xcb | 0xd0..=0xd3 | 0xd6..=0xd9 | 0xdc..=0xdd => (2, 0, 0, 0),
            0xe0 => (4, 16, 24, 0),                    // alloc_l
            0xe2 => (2, 0, 0, 0),                      // add_fp
            0xe1 | 0xe3 | 0xe6 | 0xfc => (1, 0, 0, 0), // set_fp, nop, save_next, pac_sign_lr
            0xe4 => return Ok(bytes),                  // end
            _ => bail!("it has an unknown code {first:#x}"),
        };
        let number = number(length).context("it is cut")?;
        let taken = unit * ((number & ((1 << offset_bits) - 1)) + is_pair_or_more);
        bytes = bytes.checked_add(taken).context("it is too large")?;
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_added() {
        // sub sp, #0x410; stp x29, x30, [sp, #0x20]; stp x19, x20, [sp, #-0x30]!: in the order of
        // unwinding.
        let codes = [0xc0, 0x41, 0x44, 0xcc, 0x05, 0xe4, 0xe3, 0xe3];
        assert_eq!(allocated(&codes).unwrap(), 0x410 + 0x30);
        assert_eq!(allocated(&[0xe0, 0, 1, 2, 0x26, 0x81, 0xe4]).unwrap(), 0x1020 + 0x30 + 0x10);
        assert_eq!(allocated(&[0x1f, 0xe4, 0x01]).unwrap(), 0x1f0);
    }

    #[test]
    fn instructions_are_added() {
        let bytes = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).collect()
        };
        // stp x19, x20, [sp, #-96]!; stp x29, x30, [sp, #80]; add x29, sp, #80; sub sp, sp, #736;
        // add sp, sp, #736
        let code = [0xa9ba_53f3, 0xa905_7bfd, 0x9101_43fd, 0xd10b_83ff, 0x910b_83ff];
        assert_eq!(taken(&bytes(&code)).unwrap(), 96 + 736);
        // str x30, [sp, #-16]!; stp d8, d9, [sp, #-32]!; sub sp, sp, #1, lsl #12; ldr x30, [sp],
        // #16
        let code = [0xf81f_0ffe, 0x6dbe_27e8, 0xd140_07ff, 0xf841_07fe];
        assert_eq!(taken(&bytes(&code)).unwrap(), 16 + 32 + 4096);
        // mov x15, #0x120; bl __chkstk; sub sp, sp, x15, lsl #4
        let code = [0xd280_240f, 0x9400_0000, 0xcb2f_73ff];
        assert_eq!(taken(&bytes(&code)).unwrap(), 0x1200);
        assert!(taken(&bytes(&code[1..])).is_err());
    }

    #[test]
    fn records_say_where_their_codes_are() {
        // 16 instructions; one epilogue in the head, with two words of codes; the same with one
        // epilogue beside the head.
        let codes = [0xc0, 0x41, 0x44, 0xcc, 0x05, 0xe4, 0xe3, 0xe3];
        let record = |words: &[u32]| -> Vec<u8> {
            words.iter().flat_map(|word| word.to_le_bytes()).chain(codes).collect()
        };
        assert_eq!(frame(&record(&[16 | 1 << 21 | 2 << 27])).unwrap(), (64, 0x440));
        assert_eq!(frame(&record(&[16 | 1 << 22 | 2 << 27, 12])).unwrap(), (64, 0x440));
        assert_eq!(frame(&record(&[16, 1 | 2 << 16, 12])).unwrap(), (64, 0x440));
        assert_eq!(packed(1 | 9 << 2 | 5 << 23), (36, 80));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(allocated(&[0xe5, 0xe4]).is_err());
        assert!(allocated(&[0xc0]).is_err());
        assert!(allocated(&[0x01]).is_err());
        assert!(frame(&[16, 0, 4, 0x10, 0xe4, 0, 0, 0]).is_err());
    }
}
