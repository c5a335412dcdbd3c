//! The four messages on the wire (WireGuard paper, section 5.4).
//!
//! Integers are little-endian. The first four bytes are the type and three zeros, read as one word.

use nic_engine::protocol::{Class, ReceiverId, Selector};

/// Length of a handshake initiation in bytes.
pub const INITIATION_BYTES: usize = 148;
/// Length of a handshake response in bytes.
pub const RESPONSE_BYTES: usize = 92;
/// Length of a cookie reply in bytes.
pub const COOKIE_REPLY_BYTES: usize = 64;
/// Length of what precedes the ciphertext of transport data in bytes.
pub const DATA_HEADER_BYTES: usize = 16;
/// Length of an AEAD tag in bytes.
pub const TAG_BYTES: usize = nic_crypto::TAG_LEN;
/// Length of each of the two authenticators at the end of a handshake message in bytes.
pub const MAC_BYTES: usize = 16;

const INITIATION: u32 = 1;
const RESPONSE: u32 = 2;
const COOKIE_REPLY: u32 = 3;
const DATA: u32 = 4;

/// Judges a datagram by its first bytes and its length.
pub fn classify(head: &[u8], datagram_bytes: usize) -> Class {
    let mut fields = Reader(head);
    match (fields.take_u32(), datagram_bytes) {
        (Some(INITIATION), INITIATION_BYTES)
        | (Some(RESPONSE), RESPONSE_BYTES)
        | (Some(COOKIE_REPLY), COOKIE_REPLY_BYTES) => Class::Control,
        (Some(DATA), length) if length >= DATA_HEADER_BYTES + TAG_BYTES => {
            fields.take_u32().map_or(Class::Malformed, |receiver| {
                Class::Data(Selector { receiver: ReceiverId(receiver), key: 0 })
            })
        }
        _ => Class::Malformed,
    }
}

/// A message for the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// Type 1.
    Initiation(Initiation),
    /// Type 2.
    Response(Response),
    /// Type 3.
    CookieReply(CookieReply),
}

impl Message {
    /// Reads a whole datagram; `None` where type or length is not that of a control message.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let mut fields = Reader(datagram);
        match (fields.take_u32()?, datagram.len()) {
            (INITIATION, INITIATION_BYTES) => Initiation::read(fields).map(Self::Initiation),
            (RESPONSE, RESPONSE_BYTES) => Response::read(fields).map(Self::Response),
            (COOKIE_REPLY, COOKIE_REPLY_BYTES) => CookieReply::read(fields).map(Self::CookieReply),
            _ => None,
        }
    }
}

/// The first message of a handshake. Its authenticators are not part of it: see `cookie`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initiation {
    /// The sender's receiver index.
    pub sender: u32,
    /// The sender's ephemeral public key.
    pub ephemeral: [u8; 32],
    /// The sender's static public key, sealed.
    pub sealed_static: [u8; 32 + TAG_BYTES],
    /// A TAI64N time stamp, sealed.
    pub sealed_timestamp: [u8; 12 + TAG_BYTES],
}

impl Initiation {
    /// The message with zeros for authenticators.
    pub fn emit(&self) -> [u8; INITIATION_BYTES] {
        let mut message = [0; INITIATION_BYTES];
        let mut fields = Writer(&mut message);
        fields.put(&INITIATION.to_le_bytes());
        fields.put(&self.sender.to_le_bytes());
        fields.put(&self.ephemeral);
        fields.put(&self.sealed_static);
        fields.put(&self.sealed_timestamp);
        message
    }

    fn read(mut fields: Reader<'_>) -> Option<Self> {
        Some(Self {
            sender: fields.take_u32()?,
            ephemeral: fields.take()?,
            sealed_static: fields.take()?,
            sealed_timestamp: fields.take()?,
        })
    }
}

/// The second message of a handshake. Its authenticators are not part of it: see `cookie`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The sender's receiver index.
    pub sender: u32,
    /// The receiver's index, from its initiation.
    pub receiver: u32,
    /// The sender's ephemeral public key.
    pub ephemeral: [u8; 32],
    /// Nothing, sealed.
    pub sealed_nothing: [u8; TAG_BYTES],
}

impl Response {
    /// The message with zeros for authenticators.
    pub fn emit(&self) -> [u8; RESPONSE_BYTES] {
        let mut message = [0; RESPONSE_BYTES];
        let mut fields = Writer(&mut message);
        fields.put(&RESPONSE.to_le_bytes());
        fields.put(&self.sender.to_le_bytes());
        fields.put(&self.receiver.to_le_bytes());
        fields.put(&self.ephemeral);
        fields.put(&self.sealed_nothing);
        message
    }

