//! Packets on the wire (openvpn-rfc, "Data channel"): opcodes, headers and in-band messages.

use nic_engine::protocol::{Class, ReceiverId, Selector};

/// What comes before the ciphertext: opcode, key-id and peer-id, the packet id, the tag.
pub(crate) const CLASSIC_HEADER_BYTES: usize = 8;
/// The same of the epoch format: opcode, key-id and peer-id, the epoch, the counter. The tag comes
/// last.
pub(crate) const EPOCH_HEADER_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// The peer-id that is nobody's; the highest of 24 bits.
pub const UNDEFINED_PEER_ID: u32 = 0x00ff_ffff;
/// The highest key-id.
pub const MAX_KEY_ID: u8 = 7;

/// What is sealed to keep a peer alive.
pub(crate) const PING: [u8; 16] = [
    0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb, 0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48,
];

/// P_DATA_V2: the one opcode that is ours.
const DATA_V2: u8 = 9;

/// How a key's packets are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A packet id of 32 bits; the tag before the ciphertext.
    Classic,
    /// An epoch and a counter of 48 bits; the tag at the end.
    Epoch,
}

impl Format {
    /// What comes before the ciphertext and is authenticated.
    pub(crate) const fn header_bytes(self) -> usize {
        match self {
            Self::Classic => CLASSIC_HEADER_BYTES,
            Self::Epoch => EPOCH_HEADER_BYTES,
        }
    }

    /// How much longer a datagram is than its payload.
    pub(crate) const fn overhead_bytes(self) -> usize {
        self.header_bytes() + TAG_BYTES
    }
}

/// Data is for the context of its peer-id. Its key is told by the key-id (the low byte), and by the
/// epoch where its key has epochs: bits 16 to 31, which are the high half of the packet id where it
/// doesn't.
pub(crate) fn classify(head: &[u8]) -> Class {
    match *head {
        [] => Class::Malformed,
        [first, a, b, c, ..] if first >> 3 == DATA_V2 => {
            let epoch = match *head {
                [_, _, _, _, high, low, ..] => u16::from_be_bytes([high, low]),
                _ => 0,
            };
            Class::Data(Selector {
                receiver: ReceiverId(u32::from_be_bytes([0, a, b, c])),
                key: u32::from(first & MAX_KEY_ID) | u32::from(epoch) << 16,
            })
        }
        _ => Class::Control,
    }
}

/// The key-id and the epoch of a selector.
pub(crate) const fn key_and_epoch(selector: Selector) -> (u8, u16) {
    (selector.key as u8 & MAX_KEY_ID, (selector.key >> 16) as u16)
}

/// The first four bytes of a data packet.
pub(crate) fn opcode(key_id: u8, peer_id: u32) -> [u8; 4] {
    let [_, a, b, c] = peer_id.to_be_bytes();
    [DATA_V2 << 3 | key_id & MAX_KEY_ID, a, b, c]
}
