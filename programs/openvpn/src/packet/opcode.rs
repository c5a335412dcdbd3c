//! What a packet is: the upper five bits of its first byte.

/// An opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// Either side begins another key.
    SoftResetV1 = 3,
    /// A piece of TLS.
    ControlV1 = 4,
    /// Acknowledges and nothing else.
    AckV1 = 5,
    /// Data without a peer id.
    DataV1 = 6,
    /// A client begins a session.
    HardResetClientV2 = 7,
    /// A server answers it.
    HardResetServerV2 = 8,
    /// Data with a peer id.
    DataV2 = 9,
    /// A client begins a session with tls-crypt-v2.
    HardResetClientV3 = 10,
    /// A piece of TLS with the client's wrapped key behind it.
    ControlWkcV1 = 11,
}

impl Opcode {
    /// The opcode in a packet's first byte; `None` for one that is unknown or obsolete.
    pub const fn of(first: u8) -> Option<Self> {
        Some(match first >> 3 {
            3 => Self::SoftResetV1,
            4 => Self::ControlV1,
            5 => Self::AckV1,
            6 => Self::DataV1,
            7 => Self::HardResetClientV2,
            8 => Self::HardResetServerV2,
            9 => Self::DataV2,
            10 => Self::HardResetClientV3,
            11 => Self::ControlWkcV1,
            _ => return None,
        })
    }

    /// A packet's first byte.
    pub const fn first_byte(self, key_id: u8) -> u8 {
        (self as u8) << 3 | (key_id & 7)
    }

    /// Whether it is the control channel's.
    pub const fn is_control(self) -> bool {
        !matches!(self, Self::DataV1 | Self::DataV2)
    }
}
