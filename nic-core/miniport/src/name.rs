//! The name of an adapter.

/// A short name.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; 128],
    length: usize,
}

impl Name {
    /// From UTF-16; cut where it is too long, empty where it is not valid.
    pub fn from_utf16(name: &[u16]) -> Self {
        let mut result = Self { bytes: [0; 128], length: 0 };
        for character in char::decode_utf16(name.iter().copied()) {
            let Ok(character) = character else { return Self { bytes: [0; 128], length: 0 } };
            let end = result.length.wrapping_add(character.len_utf8());
            let Some(room) = result.bytes.get_mut(result.length..end) else { break };
            character.encode_utf8(room);
            result.length = end;
        }
        result
    }

    /// UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