    fn read(mut fields: Reader<'_>) -> Option<Self> {
        Some(Self {
            sender: fields.take_u32()?,
            receiver: fields.take_u32()?,
            ephemeral: fields.take()?,
            sealed_nothing: fields.take()?,
        })
    }
}

/// What a peer under load answers instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieReply {
    /// The receiver's index, from its handshake message.
    pub receiver: u32,
    /// A random nonce.
    pub nonce: [u8; 24],
    /// The cookie, sealed.
    pub sealed_cookie: [u8; 16 + TAG_BYTES],
}

impl CookieReply {
    /// The message.
    pub fn emit(&self) -> [u8; COOKIE_REPLY_BYTES] {
        let mut message = [0; COOKIE_REPLY_BYTES];
        let mut fields = Writer(&mut message);
        fields.put(&COOKIE_REPLY.to_le_bytes());
        fields.put(&self.receiver.to_le_bytes());
        fields.put(&self.nonce);
        fields.put(&self.sealed_cookie);
        message
    }

    fn read(mut fields: Reader<'_>) -> Option<Self> {
        Some(Self {
            receiver: fields.take_u32()?,
            nonce: fields.take()?,
            sealed_cookie: fields.take()?,
        })
    }
}

/// What precedes the ciphertext of transport data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// The receiver's index.
    pub receiver: u32,
    /// The packet's counter.
    pub counter: u64,
}

impl DataHeader {
    /// Reads a header whose type [`classify`] has judged.
    pub fn parse(header: [u8; DATA_HEADER_BYTES]) -> Option<Self> {
        let mut fields = Reader(&header);
        if fields.take_u32()? != DATA {
            return None;
        }
        Some(Self { receiver: fields.take_u32()?, counter: u64::from_le_bytes(fields.take()?) })
    }

    /// The header's bytes.
    pub fn emit(&self) -> [u8; DATA_HEADER_BYTES] {
        let mut header = [0; DATA_HEADER_BYTES];
        let mut fields = Writer(&mut header);
        fields.put(&DATA.to_le_bytes());
        fields.put(&self.receiver.to_le_bytes());
        fields.put(&self.counter.to_le_bytes());
        header
    }
}

/// Takes fields off the front.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn take_u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }
}

/// Puts fields behind each other; what doesn't fit is left out, which the callers' lengths
/// preclude.
struct Writer<'a>(&'a mut [u8]);

impl Writer<'_> {
    fn put(&mut self, field: &[u8]) {
        if let Some((front, rest)) = core::mem::take(&mut self.0).split_at_mut_checked(field.len())
        {
            front.copy_from_slice(field);
            self.0 = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_emit_and_parse() {
        let initiation = Initiation {
            sender: 0x0403_0201,
            ephemeral: [1; 32],
            sealed_static: [2; 48],
            sealed_timestamp: [3; 28],
        };
        let bytes = initiation.emit();
        assert_eq!(bytes[..8], [1, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(bytes[116..], [0; 32]);
        assert_eq!(Message::parse(&bytes), Some(Message::Initiation(initiation)));

        let response =
            Response { sender: 1, receiver: 2, ephemeral: [4; 32], sealed_nothing: [5; 16] };
        let bytes = response.emit();
        assert_eq!(bytes[60..], [0; 32]);
        assert_eq!(Message::parse(&bytes), Some(Message::Response(response)));

        let reply = CookieReply { receiver: 3, nonce: [6; 24], sealed_cookie: [7; 32] };
        let bytes = reply.emit();
        assert_eq!(bytes[32..], [7; 32]);
        assert_eq!(Message::parse(&bytes), Some(Message::CookieReply(reply)));

        let header = DataHeader { receiver: 9, counter: 0x0102_0304_0506_0708 };
        assert_eq!(header.emit()[8..], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(DataHeader::parse(header.emit()), Some(header));
    }

    #[test]
    fn only_exact_lengths_and_types_are_known() {
        for kind in 0..=6_u8 {
            for length in 0..=200_usize {
                let mut datagram = [0_u8; 200];
                datagram[0] = kind;
                let class = classify(&datagram[..length.min(16)], length);
                let expected = match (kind, length) {
                    (1, 148) | (2, 92) | (3, 64) => Class::Control,
                    (4, 32..) => Class::Data(Selector { receiver: ReceiverId(0), key: 0 }),
                    _ => Class::Malformed,
                };
                assert_eq!(class, expected, "type {kind}, {length} bytes");
                assert_eq!(
                    Message::parse(&datagram[..length]).is_some(),
                    expected == Class::Control
                );
            }
        }
        for reserved in 1..4 {
            let mut datagram = [0_u8; 148];
            datagram[0] = 1;
            datagram[reserved] = 1;
            assert_eq!(classify(&datagram, 148), Class::Malformed);
        }
    }
}
