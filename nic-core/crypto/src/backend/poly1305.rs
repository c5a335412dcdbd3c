//! Poly1305 (RFC 8439, 2.5) as ChaCha20-Poly1305 uses it, in limbs of 44, 44 and 42 bits.

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

pub(super) const LIMB: u64 = (1 << 44) - 1;
pub(super) const TOP_LIMB: u64 = (1 << 42) - 1;

/// The authenticator of one packet; wiped on drop.
pub(super) struct Poly1305 {
    /// r^4, r^3, r^2, r; the first three only if [`Self::has_powers`].
    powers: [Number; 4],
    has_powers: bool,
    sum: Number,
    pad: u128,
}

/// A number below 2^131, little-endian limbs.
#[derive(Clone, Copy, Default)]
pub(super) struct Number(pub(super) [u64; 3]);

/// The limbs of a sum of products, before carries.
#[derive(Clone, Copy, Default)]
struct Wide([u128; 3]);

impl Poly1305 {
    /// The one-time key: r, then s.
    #[inline(always)]
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let [r, pad] = halves(key);
        // RFC 8439, 2.5: some bits of r are clear.
        let r = Number::new(r & 0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff);
        let powers = [Number::default(), Number::default(), Number::default(), r];
        Self { powers, has_powers: false, sum: Number::default(), pad }
    }

    /// The tag of a packet. `front` hashes as many whole blocks of the text as it likes, and
    /// returns the rest.
    #[inline(always)]
    pub(super) fn tag<'t>(
        mut self,
        aad: &[u8],
        text: &'t [u8],
        front: impl FnOnce(&mut Self, &'t [u8]) -> &'t [u8],
    ) -> [u8; 16] {
        self.update(aad);
        let rest = front(&mut self, text);
        self.update(rest);
        self.add(u128::from(aad.len() as u64) | u128::from(text.len() as u64) << 64);
        self.sum.reduced().wrapping_add(self.pad).to_le_bytes()
    }

    /// Adds bytes, padded with zeros to whole blocks.
    #[inline(always)]
    fn update(&mut self, bytes: &[u8]) {
        let (groups, rest) = bytes.as_chunks::<64>();
        if !groups.is_empty() {
            self.raise();
        }
        let [r4, r3, r2, r] = self.powers;
        for group in groups {
            let [a, b, c, d] = blocks(group);
            let mut wide = Wide::default();
            wide.add_product(self.sum.plus(a), r4);
            wide.add_product(Number::of_block(b), r3);
            wide.add_product(Number::of_block(c), r2);
            wide.add_product(Number::of_block(d), r);
            self.sum = wide.carried();
        }
        let (blocks, rest) = rest.as_chunks::<16>();
        for block in blocks {
            self.add(u128::from_le_bytes(*block));
        }
        if !rest.is_empty() {
            let mut block = [0; 16];
            block.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.add(u128::from_le_bytes(block));
        }
    }

    /// Adds a block.
    #[inline(always)]
    fn add(&mut self, block: u128) {
        let [.., r] = self.powers;
        self.sum = self.sum.plus(block).times(r);
    }

    /// The hash so far.
    pub(super) fn sum(&self) -> Number {
        self.sum
    }

    /// Replaces the hash so far.
    pub(super) fn set_sum(&mut self, sum: Number) {
        self.sum = sum;
    }

    /// r to r^8.
    #[inline(always)]
    pub(super) fn powers_to_8(&mut self) -> [Number; 8] {
        self.raise();
        let [r4, r3, r2, r] = self.powers;
        [r, r2, r3, r4, r4.times(r), r4.times(r2), r4.times(r3), r4.times(r4)]
    }

    /// Computes the powers of r.
    #[inline(always)]
    fn raise(&mut self) {
        if !self.has_powers {
            let [.., r] = self.powers;
            let r2 = r.times(r);
            self.powers = [r2.times(r2), r2.times(r), r2, r];
            self.has_powers = true;
        }
    }
}

