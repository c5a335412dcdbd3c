//! Sealing and opening on one core, by suite and packet size.
//!
//! All candidates take turns in every round, so that other load on the machine affects them
//! equally. The result is the median over the rounds.

use std::fmt::Write;
use std::hint::black_box;
use std::time::{Duration, Instant};

use nic_crypto::{
    AeadKey, ExtendedState, Open, Processor, Seal, Sealing, Source, Suite, TAG_LEN, Tier, Verdict,
};

/// Plaintext lengths in bytes.
pub(crate) const PACKET_LENS: [usize; 6] = [64, 256, 576, 1280, 1420, 8192];

/// Packets of a batch.
const BATCH: usize = 16;
const ROUNDS: usize = 31;
const SLOT: Duration = Duration::from_millis(2);

/// The operation on the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Copies a source of one fragment to another buffer, and encrypts it.
    Seal,
    /// Likewise copies, verifies and decrypts.
    Open,
}

/// One result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// The suite measured.
    pub(crate) suite: Suite,
    /// The operation.
    pub(crate) direction: Direction,
    /// Plaintext length of a packet in bytes.
    pub(crate) packet_len: usize,
    /// Median time for a packet in nanoseconds.
    pub(crate) packet_ns: f64,
}

impl Row {
    /// Plaintext per core, in Gbit/s.
    #[expect(clippy::cast_precision_loss, reason = "packet lengths are small")]
    pub(crate) fn gbit_per_s(&self) -> f64 {
        self.packet_len as f64 * 8.0 / self.packet_ns
    }
}

/// Measures everything in the widest tier of the machine; takes a few seconds.
pub(crate) fn run() -> Vec<Row> {
    let mut candidates: Vec<Candidate> = Suite::ALL
        .into_iter()
        .flat_map(|suite| PACKET_LENS.map(|packet_len| Candidate::new(suite, packet_len)))
        .collect();
    let registers = ExtendedState::of_process();
    let tier = Processor::detect().extended(&registers);
    for round in 0..ROUNDS {
        let start = round * 7 % candidates.len();
        let (late, early) = candidates.split_at_mut(start);
        for candidate in early.iter_mut().chain(late) {
            candidate.take_turn(tier);
        }
    }
    candidates.iter_mut().flat_map(Candidate::rows).collect()
}

/// A Markdown table of Gbit/s, a line per suite and direction, a column per packet size.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| one core, Gbit/s |");
    for len in PACKET_LENS {
        _ = write!(text, " {len} B |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(PACKET_LENS.len()));
    for suite in Suite::ALL {
        for direction in [Direction::Seal, Direction::Open] {
            _ = write!(text, "\n| {suite:?}, {direction:?} |");
            for row in rows.iter().filter(|row| row.suite == suite && row.direction == direction) {
                _ = write!(text, " {:.2} |", row.gbit_per_s());
            }
        }
    }
    text.push('\n');
    text
}

/// A suite at a packet size, with its packets and its times.
struct Candidate {
    suite: Suite,
    packet_len: usize,
    key: AeadKey,
    plain: Vec<u8>,
    sealed: Vec<u8>,
    tags: [[u8; TAG_LEN]; BATCH],
    opened: Vec<u8>,
    seal_ns: Vec<f64>,
    open_ns: Vec<f64>,
}

impl Candidate {
    fn new(suite: Suite, packet_len: usize) -> Self {
        let bytes = packet_len * BATCH;
        Self {
            suite,
            packet_len,
            key: AeadKey::new(suite, &[7; 32][..suite.key_len()]).expect("a key of its length"),
            plain: vec![0x5a; bytes],
            sealed: vec![0; bytes],
            tags: [[0; TAG_LEN]; BATCH],
            opened: vec![0; bytes],
            seal_ns: Vec::with_capacity(ROUNDS),
            open_ns: Vec::with_capacity(ROUNDS),
        }
    }

    fn take_turn(&mut self, tier: Tier<'_>) {
        let packet_ns = slot(|| self.seal(tier));
        self.seal_ns.push(packet_ns);
        let packet_ns = slot(|| self.open(tier));
        self.open_ns.push(packet_ns);
        assert!(self.opened == self.plain, "opening doesn't return what was sealed");
    }

    fn seal(&mut self, tier: Tier<'_>) {
        let mut outputs = self.sealed.chunks_exact_mut(self.packet_len);
        let mut tags = self.tags.iter_mut();
        let sources = fragments(&self.plain, self.packet_len);
        let mut packets: [Seal<'_>; BATCH] = std::array::from_fn(|number| {
            Seal::new(
                nonce(number),
                &[],
                Source::Fragments(&sources[number]),
                outputs.next().expect("one for each"),
                tags.next().expect("one for each"),
            )
        });
        black_box(&self.key).seal(tier, &mut packets);
        assert!(packets.iter().all(|seal| seal.sealing == Sealing::Sealed));
    }

    fn open(&mut self, tier: Tier<'_>) {
        let mut outputs = self.opened.chunks_exact_mut(self.packet_len);
        let sources = fragments(&self.sealed, self.packet_len);
        let mut packets: [Open<'_>; BATCH] = std::array::from_fn(|number| {
            Open::new(
                nonce(number),
                &[],
                Source::Fragments(&sources[number]),
                self.tags[number],
                outputs.next().expect("one for each"),
            )
        });
        black_box(&self.key).open(tier, &mut packets);
        assert!(packets.iter().all(|open| open.verdict == Verdict::Authentic));
    }

    fn rows(&mut self) -> [Row; 2] {
        let row = |direction, packet_ns| Row {
            suite: self.suite,
            direction,
            packet_len: self.packet_len,
            packet_ns,
        };
        [
            row(Direction::Seal, median(&mut self.seal_ns)),
            row(Direction::Open, median(&mut self.open_ns)),
        ]
    }
}

/// The median time per packet over the batches that fit into a [`SLOT`], in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of one batch")]
fn slot(mut batch: impl FnMut()) -> f64 {
    let mut batches_ns = Vec::with_capacity(4096);
    let start = Instant::now();
    let mut from = start;
    loop {
        batch();
        let to = Instant::now();
        batches_ns.push((to - from).as_nanos() as f64);
        from = to;
        if to - start >= SLOT {
            return median(&mut batches_ns) / BATCH as f64;
        }
    }
}

fn fragments(bytes: &[u8], packet_len: usize) -> [[&[u8]; 1]; BATCH] {
    let mut packets = bytes.chunks_exact(packet_len);
    std::array::from_fn(|_| [packets.next().expect("one for each")])
}

fn nonce(number: usize) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&(number as u64).to_le_bytes());
    nonce
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples[samples.len() / 2]
}
