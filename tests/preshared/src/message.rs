//! Messages: three kinds, told apart by the first byte.

use nic_crypto::blake2s;
use nic_engine::protocol::{Class, Content, ReceiverId, Selector};

/// Kind, receiver, counter.
pub(crate) const HEADER_BYTES: usize = 16;
pub(crate) const TAG_BYTES: usize = 16;

const REQUEST: [u8; 4] = [1, 0, 0, 0];
const REPLY: [u8; 4] = [2, 0, 0, 0];
const DATA: [u8; 4] = [3, 0, 0, 0];
/// Like [`DATA`]; the payload is a message for the control plane.
const SEALED_CONTROL: [u8; 4] = [3, 1, 0, 0];

/// A request for keys.
pub(crate) struct Request {
    /// The receiver ID for data packets to the sender of this message.
    pub(crate) receiver: ReceiverId,
    /// The sender's wall clock in nanoseconds, strictly increasing over requests.
    pub(crate) time: u64,
    /// The name of the sender.
    pub(crate) name: [u8; 32],
    pub(crate) salt: [u8; 16],
}

/// The answer to a [`Request`].
pub(crate) struct Reply {
    /// The receiver ID for data packets to the sender of this message.
    pub(crate) receiver: ReceiverId,
    /// The receiver ID of the request.
    pub(crate) to: ReceiverId,
    /// The salt of the request.
    pub(crate) request_salt: [u8; 16],
    pub(crate) salt: [u8; 16],
}

pub(crate) fn classify(head: &[u8], datagram_bytes: usize) -> Class {
    match head.first_chunk() {
        Some(&REQUEST) if datagram_bytes == Request::BYTES => Class::Control,
        Some(&REPLY) if datagram_bytes == Reply::BYTES => Class::Control,
        Some(&DATA | &SEALED_CONTROL) if datagram_bytes >= HEADER_BYTES + TAG_BYTES => {
            number(head, 4).map_or(Class::Malformed, |receiver| {
                Class::Data(Selector { receiver: ReceiverId(receiver), key: 0 })
            })
        }
        _ => Class::Malformed,
    }
}

/// A data packet's header.
pub(crate) fn data_header(
    receiver: ReceiverId,
    counter: u64,
    content: Content,
) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    let kind = if content == Content::Control { SEALED_CONTROL } else { DATA };
    header[..4].copy_from_slice(&kind);
    header[4..8].copy_from_slice(&receiver.0.to_le_bytes());
    header[8..].copy_from_slice(&counter.to_le_bytes());
    header
}

/// The content of a data packet with this header and length.
pub(crate) fn content(header: &[u8; HEADER_BYTES], payload_bytes: usize) -> Content {
    if header.starts_with(&SEALED_CONTROL) {
        Content::Control
    } else if payload_bytes == 0 {
        Content::Keepalive
    } else {
        Content::Data
    }
}

/// A data packet's counter.
pub(crate) fn data_counter(header: &[u8; HEADER_BYTES]) -> u64 {
    let [.., a, b, c, d, e, f, g, h] = *header;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

impl Request {
    pub(crate) const BYTES: usize = 80;

    pub(crate) fn emit(&self, secret: &[u8; 32]) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&REQUEST);
        bytes[4..8].copy_from_slice(&self.receiver.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.time.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.name);
        bytes[48..64].copy_from_slice(&self.salt);
        authenticate(&mut bytes, secret);
        bytes
    }

    /// Reads a request; it is authentic only if [`is_authentic`] returns true.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES || !bytes.starts_with(&REQUEST) {
            return None;
        }
        Some(Self {
            receiver: ReceiverId(number(bytes, 4)?),
            time: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            name: *bytes.get(16..)?.first_chunk()?,
            salt: *bytes.get(48..)?.first_chunk()?,
        })
    }
}

impl Reply {
    const BYTES: usize = 64;

    pub(crate) fn emit(&self, secret: &[u8; 32]) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&REPLY);
        bytes[4..8].copy_from_slice(&self.receiver.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.to.0.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.request_salt);
        bytes[32..48].copy_from_slice(&self.salt);
        authenticate(&mut bytes, secret);
        bytes
    }

    /// Reads a reply; it is authentic only if [`is_authentic`] returns true.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES || !bytes.starts_with(&REPLY) {
            return None;
        }
        Some(Self {
            receiver: ReceiverId(number(bytes, 4)?),
            to: ReceiverId(number(bytes, 8)?),
            request_salt: *bytes.get(16..)?.first_chunk()?,
            salt: *bytes.get(32..)?.first_chunk()?,
        })
    }
}

/// Whether the sender of a request or reply knows the secret.
pub(crate) fn is_authentic(bytes: &[u8], secret: &[u8; 32]) -> bool {
    // A protocol for production compares in constant time (`subtle`).
    bytes
        .split_last_chunk::<16>()
        .is_some_and(|(text, mac)| blake2s::keyed_mac16(secret, &[text]) == *mac)
}

fn authenticate(bytes: &mut [u8], secret: &[u8; 32]) {
    if let Some((text, mac)) = bytes.split_last_chunk_mut::<16>() {
        *mac = blake2s::keyed_mac16(secret, &[text]);
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
