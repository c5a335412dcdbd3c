//! Packet types: the upper five bits of the first byte.

/// Packet type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// Starts another key (renegotiation).
    SoftResetV1 = 3,
    /// Part of the TLS stream.
    ControlV1 = 4,
    /// Acknowledgements only.
    AckV1 = 5,
    /// Data without a peer id.
    DataV1 = 6,
    /// Client starts a session.
    HardResetClientV2 = 7,
    /// Server's reply to that.
    HardResetServerV2 = 8,
    /// Data with a peer id.
    DataV2 = 9,
    /// Client starts a session with tls-crypt-v2.
    HardResetClientV3 = 10,
    /// Part of the TLS stream, followed by the client's wrapped key.
    ControlWkcV1 = 11,
}

impl Opcode {
    /// Decodes the opcode from a packet's first byte; `None` if unknown or obsolete.
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

    /// Encodes a packet's first byte.
    pub const fn first_byte(self, key_id: u8) -> u8 {
        (self as u8) << 3 | (key_id & 7)
    }

    /// Whether the packet belongs to the control channel.
    pub const fn is_control(self) -> bool {
        !matches!(self, Self::DataV1 | Self::DataV2)
    }
}
