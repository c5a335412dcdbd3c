//! The frames of an x64 image's functions, from its unwind data.
//!
//! The kernel unwinds by the same data, so it describes a prologue exactly (Microsoft, "x64
//! exception handling").

use anyhow::{Context, Result, bail, ensure};

use crate::image::file::Image;
use crate::stack::{Frame, unwind_table};

/// RUNTIME_FUNCTION: begin, end, unwind information.
const ENTRY_BYTES: usize = 12;

/// The kinds of unwind codes (UNWIND_CODE).
const PUSH_NONVOL: u8 = 0;
const ALLOC_LARGE: u8 = 1;
const ALLOC_SMALL: u8 = 2;
const SET_FPREG: u8 = 3;
const SAVE_NONVOL: u8 = 4;
const SAVE_NONVOL_FAR: u8 = 5;
const SAVE_XMM128: u8 = 8;
const SAVE_XMM128_FAR: u8 = 9;

/// `UNW_FLAG_CHAININFO`: the entry continues another.
const CHAINED: u8 = 4;

/// All frames, by address.
pub(crate) fn read(image: &Image<'_>) -> Result<Vec<Frame>> {
    let mut frames = Vec::new();
    for entry in unwind_table(image)?.chunks_exact(ENTRY_BYTES) {
        let field = |at: usize| {
            u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
        };
        let (start, end) = (field(0), field(4));
        ensure!(start < end, "unwind data of an empty function at {start:#x}");
        let information = image.data_at(field(8))?;
        let bytes =
            frame_bytes(information).with_context(|| format!("unwind data of {start:#x}"))?;
        frames.push(Frame { start, end, bytes });
    }
    frames.sort_by_key(|frame| frame.start);
    Ok(frames)
}

/// The stack that the codes of an UNWIND_INFO allocate.
fn frame_bytes(information: &[u8]) -> Result<u32> {
    let byte = |at: usize| information.get(at).copied().context("it is cut");
    let (version, flags) = (byte(0)? & 7, byte(0)? >> 3);
    ensure!(version == 1, "its version is {version}");
    ensure!(flags & CHAINED == 0, "it continues another's");
    let codes = usize::from(byte(2)?);
    let slot = |index: usize| -> Result<u32> {
        Ok(u32::from(u16::from_le_bytes([byte(4 + 2 * index)?, byte(5 + 2 * index)?])))
    };
    let mut bytes: u32 = 0;
    let mut index = 0;
    while index < codes {
        let operation = byte(5 + 2 * index)?;
        let (kind, argument) = (operation & 0xf, operation >> 4);
        let (taken, slots) = match (kind, argument) {
            (PUSH_NONVOL, _) => (8, 1),
            (ALLOC_SMALL, size) => (8 * u32::from(size) + 8, 1),
            (ALLOC_LARGE, 0) => (8 * slot(index + 1)?, 2),
            (ALLOC_LARGE, _) => (slot(index + 1)? | slot(index + 2)? << 16, 3),
            (SET_FPREG, _) => (0, 1),
            (SAVE_NONVOL | SAVE_XMM128, _) => (0, 2),
            (SAVE_NONVOL_FAR | SAVE_XMM128_FAR, _) => (0, 3),
            _ => bail!("it has an unknown code {operation:#x}"),
        };
        bytes = bytes.checked_add(taken).context("it is too large")?;
        index += slots;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::frame_bytes;

    #[test]
    fn codes_are_added() {
        // push rbp, push rsi, sub rsp 0xc00, lea rbp: a large allocation of 0x180 * 8.
        let large = [1, 0, 5, 0, 0, 0x03, 0, 0x01, 0x80, 0x01, 0, 0x60, 0, 0x50];
        assert_eq!(frame_bytes(&large).unwrap(), 0xc00 + 16);
        // sub rsp 0x28.
        assert_eq!(frame_bytes(&[1, 4, 1, 0, 4, 0x42]).unwrap(), 0x28);
        // A larger one, in 32 bits.
        assert_eq!(frame_bytes(&[1, 0, 3, 0, 0, 0x11, 0, 0, 0x10, 0]).unwrap(), 0x10_0000);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(frame_bytes(&[1, 0, 1, 0, 0, 0x06]).is_err());
        assert!(frame_bytes(&[0x21, 0, 0, 0]).is_err());
        assert!(frame_bytes(&[1, 0, 2, 0, 0]).is_err());
    }
}
