//! Checked reads and writes at byte offsets; little-endian, as every supported target is.

use crate::{DecodeError, DecodeErrorKind, KEY_BYTES};

/// The `N` bytes at `offset`.
pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Result<&[u8; N], DecodeError> {
    bytes
        .get(offset..)
        .and_then(<[u8]>::first_chunk)
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, offset))
}

/// The byte at `offset`.
pub(crate) fn u8_at(bytes: &[u8], offset: usize) -> Result<u8, DecodeError> {
    array::<1>(bytes, offset).map(|&[byte]| byte)
}

/// The 16-bit word at `offset`.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Result<u16, DecodeError> {
    array(bytes, offset).map(|word| u16::from_le_bytes(*word))
}

/// The 32-bit word at `offset`.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Result<u32, DecodeError> {
    array(bytes, offset).map(|word| u32::from_le_bytes(*word))
}

/// The 64-bit word at `offset`.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Result<u64, DecodeError> {
    array(bytes, offset).map(|word| u64::from_le_bytes(*word))
}

/// Writes `value` at `offset`; nothing if it does not fit.
pub(crate) fn put(bytes: &mut [u8], offset: usize, value: &[u8]) {
    if let Some(field) = bytes.get_mut(offset..).and_then(|tail| tail.get_mut(..value.len())) {
        field.copy_from_slice(value);
    }
}

/// Whether a key is all zeroes, in constant time.
pub(crate) fn is_zero(key: &[u8; KEY_BYTES]) -> bool {
    key.iter().fold(0, |seen, byte| seen | byte) == 0
}
