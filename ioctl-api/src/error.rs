//! Errors of malformed buffers.

use core::fmt;

/// What is wrong with a buffer, and where. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Offset in bytes of the offending record or field.
    pub offset_bytes: usize,
}

/// The kinds of [`DecodeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The control code belongs to none of the ABIs.
    UnknownCode,
    /// A record or a count exceeds the buffer.
    Truncated,
    /// A buffer or record has a size that this version does not define.
    BadSize,
    /// A record or protocol version is newer than this one: "not implemented".
    UnsupportedVersion,
    /// A record is of a kind that is not allowed here.
    UnexpectedRecord,
    /// Undefined flag bits, or two flags that exclude each other.
    BadFlags,
    /// Bytes that must be zero are not.
    ReservedNotZero,
    /// A peer without its public key.
    MissingPublicKey,
    /// A key of zeroes, although clearing has a flag of its own.
    ZeroKey,
    /// Neither IPv4 nor IPv6.
    BadAddressFamily,
    /// A prefix longer than its addresses.
    BadPrefixLength,
    /// An endpoint with port 0.
    BadPort,
    /// Neither down, up nor query.
    BadState,
    /// A timer scale outside 1 to 1000.
    BadTimerScale,
    /// More peers than an adapter can have.
    TooManyPeers,
    /// The input is shorter than the struct of the control code.
    InputTooSmall,
    /// Neither point-to-point nor multi-peer.
    BadMode,
    /// A peer id of more than 24 bits, or the undefined one where a defined one is required.
    BadPeerId,
    /// Neither UDP nor TCP.
    BadTransport,
    /// An invalid number of seconds.
    BadTimer,
    /// A TCP segment size that does not fit into 16 bits.
    BadSegmentSize,
    /// Neither the primary nor the secondary slot.
    BadSlot,
    /// A key id above 7.
    BadKeyId,
    /// An unknown AEAD.
    BadSuite,
    /// A key longer than its field.
    KeyTooLong,
    /// A key whose length is not its suite's.
    BadKeyLength,
    /// An empty or too long control datagram.
    BadDatagramLength,
    /// A text that is not UTF-8.
    BadText,
}

impl DecodeError {
    /// An error of this kind at this offset.
    pub const fn new(kind: DecodeErrorKind, offset_bytes: usize) -> Self {
        Self { kind, offset_bytes }
    }
}

impl DecodeErrorKind {
    const fn text(self) -> &'static str {
        match self {
            Self::UnknownCode => "unknown control code",
            Self::Truncated => "truncated buffer",
            Self::BadSize => "wrong size",
            Self::UnsupportedVersion => "unsupported version",
            Self::UnexpectedRecord => "unexpected record",
            Self::BadFlags => "invalid flags",
            Self::ReservedNotZero => "reserved bytes are not zero",
            Self::MissingPublicKey => "peer without public key",
            Self::ZeroKey => "key of zeroes",
            Self::BadAddressFamily => "invalid address family",
            Self::BadPrefixLength => "invalid prefix length",
            Self::BadPort => "invalid port",
            Self::BadState => "invalid adapter state",
            Self::BadTimerScale => "invalid timer scale",
            Self::TooManyPeers => "too many peers",
            Self::InputTooSmall => "input too small",
            Self::BadMode => "invalid mode",
            Self::BadPeerId => "invalid peer id",
            Self::BadTransport => "invalid transport",
            Self::BadTimer => "invalid number of seconds",
            Self::BadSegmentSize => "invalid segment size",
            Self::BadSlot => "invalid key slot",
            Self::BadKeyId => "invalid key id",
            Self::BadSuite => "unknown cipher",
            Self::KeyTooLong => "key too long",
            Self::BadKeyLength => "invalid key length",
            Self::BadDatagramLength => "invalid datagram length",
            Self::BadText => "text is not UTF-8",
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.text(), self.offset_bytes)
    }
}

impl core::error::Error for DecodeError {}
