//! The content of bulk transfers: both sides know the byte at each offset.

/// A prime, so that no power of two is a period of the content.
const PERIOD: usize = 65_521;

/// The content of a stream.
pub(super) struct Pattern {
    table: Vec<u8>,
}

impl Pattern {
    pub(super) fn new() -> Self {
        // xorshift64 (Marsaglia): any sequence with a long period would do.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let table = (0..PERIOD)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect();
        Self { table }
    }

    /// Fills a buffer with the content at `offset`.
    pub(super) fn fill(&self, offset: u64, buffer: &mut [u8]) {
        let mut at = self.index(offset);
        let mut rest = buffer;
        while !rest.is_empty() {
            let from = self.table.get(at..).unwrap_or_default();
            let (now, later) = rest.split_at_mut(from.len().min(rest.len()));
            now.copy_from_slice(from.get(..now.len()).unwrap_or_default());
            rest = later;
            at = 0;
        }
    }

    /// The first offset where `bytes` differ from the content at `offset`.
    pub(super) fn mismatch(&self, offset: u64, bytes: &[u8]) -> Option<u64> {
        let mut at = self.index(offset);
        let mut position = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let expected = self.table.get(at..).unwrap_or_default();
            let (now, later) = rest.split_at(expected.len().min(rest.len()));
            let expected = expected.get(..now.len()).unwrap_or_default();
            if now != expected {
                let wrong = now.iter().zip(expected).position(|(a, b)| a != b).unwrap_or_default();
                return Some(position + wrong as u64);
            }
            position += now.len() as u64;
            rest = later;
            at = 0;
        }
        None
    }

    fn index(&self, offset: u64) -> usize {
        (offset % PERIOD as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn finds_the_first_wrong_byte() {
        let pattern = Pattern::new();
        let offset = 65_000;
        let mut bytes = vec![0; 200_000];
        pattern.fill(offset, &mut bytes);
        assert_eq!(pattern.mismatch(offset, &bytes), None);
        assert_eq!(pattern.mismatch(offset + 1, &bytes), Some(offset + 1));
        bytes[150_000] ^= 1;
        assert_eq!(pattern.mismatch(offset, &bytes), Some(offset + 150_000));
    }
}
