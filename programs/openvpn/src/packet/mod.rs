//! Control packets in wire format, without the protection of [`crate::wrap`].
//!
//! ```text
//! opcode << 3 | key id (1) | session id (8) | ack count n (1) | n x packet id (4)
//! | peer's session id (8), if n > 0 | packet id (4), not in an ACK | payload
//! ```
//!
//! All numbers are big-endian.

mod opcode;

use std::fmt;

pub use opcode::Opcode;

/// Random id that each side chooses for a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId(pub [u8; 8]);

impl SessionId {
    /// Generates an id.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Sequence number of a packet within a key id, from 0.
pub type PacketId = u32;

/// Maximum of packet ids that one packet acknowledges (2.6: `RELIABLE_ACK_SIZE`).
pub const MAX_ACKS: usize = 8;

/// A control packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPacket<'p> {
    /// The packet type.
    pub opcode: Opcode,
    /// Key id, 0 to 7: selects one of the session's TLS connections.
    pub key_id: u8,
    /// Session id of the sender.
    pub session_id: SessionId,
    /// Acknowledged packet ids.
    pub acks: Vec<PacketId>,
    /// Session id of the receiver; present if `acks` is not empty.
    pub acked_session: Option<SessionId>,
    /// Packet id; `None` in an ACK.
    pub packet_id: Option<PacketId>,
    /// Part of the TLS byte stream.
    pub payload: &'p [u8],
}

impl<'p> ControlPacket<'p> {
    /// Decodes a packet.
    pub fn decode(bytes: &'p [u8]) -> Result<Self, PacketError> {
        let (&first, rest) = bytes.split_first().ok_or(PacketError::Truncated)?;
        let opcode = Opcode::of(first).filter(|opcode| opcode.is_control());
        let opcode = opcode.ok_or(PacketError::Opcode)?;
        let (&session_id, rest) = rest.split_first_chunk().ok_or(PacketError::Truncated)?;
        let (&count, mut rest) = rest.split_first().ok_or(PacketError::Truncated)?;
        if usize::from(count) > MAX_ACKS {
            return Err(PacketError::TooManyAcks);
        }
        let mut acks = Vec::with_capacity(count.into());
        for _ in 0..count {
            acks.push(u32::from_be_bytes(take(&mut rest)?));
        }
        let acked_session = match count {
            0 => None,
            _ => Some(SessionId(take(&mut rest)?)),
        };
        let packet_id = match opcode {
            Opcode::AckV1 => None,
            _ => Some(u32::from_be_bytes(take(&mut rest)?)),
        };
        Ok(Self {
            opcode,
            key_id: first & 7,
            session_id: SessionId(session_id),
            acks,
            acked_session,
            packet_id,
            payload: rest,
        })
    }

    /// Encodes the packet.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::MAX_HEADER_BYTES + self.payload.len());
        bytes.push(self.opcode.first_byte(self.key_id));
        bytes.extend(self.session_id.0);
        let acks = &self.acks[..self.acks.len().min(MAX_ACKS)];
        bytes.push(acks.len() as u8);
        for id in acks {
            bytes.extend(id.to_be_bytes());
        }
        if !acks.is_empty() {
            bytes.extend(self.acked_session.map_or([0; 8], |id| id.0));
        }
        if let Some(id) = self.packet_id {
            bytes.extend(id.to_be_bytes());
        }
        bytes.extend_from_slice(self.payload);
        bytes
    }

    /// Maximum length of the header before the payload.
    pub const MAX_HEADER_BYTES: usize = 1 + 8 + 1 + MAX_ACKS * 4 + 8 + 4;
}

/// Why a control packet is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// The packet is truncated.
    Truncated,
    /// The opcode is not one of the control channel.
    Opcode,
    /// The ack count exceeds [`MAX_ACKS`].
    TooManyAcks,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated control packet",
            Self::Opcode => "not a control packet",
            Self::TooManyAcks => "control packet with too many acks",
        })
    }
}

impl std::error::Error for PacketError {}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PacketError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(PacketError::Truncated)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(opcode: Opcode, acks: Vec<u32>, packet_id: Option<u32>) -> ControlPacket<'static> {
        let acked_session = (!acks.is_empty()).then_some(SessionId(*b"ABCDEFGH"));
        let session_id = SessionId(*b"abcdefgh");
        let payload = if packet_id.is_some() { &b"tls"[..] } else { b"" };
        ControlPacket { opcode, key_id: 3, session_id, acks, acked_session, packet_id, payload }
    }

    #[test]
    fn bytes_are_those_of_the_wire() {
        let reset = ControlPacket {
            payload: b"",
            key_id: 0,
            ..packet(Opcode::HardResetClientV2, vec![], Some(0))
        };
        assert_eq!(reset.encode(), b"\x38abcdefgh\0\0\0\0\0");
        let control = packet(Opcode::ControlV1, vec![0, 7], Some(1));
        let wire = b"\x23abcdefgh\x02\0\0\0\0\0\0\0\x07ABCDEFGH\0\0\0\x01tls";
        assert_eq!(control.encode(), wire);
        assert_eq!(ControlPacket::decode(wire), Ok(control));
        let ack = packet(Opcode::AckV1, vec![5], None);
        assert_eq!(ControlPacket::decode(&ack.encode()), Ok(ack));
    }

    #[test]
    fn cut_and_foreign_bytes_are_refused() {
        let wire = packet(Opcode::ControlV1, vec![1, 2], Some(9)).encode();
        for length in 0..wire.len() - 3 {
            assert_eq!(ControlPacket::decode(&wire[..length]), Err(PacketError::Truncated));
        }
        let mut many = wire.clone();
        many[9] = 9;
        assert_eq!(ControlPacket::decode(&many), Err(PacketError::TooManyAcks));
        for opcode in [0_u8, 1, 2, 6, 9, 12, 31] {
            let mut other = wire.clone();
            other[0] = opcode << 3;
            assert_eq!(ControlPacket::decode(&other), Err(PacketError::Opcode), "{opcode}");
        }
    }
}
