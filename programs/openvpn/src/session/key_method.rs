//! Key method 2: the first message of both sides inside TLS.

use std::fmt;

use zeroize::Zeroizing;

use crate::Role;
use crate::keys::KeySource;

/// Maximum length of a received message.
const MAX_BYTES: usize = 64 << 10;

/// A key-method message.
pub(super) struct KeyMethod {
    pub(super) source: KeySource,
    pub(super) hello: Hello,
}

/// The strings of a key-method message.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hello {
    /// The options string; informational.
    pub options: String,
    /// Username; clients only.
    pub username: String,
    /// Password; clients only.
    pub password: Zeroizing<String>,
    /// Peer-info, `NAME=value` lines; clients only.
    pub peer_info: String,
}

impl fmt::Debug for Hello {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hello")
            .field("options", &self.options)
            .field("username", &self.username)
            .field("peer_info", &self.peer_info)
            .finish_non_exhaustive()
    }
}

impl KeyMethod {
    /// Encodes the message.
    pub(super) fn encode(role: Role, source: &KeySource, hello: &Hello) -> Zeroizing<Vec<u8>> {
        let texts = [&hello.options, &hello.username, &hello.password, &hello.peer_info];
        let room = 5 + 48 + 64 + texts.iter().map(|text| text.len() + 3).sum::<usize>();
        // Allocated once: growing would leave copies of the secrets in freed memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        bytes.extend([0, 0, 0, 0, 2]);
        if role == Role::Client {
            bytes.extend(source.pre_master);
        }
        bytes.extend(source.random1);
        bytes.extend(source.random2);
        for text in texts {
            let length = match text.len() {
                0 => 0,
                length => u16::try_from(length + 1).unwrap_or(0),
            };
            bytes.extend(length.to_be_bytes());
            if length > 0 {
                bytes.extend(text.bytes());
                bytes.push(0);
            }
        }
        bytes
    }

    /// Decodes the message of a side with this role. Returns it with its length; `None` while it is
    /// incomplete.
    pub(super) fn decode(
        role: Role,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, KeyMethodError> {
        if bytes.len() > MAX_BYTES {
            return Err(KeyMethodError::TooLong);
        }
        let mut rest = bytes;
        match Self::read(role, &mut rest) {
            Ok(message) => Ok(Some((message, bytes.len() - rest.len()))),
            Err(ReadError::Incomplete) => Ok(None),
            Err(ReadError::Wrong(error)) => Err(error),
        }
    }

    fn read(role: Role, rest: &mut &[u8]) -> Result<Self, ReadError> {
        let [zero @ .., method] = take::<5>(rest)?;
        if zero != [0; 4] || method & 0x0F != 2 {
            return Err(ReadError::Wrong(KeyMethodError::Method));
        }
        let pre_master = if role == Role::Client { take(rest)? } else { [0; 48] };
        let source = KeySource { pre_master, random1: take(rest)?, random2: take(rest)? };
        let hello = Hello {
            options: text(rest)?,
            username: text(rest)?,
            password: Zeroizing::new(text(rest)?),
            peer_info: text(rest)?,
        };
        Ok(Self { source, hello })
    }
}

/// Why decoding stops.
enum ReadError {
    Incomplete,
    Wrong(KeyMethodError),
}

/// Why a message is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMethodError {
    /// The key method is not 2.
    Method,
    /// A string is not NUL-terminated or not UTF-8.
    Text,
    /// The message exceeds the limit.
    TooLong,
}

impl fmt::Display for KeyMethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "the peer does not use key method 2",
            Self::Text => "malformed string in the peer's key message",
            Self::TooLong => "the peer's key message is too long",
        })
    }
}

impl std::error::Error for KeyMethodError {}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ReadError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(ReadError::Incomplete)?;
    *rest = tail;
    Ok(*head)
}

fn text(rest: &mut &[u8]) -> Result<String, ReadError> {
    let length = usize::from(u16::from_be_bytes(take(rest)?));
    let bytes = rest.get(..length).ok_or(ReadError::Incomplete)?;
    *rest = &rest[length..];
    let text = match bytes {
        [] => &[],
        [text @ .., 0] => text,
        _ => return Err(ReadError::Wrong(KeyMethodError::Text)),
    };
    String::from_utf8(text.to_vec()).map_err(|_| ReadError::Wrong(KeyMethodError::Text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> KeySource {
        KeySource { pre_master: [1; 48], random1: [2; 32], random2: [3; 32] }
    }

    fn hello() -> Hello {
        Hello {
            options: "V4".into(),
            username: "user".into(),
            password: Zeroizing::default(),
            peer_info: "IV_PROTO=2\n".into(),
        }
    }

    #[test]
    fn both_sides_messages_come_back() {
        for (role, length) in [(Role::Client, 5 + 48 + 64 + 28), (Role::Server, 5 + 64 + 28)] {
            let bytes = KeyMethod::encode(role, &source(), &hello());
            assert_eq!(bytes.len(), length);
            let behind = [&bytes[..], b"PUSH_REQUEST\0"].concat();
            let (message, read) = KeyMethod::decode(role, &behind).ok().flatten().unwrap();
            assert_eq!(read, length);
            assert_eq!(message.hello, hello());
            assert_eq!(message.source.random2, [3; 32]);
            for cut in 0..length {
                assert!(matches!(KeyMethod::decode(role, &bytes[..cut]), Ok(None)), "{cut}");
            }
        }
    }

    #[test]
    fn other_methods_and_open_texts_are_refused() {
        let bytes = KeyMethod::encode(Role::Server, &source(), &hello());
        let with = |at: usize, byte| {
            let mut bytes = bytes.to_vec();
            bytes[at] = byte;
            KeyMethod::decode(Role::Server, &bytes).err()
        };
        assert_eq!(with(4, 1), Some(KeyMethodError::Method));
        assert_eq!(with(0, 1), Some(KeyMethodError::Method));
        assert_eq!(with(5 + 64 + 2 + 2, b'x'), Some(KeyMethodError::Text));
        assert_eq!(with(5 + 64 + 2, 0xFF), Some(KeyMethodError::Text));
        let endless = vec![0; MAX_BYTES + 1];
        assert_eq!(KeyMethod::decode(Role::Client, &endless).err(), Some(KeyMethodError::TooLong));
    }
}
