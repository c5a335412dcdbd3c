//! Route look-ups by number of peers.
//!
//! Every peer has one IPv4 address and one IPv6 network of 64 bits; look-ups go to random peers, so
//! that with many peers the table is not in the cache. All tables take turns in every round; the
//! result is the median over the rounds.

use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use nic_engine::plain::PlainLock;
use nic_engine::protocol::PeerId;
use nic_engine::routes::{Prefix, Routes};

/// Numbers of peers.
pub(crate) const PEERS: [u32; 3] = [10, 1_000, 100_000];

const ROUNDS: usize = 31;
/// Look-ups in a round.
const LOOKUPS: usize = 1 << 15;

/// One result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// How many peers.
    pub(crate) peers: u32,
    /// Whether of IPv6 addresses.
    pub(crate) is_v6: bool,
    /// Median of look-ups in a second.
    pub(crate) lookups_per_s: f64,
}

/// Measures everything; takes a second.
pub(crate) fn run() -> Vec<Row> {
    let mut candidates: Vec<Candidate> = PEERS
        .into_iter()
        .flat_map(|peers| [false, true].map(|v6| Candidate::new(peers, v6)))
        .collect();
    for _ in 0..ROUNDS {
        candidates.iter_mut().for_each(Candidate::take_turn);
    }
    candidates.iter_mut().map(Candidate::row).collect()
}

/// A Markdown table of million look-ups in a second, a line per family, a column per number of
/// peers.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut text = String::from("| one core, million look-ups/s |");
    for peers in PEERS {
        _ = write!(text, " {peers} peers |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(PEERS.len()));
    for (is_v6, name) in [(false, "IPv4"), (true, "IPv6")] {
        _ = write!(text, "\n| {name} |");
        for peers in PEERS {
            let row = rows.iter().find(|row| row.is_v6 == is_v6 && row.peers == peers);
            _ = write!(text, " {:.1} |", row.map_or(f64::NAN, |row| row.lookups_per_s / 1e6));
        }
    }
    text.push('\n');
    text
}

/// A table, what is looked up in it, and its times.
struct Candidate {
    peers: u32,
    is_v6: bool,
    routes: Routes<PlainLock>,
    /// Addresses and whose they are.
    lookups: Vec<(IpAddr, u32)>,
    lookups_per_s: Vec<f64>,
}

impl Candidate {
    fn new(peers: u32, is_v6: bool) -> Self {
        let routes = Routes::new();
        let mut random = Random(u64::from(peers) | 1 << 40);
        let addresses: Vec<_> = (0..peers)
            .map(|index| {
                let peer = PeerId { index, generation: 0 };
                let [v4, v6] = [
                    IpAddr::from(Ipv4Addr::from_bits(random.next() as u32)),
                    IpAddr::from(Ipv6Addr::from_bits(u128::from(random.next()) << 64 | 1)),
                ];
                for (address, length) in [(v4, 32), (v6, 64)] {
                    routes.insert(Prefix { address, length }, peer).expect("memory");
                }
                if is_v6 { v6 } else { v4 }
            })
            .collect();
        let lookups = (0..LOOKUPS)
            .map(|_| {
                let address = addresses[random.next() as usize % addresses.len()];
                // Two peers may have drawn one address: then it is the last one's.
                (address, routes.lookup(address).expect("it was inserted").index)
            })
            .collect();
        Self { peers, is_v6, routes, lookups, lookups_per_s: Vec::with_capacity(ROUNDS) }
    }

    fn take_turn(&mut self) {
        let start = Instant::now();
        let mut right = 0;
        for (address, peer) in &self.lookups {
            let found = black_box(&self.routes).lookup(black_box(*address));
            right += usize::from(found.is_some_and(|found| found.index == *peer));
        }
        self.lookups_per_s.push(LOOKUPS as f64 / start.elapsed().as_secs_f64());
        assert_eq!(right, LOOKUPS, "every look-up finds its peer");
    }

    fn row(&mut self) -> Row {
        self.lookups_per_s.sort_unstable_by(f64::total_cmp);
        let lookups_per_s = self.lookups_per_s[ROUNDS / 2];
        Row { peers: self.peers, is_v6: self.is_v6, lookups_per_s }
    }
}

struct Random(u64);

impl Random {
    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }
}
