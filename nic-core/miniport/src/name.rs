//! The name of an adapter.

/// A name of at most 128 bytes of UTF-8.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; 128],
    length: usize,
}

impl Name {
    /// Converts UTF-16: truncated if too long, empty if invalid.
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

    /// The name in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
