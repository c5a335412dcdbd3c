//! Flag words of records.

use bitflags::Flags;

use crate::bytes::u32_at;
use crate::{DecodeError, DecodeErrorKind};

/// Reads the flag word at `offset`. Bits without a meaning are refused.
pub(crate) fn flags_at<F: Flags<Bits = u32>>(
    bytes: &[u8],
    offset: usize,
) -> Result<F, DecodeError> {
    F::from_bits(u32_at(bytes, offset)?).ok_or(DecodeError::new(DecodeErrorKind::BadFlags, offset))
}
