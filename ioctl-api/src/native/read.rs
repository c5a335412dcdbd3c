//! Records of the native ABI, checked: header, size, reserved fields.

use core::mem::offset_of;

use super::VERSION;
use super::records::{Header, Kind};
use crate::bytes::{array, u16_at, u32_at};
use crate::values::AdapterId;
use crate::{DecodeError, DecodeErrorKind};

/// The kind of the record at `start`, if a header is there.
pub(super) fn kind_at(bytes: &[u8], start: usize) -> Option<u16> {
    u16_at(bytes, start.checked_add(offset_of!(Header, kind))?).ok()
}

/// The whole record at `start`, which must be of this kind and at least this size.
pub(super) fn record(
    bytes: &[u8],
    start: usize,
    kind: Kind,
    known_bytes: usize,
) -> Result<&[u8], DecodeError> {
    let record = any_record(bytes, start)?;
    if kind_at(bytes, start) != Some(kind as u16) {
        return Err(DecodeError::new(DecodeErrorKind::UnexpectedRecord, start));
    }
    let Some((known, unknown)) = record.split_at_checked(known_bytes) else {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, start));
    };
    if unknown.iter().any(|&byte| byte != 0) {
        let offset = start.saturating_add(known.len());
        return Err(DecodeError::new(DecodeErrorKind::UnsupportedVersion, offset));
    }
    Ok(record)
}

/// The record at `start`, of any kind, with its version and size checked.
pub(super) fn any_record(bytes: &[u8], start: usize) -> Result<&[u8], DecodeError> {
    let header: &[u8; Header::SIZE] = array(bytes, start)?;
    let size = u32_at(header, offset_of!(Header, size))?;
    if u16_at(header, offset_of!(Header, version))? != VERSION {
        return Err(DecodeError::new(DecodeErrorKind::UnsupportedVersion, start));
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size < Header::SIZE || !size.is_multiple_of(8) {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, start));
    }
    start
        .checked_add(size)
        .and_then(|end| bytes.get(start..end))
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, start))
}

/// Checks a request that consists of exactly one record.
pub(super) fn single(input: &[u8], kind: Kind, known_bytes: usize) -> Result<(), DecodeError> {
    let record = record(input, 0, kind, known_bytes)?;
    if record.len() != input.len() {
        return Err(DecodeError::new(DecodeErrorKind::BadSize, record.len()));
    }
    Ok(())
}

/// The GUID at `offset`; `None` for zeroes, the adapter of the device.
pub(super) fn adapter(bytes: &[u8], offset: usize) -> Result<Option<AdapterId>, DecodeError> {
    let guid = AdapterId(*array(bytes, offset)?);
    Ok((guid != AdapterId::default()).then_some(guid))
}

/// Refuses reserved bytes that are not zero.
pub(super) fn require_zero(bytes: &[u8], offset: usize, length: usize) -> Result<(), DecodeError> {
    let reserved = bytes.get(offset..).and_then(|tail| tail.get(..length));
    let reserved = reserved.ok_or(DecodeError::new(DecodeErrorKind::Truncated, offset))?;
    if reserved.iter().any(|&byte| byte != 0) {
        return Err(DecodeError::new(DecodeErrorKind::ReservedNotZero, offset));
    }
    Ok(())
}
