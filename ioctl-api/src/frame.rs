//! Requests over a stream: the protocol of the SDK and `tunicd` on `/var/run/tunic/IFACE.sock`.
//!
//! A connection is one open file on the adapter's device. First the server sends the status of the
//! open: a [`ReplyHeader`] of id 0 without data. Then the client sends requests, each a
//! [`RequestHeader`], the first buffer, and the second buffer if [`RequestHeader::sends_output`].
//! Each request except a cancel is answered once, in any order: a [`ReplyHeader`], then its data.
//! The end of the connection closes the file, which cancels its pending requests. Words are
//! little-endian.

use crate::bytes::{put, u32_at, u64_at};
use crate::code::{Method, method};

/// The first word of every request: "TNC2".
pub const MAGIC: u32 = u32::from_le_bytes(*b"TNC2");

/// The maximum size of a buffer in bytes.
pub const MAX_BUFFER_BYTES: u32 = 256 << 20;

/// The maximum number of unanswered requests of a connection; one more ends it.
pub const MAX_REQUESTS: usize = 256;

/// An operation on the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An IOCTL.
    Ioctl {
        /// The control code.
        code: u32,
    },
    /// A read into the second buffer.
    Read,
    /// A write of the first buffer.
    Write,
    /// Cancels the request of this id. That request is answered, as cancelled or not; the cancel
    /// has no answer.
    Cancel,
}

/// The header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Chosen by the client: not 0, and unique among its unanswered requests.
    pub id: u64,
    /// The operation.
    pub operation: Operation,
    /// Bytes of the first buffer, which follow.
    pub input_bytes: u32,
    /// Bytes of the second buffer, which follow if [`RequestHeader::sends_output`].
    pub output_bytes: u32,
}

impl RequestHeader {
    /// Encoded size in bytes.
    pub const SIZE: usize = 32;

    /// Decodes a header; `None` if it is malformed or a buffer is too large.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        if u32_at(bytes, 0).ok()? != MAGIC || u32_at(bytes, 28).ok()? != 0 {
            return None;
        }
        let header = Self {
            id: u64_at(bytes, 8).ok()?,
            operation: match (u32_at(bytes, 4).ok()?, u32_at(bytes, 16).ok()?) {
                (1, code) => Operation::Ioctl { code },
                (2, 0) => Operation::Read,
                (3, 0) => Operation::Write,
                (4, 0) => Operation::Cancel,
                _ => return None,
            },
            input_bytes: u32_at(bytes, 20).ok()?,
            output_bytes: u32_at(bytes, 24).ok()?,
        };
        let (has_input, has_output) = match header.operation {
            Operation::Ioctl { .. } => (true, true),
            Operation::Read => (false, true),
            Operation::Write => (true, false),
            Operation::Cancel => (false, false),
        };
        let fits = |has: bool, bytes: u32| bytes <= if has { MAX_BUFFER_BYTES } else { 0 };
        (header.id != 0
            && fits(has_input, header.input_bytes)
            && fits(has_output, header.output_bytes))
        .then_some(header)
    }

    /// Writes the header.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        let (kind, code): (u32, u32) = match self.operation {
            Operation::Ioctl { code } => (1, code),
            Operation::Read => (2, 0),
            Operation::Write => (3, 0),
            Operation::Cancel => (4, 0),
        };
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &kind.to_le_bytes());
        put(&mut bytes, 8, &self.id.to_le_bytes());
        put(&mut bytes, 16, &code.to_le_bytes());
        put(&mut bytes, 20, &self.input_bytes.to_le_bytes());
        put(&mut bytes, 24, &self.output_bytes.to_le_bytes());
        bytes
    }

    /// Whether the driver reads the second buffer.
    pub const fn sends_output(&self) -> bool {
        match self.operation {
            Operation::Ioctl { code } => matches!(method(code), Method::InDirect),
            Operation::Read | Operation::Write | Operation::Cancel => false,
        }
    }
}

/// The header of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The id of the request.
    pub id: u64,
    /// The NTSTATUS.
    pub status: u32,
    /// Bytes of data that follow; none if the driver reads the second buffer.
    pub data_bytes: u32,
    /// The driver's `Information`: the bytes of the answer, or the bytes that it would need.
    pub information: u64,
}

impl ReplyHeader {
    /// Encoded size in bytes.
    pub const SIZE: usize = 24;

    /// Decodes a header; `None` if the data is too large.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let header = Self {
            id: u64_at(bytes, 0).ok()?,
            status: u32_at(bytes, 8).ok()?,
            data_bytes: u32_at(bytes, 12).ok()?,
            information: u64_at(bytes, 16).ok()?,
        };
        (header.data_bytes <= MAX_BUFFER_BYTES).then_some(header)
    }

    /// Writes the header.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, &self.id.to_le_bytes());
        put(&mut bytes, 8, &self.status.to_le_bytes());
        put(&mut bytes, 12, &self.data_bytes.to_le_bytes());
        put(&mut bytes, 16, &self.information.to_le_bytes());
        bytes
    }
}