impl Drop for Poly1305 {
    fn drop(&mut self) {
        self.powers.iter_mut().for_each(|power| power.0.zeroize());
        self.sum.0.zeroize();
        self.pad.zeroize();
    }
}

impl Number {
    #[inline(always)]
    fn new(value: u128) -> Self {
        Self([value as u64 & LIMB, (value >> 44) as u64 & LIMB, (value >> 88) as u64])
    }

    /// A block of 16 bytes with a bit after it.
    #[inline(always)]
    fn of_block(block: u128) -> Self {
        let Self([low, middle, high]) = Self::new(block);
        Self([low, middle, high | 1 << 40])
    }

    /// The sum with a block.
    #[inline(always)]
    fn plus(self, block: u128) -> Self {
        let Self([a, b, c]) = self;
        let Self([d, e, f]) = Self::of_block(block);
        Self([a + d, b + e, c + f])
    }

    #[inline(always)]
    fn times(self, other: Self) -> Self {
        let mut wide = Wide::default();
        wide.add_product(self, other);
        wide.carried()
    }

    /// The same number, in limbs that a sum may be added to.
    #[inline(always)]
    pub(super) fn carried(self) -> Self {
        Wide(self.0.map(u128::from)).carried()
    }

    /// The lower 128 bits of the number modulo 2^130 - 5.
    fn reduced(self) -> u128 {
        let Self([mut a, mut b, mut c]) = self;
        for _ in 0..2 {
            b += a >> 44;
            a &= LIMB;
            c += b >> 44;
            b &= LIMB;
            a += (c >> 42) * 5;
            c &= TOP_LIMB;
        }
        b += a >> 44;
        a &= LIMB;
        c += b >> 44;
        b &= LIMB;
        // Less the modulus: plus 5 less 2^130. It is negative if bit 42 is clear.
        let low = a + 5;
        let middle = b + (low >> 44);
        let high = c + (middle >> 44);
        let is_less = (high >> 42).ct_eq(&0).unwrap_u8();
        let kept = u64::from(is_less).wrapping_neg();
        let select = |number: u64, less: u64| number & kept | less & !kept;
        let a = u128::from(select(a, low & LIMB));
        let b = u128::from(select(b, middle & LIMB));
        a | b << 44 | u128::from(select(c, high & TOP_LIMB)) << 88
    }
}

impl Wide {
    #[inline(always)]
    fn add_product(&mut self, left: Number, right: Number) {
        let Number([a, b, c]) = left;
        let Number([d, e, f]) = right;
        let product = |x: u64, y: u64| u128::from(x) * u128::from(y);
        // 2^132 is 20 modulo 2^130 - 5.
        let (e20, f20) = (e * 20, f * 20);
        let Self([low, middle, high]) = self;
        *low += product(a, d) + product(b, f20) + product(c, e20);
        *middle += product(a, e) + product(b, d) + product(c, f20);
        *high += product(a, f) + product(b, e) + product(c, d);
    }

    #[inline(always)]
    fn carried(self) -> Number {
        let Self([low, middle, high]) = self;
        let middle = middle + (low >> 44);
        let high = high + (middle >> 44);
        let low = (low as u64 & LIMB) + (high >> 42) as u64 * 5;
        let middle = (middle as u64 & LIMB) + (low >> 44);
        Number([low & LIMB, middle, high as u64 & TOP_LIMB])
    }
}

#[inline(always)]
fn halves(key: &[u8; 32]) -> [u128; 2] {
    let (blocks, _) = key.as_chunks::<16>();
    core::array::from_fn(|index| blocks.get(index).map_or(0, |it| u128::from_le_bytes(*it)))
}

#[inline(always)]
fn blocks(group: &[u8; 64]) -> [u128; 4] {
    let (blocks, _) = group.as_chunks::<16>();
    core::array::from_fn(|index| blocks.get(index).map_or(0, |it| u128::from_le_bytes(*it)))
}
