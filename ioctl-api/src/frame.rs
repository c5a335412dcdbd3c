//! IOCTLs over a stream: what the SDK and `tunicd` speak on `/var/run/tunic/IFACE.sock`.
//!
//! A request is a [`RequestHeader`], then its input, then what the second buffer holds. A reply is a [`ReplyHeader`], then its
//! data. One reply follows each request, in order. Words are little-endian.

use crate::bytes::{put, u32_at, u64_at};
use crate::code::{Method, method};

/// The first word of every request: "TNC1".
pub const MAGIC: u32 = u32::from_le_bytes(*b"TNC1");

/// The most bytes of one buffer.
pub const MAX_BUFFER_BYTES: u32 = 256 << 20;

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The control code.
    pub code: u32,
    /// Bytes of the first buffer, which follow.
    pub input_bytes: u32,
    /// Bytes of the second buffer, which follow too where [`RequestHeader::sends_output`].
    pub output_bytes: u32,
}

impl RequestHeader {
    /// Encoded size in bytes.
    pub const SIZE: usize = 16;

    /// Reads a header; `None` where it is none or wants too much.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        if u32_at(bytes, 0).ok()? != MAGIC {
            return None;
        }
        let header = Self {
            code: u32_at(bytes, 4).ok()?,
            input_bytes: u32_at(bytes, 8).ok()?,
            output_bytes: u32_at(bytes, 12).ok()?,
        };
        (header.input_bytes <= MAX_BUFFER_BYTES && header.output_bytes <= MAX_BUFFER_BYTES)
            .then_some(header)
    }

    /// Writes the header.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, &MAGIC.to_le_bytes());
        put(&mut bytes, 4, &self.code.to_le_bytes());
        put(&mut bytes, 8, &self.input_bytes.to_le_bytes());
        put(&mut bytes, 12, &self.output_bytes.to_le_bytes());
        bytes
    }

    /// Whether the second buffer carries data to the driver.
    pub const fn sends_output(&self) -> bool {
        matches!(method(self.code), Method::InDirect)
    }
}

/// What the driver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The NTSTATUS.
    pub status: u32,
    /// Bytes of data that follow; none where the second buffer carried data to the driver.
    pub data_bytes: u32,
    /// What the driver returned as information: the bytes of the answer, or those it would need.
    pub information: u64,
}

impl ReplyHeader {
    /// Encoded size in bytes.
    pub const SIZE: usize = 16;

    /// Reads a header; `None` where it promises too much.
    pub fn decode(bytes: &[u8; Self::SIZE]) -> Option<Self> {
        let header = Self {
            status: u32_at(bytes, 0).ok()?,
            data_bytes: u32_at(bytes, 4).ok()?,
            information: u64_at(bytes, 8).ok()?,
        };
        (header.data_bytes <= MAX_BUFFER_BYTES).then_some(header)
    }

    /// Writes the header.
    pub fn encode(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, &self.status.to_le_bytes());
        put(&mut bytes, 4, &self.data_bytes.to_le_bytes());
        put(&mut bytes, 8, &self.information.to_le_bytes());
        bytes
    }
}
