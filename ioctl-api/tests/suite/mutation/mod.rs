//! Bytes that differ from good ones in a few places.

/// How often a test mutates.
pub(crate) const MUTATIONS: u32 = 100_000;

/// A source of mutations: Marsaglia's xorshift, so that each run has the same.
pub(crate) struct Mutator(u64);

impl Mutator {
    /// `seed` is not 0.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below this.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    /// The bytes with one to three of them overwritten.
    pub(crate) fn mutate(&mut self, base: &[u8]) -> Vec<u8> {
        let mut bytes = base.to_vec();
        for _ in 0..=self.below(3) {
            let offset = self.below(bytes.len());
            bytes[offset] = u8::try_from(self.below(256)).unwrap();
        }
        bytes
    }
}
