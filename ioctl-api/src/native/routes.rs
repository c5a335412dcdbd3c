//! The routes of an adapter as text: encoded by the driver, decoded by the SDK.

use core::fmt;
use core::mem::offset_of;
use core::str;

use super::encode::put_header;
use super::read::record;
use super::records::{Kind, Reply, Routes};
use super::reply::encode_reply;
use crate::bytes::{put, u32_at};
use crate::values::Encoded;
use crate::{DecodeError, DecodeErrorKind};

/// Offset of the text in an answer.
const TEXT: usize = Reply::SIZE + Routes::SIZE;

/// Encodes a [`Reply`] and a [`Routes`]. The text is written through [`fmt::Write`].
///
/// A text that does not fit is not returned in part: the answer is then the [`Reply`] alone.
pub struct RoutesEncoder<'o> {
    output: &'o mut [u8],
    text_bytes: usize,
}

impl<'o> RoutesEncoder<'o> {
    /// An answer without text.
    pub fn new(output: &'o mut [u8]) -> Self {
        Self { output, text_bytes: 0 }
    }

    /// Ends the answer. Less room than for a [`Reply`] leaves the output empty.
    pub fn finish(self) -> Encoded {
        let record_bytes = Routes::SIZE.saturating_add(self.text_bytes).checked_next_multiple_of(8);
        let record_bytes = record_bytes.unwrap_or(usize::MAX);
        let required_bytes = Reply::SIZE.saturating_add(record_bytes);
        let has_reply = self.output.len() >= Reply::SIZE;
        let mut written_bytes = if has_reply { Reply::SIZE } else { 0 };
        if let Some(answer) = self.output.get_mut(..required_bytes) {
            let text_end = TEXT.saturating_add(self.text_bytes);
            answer.get_mut(text_end..).unwrap_or_default().fill(0);
            let record = answer.get_mut(Reply::SIZE..).unwrap_or_default();
            record.get_mut(..Routes::SIZE).unwrap_or_default().fill(0);
            put_header(record, Kind::Routes, record_bytes);
            let text_bytes = u32::try_from(self.text_bytes).unwrap_or(u32::MAX);
            put(record, offset_of!(Routes, text_bytes), &text_bytes.to_le_bytes());
            written_bytes = required_bytes;
        }
        let required_bytes = required_bytes as u64;
        if written_bytes != 0 {
            put(self.output, 0, &encode_reply(required_bytes));
        }
        Encoded { required_bytes, written_bytes }
    }
}

impl fmt::Write for RoutesEncoder<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        put(self.output, TEXT.saturating_add(self.text_bytes), text.as_bytes());
        self.text_bytes = self.text_bytes.saturating_add(text.len());
        Ok(())
    }
}

/// Reads the text of a whole answer.
pub fn decode_routes(bytes: &[u8]) -> Result<&str, DecodeError> {
    let reply = record(bytes, 0, Kind::Reply, Reply::SIZE)?;
    let start = reply.len();
    let count_offset = start.saturating_add(offset_of!(Routes, text_bytes));
    let text_bytes = usize::try_from(u32_at(bytes, count_offset)?).unwrap_or(usize::MAX);
    let end = Routes::SIZE.saturating_add(text_bytes);
    let record = record(bytes, start, Kind::Routes, end)?;
    let text = record
        .get(Routes::SIZE..end)
        .ok_or(DecodeError::new(DecodeErrorKind::Truncated, count_offset))?;
    str::from_utf8(text)
        .map_err(|error| DecodeError::new(DecodeErrorKind::BadText, error.valid_up_to()))
}
