//! Completes requests with answers of the native ABI.

use nt::Status;
use nt::irp::{Dispatched, Irp};
use tunic_ioctl::Encoded;

use crate::status::Refusal;

/// An upper bound of the bytes of LIST_ADAPTERS for `count` adapters, including the header.
pub(crate) fn adapters_bytes(count: usize) -> usize {
    /// An upper bound of one record.
    const RECORD_BYTES: usize = 512;
    count.saturating_add(1).saturating_mul(RECORD_BYTES)
}

/// Completes a request whose answer is one record; `None` if the record could not be encoded.
pub fn complete_fixed(mut irp: Irp, length: Option<usize>, answer: &[u8]) -> Dispatched {
    let record = length.and_then(|length| answer.get(..length));
    let result = record.ok_or(Status::UNSUCCESSFUL).and_then(|record| {
        irp.write_output(record)?;
        Ok(record.len())
    });
    match result {
        Ok(length) => irp.complete(Status::SUCCESS, length),
        Err(status) => irp.complete(status, 0),
    }
}

/// Completes a request whose answer may be truncated, which is the warning `BUFFER_OVERFLOW`.
pub fn complete_encoded(irp: Irp, result: Result<Encoded, Refusal>) -> Dispatched {
    match result {
        Ok(encoded) if encoded.is_complete() => {
            irp.complete(Status::SUCCESS, encoded.written_bytes)
        }
        Ok(encoded) => irp.complete(Status::BUFFER_OVERFLOW, encoded.written_bytes),
        Err(refusal) => irp.complete(refusal.status(), 0),
    }
}
