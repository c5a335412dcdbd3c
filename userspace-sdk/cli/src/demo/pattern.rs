//! A byte stream in which every place is known: what is lost, doubled, swapped or flipped shows.

/// The period of the pattern: more than any window, and no multiple of a packet.
const PERIOD_BYTES: usize = (1 << 20) - 8;

/// The pattern, made once.
pub(crate) struct Pattern(Vec<u8>);

impl Pattern {
    pub(crate) fn new() -> Self {
        let mut word = 0x9E37_79B9_7F4A_7C15_u64;
        let mut bytes = Vec::with_capacity(PERIOD_BYTES);
        while bytes.len() < PERIOD_BYTES {
            // Marsaglia's xorshift64.
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            bytes.extend(word.to_le_bytes());
        }
        Self(bytes)
    }

    /// The longest piece of the stream that starts at `offset` and lies in one.
    pub(crate) fn at(&self, offset: u64) -> &[u8] {
        &self.0[place(offset)..]
    }

    /// Whether these bytes are the stream's at `offset`.
    pub(crate) fn matches(&self, offset: u64, mut bytes: &[u8]) -> bool {
        let mut place = place(offset);
        while !bytes.is_empty() {
            let expected = &self.0[place..];
            let length = bytes.len().min(expected.len());
            if bytes[..length] != expected[..length] {
                return false;
            }
            bytes = &bytes[length..];
            place = 0;
        }
        true
    }
}

fn place(offset: u64) -> usize {
    // Less than the period, so it fits.
    (offset % PERIOD_BYTES as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_shows() {
        let pattern = Pattern::new();
        let offset = PERIOD_BYTES as u64 - 100;
        let mut bytes = pattern.at(offset).to_vec();
        bytes.extend(&pattern.at(0)[..100]);
        assert_eq!(bytes.len(), 200);
        assert!(pattern.matches(offset, &bytes));
        assert!(!pattern.matches(offset + 1, &bytes));
        for place in 0..bytes.len() {
            bytes[place] ^= 1;
            assert!(!pattern.matches(offset, &bytes));
            bytes[place] ^= 1;
        }
    }
}
