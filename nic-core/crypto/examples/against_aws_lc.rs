//! Every tier beside aws-lc, interleaved: `taskset -c 1 cargo run --release -p nic-crypto --example
//! against_aws_lc [ROUNDS]`.

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::aead;
use nic_crypto::{
    AeadKey, ExtendedState, Level, Open, Processor, Seal, Source, Suite, TAG_LEN, Tier,
};

const IMIX: [usize; 12] = [64, 576, 64, 64, 1420, 64, 576, 64, 576, 64, 576, 64];

/// The packets of a batch of `N`, one after the other.
#[derive(Clone)]
struct Batch<const N: usize> {
    lens: [usize; N],
    plain: Vec<u8>,
    sealed: Vec<u8>,
    tags: [[u8; TAG_LEN]; N],
    opened: Vec<u8>,
}

impl<const N: usize> Batch<N> {
    fn new(lens: [usize; N]) -> Self {
        let bytes = lens.iter().sum();
        Self {
            lens,
            plain: vec![0x5a; bytes],
            sealed: vec![0; bytes],
            tags: [[0; TAG_LEN]; N],
            opened: vec![0; bytes],
        }
    }

    fn seal(&mut self, key: &AeadKey, tier: Tier<'_>) {
        let sources = cut(&self.plain, self.lens).map(|text| [text]);
        let (mut rest, mut tags) = (&mut self.sealed[..], self.tags.iter_mut());
        let mut packets: [Seal<'_>; N] = std::array::from_fn(|number| {
            let output = rest.split_off_mut(..self.lens[number]).unwrap();
            let source = Source::Fragments(&sources[number]);
            Seal::new(nonce(number), b"12345678", source, output, tags.next().unwrap())
        });
        black_box(key).seal(tier, &mut packets);
    }

    fn open(&mut self, key: &AeadKey, tier: Tier<'_>) {
        let sources = cut(&self.sealed, self.lens).map(|text| [text]);
        let mut rest = &mut self.opened[..];
        let mut packets: [Open<'_>; N] = std::array::from_fn(|number| {
            let output = rest.split_off_mut(..self.lens[number]).unwrap();
            let source = Source::Fragments(&sources[number]);
            Open::new(nonce(number), b"12345678", source, self.tags[number], output)
        });
        black_box(key).open(tier, &mut packets);
    }

    /// aws-lc copies nothing: it is given its input in the output buffer.
    fn theirs(&mut self, key: &aead::LessSafeKey, is_open: bool) {
        let mut at = 0;
        for (number, len) in self.lens.iter().enumerate() {
            let nonce = aead::Nonce::assume_unique_for_key(nonce(number));
            let aad = aead::Aad::from(b"12345678");
            if is_open {
                let tag = self.tags[number];
                key.open_separate_gather(
                    nonce,
                    aad,
                    &self.sealed[at..at + len],
                    &tag,
                    &mut self.opened[at..at + len],
                )
                .unwrap();
            } else {
                let buffer = &mut self.sealed[at..at + len];
                buffer.copy_from_slice(&self.plain[at..at + len]);
                let tag = key.seal_in_place_separate_tag(nonce, aad, buffer).unwrap();
                self.tags[number].copy_from_slice(tag.as_ref());
            }
            at += len;
        }
    }
}

fn cut<const N: usize>(mut bytes: &[u8], lens: [usize; N]) -> [&[u8]; N] {
    lens.map(|len| bytes.split_off(..len).unwrap())
}

fn nonce(number: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&(number as u64).to_le_bytes());
    nonce
}

fn main() {
    let rounds = std::env::args().nth(1).map_or(15, |text| text.parse().unwrap());
    let only = std::env::args().nth(2).unwrap_or_default();
    println!("{:?}", Processor::detect());
    println!("{:<34} aws-lc ns, ratios: portable sse avx2 avx512", "");
    for suite in [Suite::ChaCha20Poly1305, Suite::Aes128Gcm, Suite::Aes256Gcm] {
        if !format!("{suite:?}").contains(&only) {
            continue;
        }
        let keys = Keys::new(suite);
        for len in [64, 576, 1420, 8192] {
            keys.compare(&format!("16x{len}"), [len; 16], rounds);
        }
        keys.compare("imix", IMIX, rounds);
        for len in [64, 1420] {
            keys.compare(&format!("1x{len}"), [len], rounds);
        }
    }
}

/// The same key for both.
struct Keys {
    suite: Suite,
    ours: AeadKey,
    theirs: aead::LessSafeKey,
}

impl Keys {
    fn new(suite: Suite) -> Self {
        let algorithm = match suite {
            Suite::Aes128Gcm => &aead::AES_128_GCM,
            Suite::Aes256Gcm => &aead::AES_256_GCM,
            _ => &aead::CHACHA20_POLY1305,
        };
        let key = &[7; 32][..suite.key_len()];
        let theirs = aead::UnboundKey::new(algorithm, key).unwrap();
        Self {
            suite,
            ours: AeadKey::new(suite, key).unwrap(),
            theirs: aead::LessSafeKey::new(theirs),
        }
    }

    /// Prints the median time of aws-lc for a batch, and the medians of the tiers' ratios to it.
    fn compare<const N: usize>(&self, name: &str, lens: [usize; N], rounds: usize) {
        let state = ExtendedState::of_process();
        let levels = [Level::Portable, Level::Sse, Level::Avx2, Level::Avx512];
        let tiers = levels.map(|level| Processor::detect().limited(level).extended(&state));
        let mut batch = Batch::new(lens);
        let repeat = (100_000 / lens.iter().sum::<usize>()).max(1);
        for is_open in [false, true] {
            batch.seal(&self.ours, tiers[3]);
            let mut measure = |candidate: Option<Tier<'_>>| {
                let start = Instant::now();
                for _ in 0..repeat {
                    match (candidate, is_open) {
                        (None, _) => batch.theirs(&self.theirs, is_open),
                        (Some(tier), false) => batch.seal(&self.ours, tier),
                        (Some(tier), true) => batch.open(&self.ours, tier),
                    }
                }
                start.elapsed().as_nanos() as f64 / repeat as f64
            };
            let mut times = [const { Vec::new() }; 5];
            for round in 0..rounds {
                for turn in 0..5 {
                    let index = (turn + round) % 5;
                    let candidate = index.checked_sub(1).map(|tier| tiers[tier]);
                    measure(candidate);
                    times[index].push(median((0..7).map(|_| measure(candidate))));
                }
            }
            let word = if is_open { "open" } else { "seal" };
            let [theirs, ours @ ..] = &times;
            let time = median(theirs.iter().copied());
            print!("{:<18}{name:>8} {word:<5} {time:>8.0}", format!("{:?}", self.suite));
            for ours in ours {
                print!(" {:>6.2}", median(theirs.iter().zip(ours).map(|(a, b)| a / b)));
            }
            println!();
        }
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}
