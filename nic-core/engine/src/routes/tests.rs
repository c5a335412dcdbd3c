use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr},
    string::{String, ToString},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    vec::Vec,
};

use super::*;
use crate::plain::PlainLock;

type Table = Routes<PlainLock>;

fn peer(index: u32) -> PeerId {
    PeerId { index, generation: index % 3 }
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), length: length.parse().unwrap() }
}

fn owner(table: &Table, address: &str) -> Option<u32> {
    table.lookup(address.parse().unwrap()).map(|peer| peer.index)
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 16) % bound
    }

    /// An address of few distinct nibbles, so that prefixes overlap.
    fn address(&mut self) -> IpAddr {
        let mut bits = 0_u128;
        for _ in 0..32 {
            bits = bits << 4 | u128::from(self.below(16) & if self.below(3) == 0 { 9 } else { 0 });
        }
        if self.below(2) == 0 {
            Ipv4Addr::from_bits(bits as u32).into()
        } else {
            Ipv6Addr::from_bits(bits).into()
        }
    }

    fn prefix(&mut self) -> Prefix {
        let address = self.address();
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Prefix { address, length: self.below(bits + 1) as u8 }
    }
}

/// A table that looks at every prefix.
#[derive(Default)]
struct Naive(HashMap<(bool, u128, u8), PeerId>);

impl Naive {
    fn key(prefix: Prefix) -> (bool, u128, u8) {
        let (is_v4, bits) = Self::bits(prefix.address);
        let kept = u32::from(prefix.length);
        (is_v4, if kept == 0 { 0 } else { bits >> (128 - kept) << (128 - kept) }, prefix.length)
    }

    fn bits(address: IpAddr) -> (bool, u128) {
        match address {
            IpAddr::V4(address) => (true, u128::from(address.to_bits()) << 96),
            IpAddr::V6(address) => (false, address.to_bits()),
        }
    }

    fn lookup(&self, address: IpAddr) -> Option<PeerId> {
        let bits = Self::bits(address);
        self.0
            .iter()
            .filter(|((is_v4, prefix, length), _)| {
                *is_v4 == bits.0 && (*length == 0 || (bits.1 ^ prefix) >> (128 - length) == 0)
            })
            .max_by_key(|((_, _, length), _)| *length)
            .map(|(_, peer)| *peer)
    }
}

fn listed(table: &Table, peer: PeerId) -> Vec<(bool, u128, u8)> {
    let mut list = Vec::new();
    table.for_each(peer, &mut |prefix| list.push(Naive::key(prefix)));
    list
}

#[test]
fn the_longest_prefix_wins() {
    let table = Table::new();
    for (index, text) in [
        "192.168.4.0/24",
        "192.168.4.4/32",
        "192.168.0.0/16",
        "192.95.5.64/27",
        "192.95.5.65/27",
        "0.0.0.0/0",
        "64.15.112.0/20",
        "64.15.123.128/25",
        "2607:5300:6006:b00::/64",
        "::/0",
        "2607:5300:6006:b00::c05f:543/128",
    ]
    .into_iter()
    .enumerate()
    {
        table.insert(prefix(text), peer(index as u32)).unwrap();
    }
    for (address, expected) in [
        ("192.168.4.20", 0),
        ("192.168.4.4", 1),
        ("192.168.200.182", 2),
        ("192.95.5.68", 4),
        ("1.2.3.4", 5),
        ("64.15.116.26", 6),
        ("64.15.123.129", 7),
        ("2607:5300:6006:b00::1", 8),
        ("2607::", 9),
        ("2607:5300:6006:b00::c05f:543", 10),
    ] {
        assert_eq!(owner(&table, address), Some(expected), "{address}");
    }
}

#[test]
fn a_prefix_belongs_to_its_last_claimer() {
    let table = Table::new();
    table.insert(prefix("10.0.0.0/8"), peer(1)).unwrap();
    table.insert(prefix("10.1.2.3/8"), peer(2)).unwrap();
    assert_eq!(owner(&table, "10.9.9.9"), Some(2));
    assert!(listed(&table, peer(1)).is_empty());
    assert!(!table.remove(prefix("10.0.0.0/8"), peer(1)));
    assert!(!table.remove(prefix("10.0.0.0/8"), PeerId { index: 2, generation: 77 }));
    assert!(!table.remove(prefix("10.0.0.0/9"), peer(2)));
    assert_eq!(owner(&table, "10.9.9.9"), Some(2));
    assert!(table.remove(prefix("10.0.0.0/8"), peer(2)));
    assert_eq!(owner(&table, "10.9.9.9"), None);
}

#[test]
fn prefixes_longer_than_their_address_are_refused() {
    let table = Table::new();
    for bad in [
        Prefix { address: Ipv4Addr::LOCALHOST.into(), length: 33 },
        Prefix { address: Ipv6Addr::LOCALHOST.into(), length: 129 },
    ] {
        assert_eq!(table.insert(bad, peer(1)), Err(InsertError::BadLength));
        assert!(!table.remove(bad, peer(1)));
        assert_eq!(table.owner(bad), None);
    }
    assert_eq!(owner(&table, "127.0.0.1"), None);
}

#[test]
fn a_peers_prefixes_are_listed_in_order_v4_first() {
    let table = Table::new();
    for text in ["fd00::/8", "10.2.0.0/16", "10.1.0.0/16", "::/0", "10.3.0.0/16"] {
        table.insert(prefix(text), peer(7)).unwrap();
    }
    table.insert(prefix("10.1.0.0/16"), peer(8)).unwrap();
    table.insert(prefix("10.2.0.0/16"), peer(7)).unwrap();
    let mut list = Vec::new();
    table.for_each(peer(7), &mut |prefix| list.push(prefix.to_string()));
    assert_eq!(list, ["10.2.0.0/16", "10.3.0.0/16", "fd00::/8", "::/0"]);
}

#[test]
fn it_agrees_with_a_naive_table_over_random_operations() {
    let table = Table::new();
    let mut naive = Naive::default();
    let mut random = Random(0x1234_5678_9abc_def1);
    for step in 0..100_000 {
        let owner = peer(random.below(24) as u32);
        match random.below(16) {
            0..8 => {
                let prefix = random.prefix();
                table.insert(prefix, owner).unwrap();
                naive.0.insert(Naive::key(prefix), owner);
            }
            8..15 => {
                // Mostly a prefix that exists, mostly with its owner.
                let listed = listed(&table, owner);
                let (is_v4, bits, length) = listed
                    .get(random.below(listed.len().max(1) as u64) as usize)
                    .copied()
                    .unwrap_or_else(|| Naive::key(random.prefix()));
                let address = if is_v4 {
                    Ipv4Addr::from_bits((bits >> 96) as u32).into()
                } else {
                    Ipv6Addr::from_bits(bits).into()
                };
                let by = if random.below(8) == 0 { peer(random.below(24) as u32) } else { owner };
                let expected = naive.0.get(&(is_v4, bits, length)) == Some(&by);
                let prefix = Prefix { address, length };
                assert_eq!(table.owner(prefix), naive.0.get(&(is_v4, bits, length)).copied());
                if expected {
                    naive.0.remove(&(is_v4, bits, length));
                }
                assert_eq!(table.remove(prefix, by), expected);
            }
            _ if random.below(40) == 0 => {
                table.remove_peer(owner);
                naive.0.retain(|_, peer| *peer != owner);
            }
            _ => {}
        }
        for _ in 0..4 {
            let address = random.address();
            assert_eq!(table.lookup(address), naive.lookup(address), "step {step}, {address}");
        }
    }
    for index in 0..24 {
        let mut expected: Vec<_> = naive
            .0
            .iter()
            .filter(|(_, owner)| **owner == peer(index))
            .map(|(key, _)| *key)
            .collect();
        let mut list = listed(&table, peer(index));
        expected.sort_unstable();
        list.sort_unstable();
        assert_eq!(list, expected);
        table.remove_peer(peer(index));
    }
    // Nothing is left, and no node is lost.
    let mut dump = String::new();
    table.write_graphviz(&mut dump).unwrap();
    assert_eq!(dump.matches("style=dashed").count(), 2, "{dump}");
}

#[test]
fn nodes_are_used_again() {
    let table = Table::new();
    let mut random = Random(99);
    table.reserve(64, 64, 4).unwrap();
    for _ in 0..1000 {
        for _ in 0..32 {
            table.insert(random.prefix(), peer(1)).unwrap();
        }
        table.remove_peer(peer(1));
    }
    // `reserve` found room for 64 prefixes of a family; so few never need more.
    let writers = table.writers.lock();
    assert!(writers.v4.nodes() <= 256 && writers.v6.nodes() <= 256);
}

#[test]
fn readers_never_see_a_wrong_peer_for_a_prefix_that_stays() {
    let table = Table::new();
    let stop = AtomicBool::new(false);
    let fixed: Vec<(Prefix, PeerId)> = (0..64)
        .map(|n: u32| {
            let address = if n.is_multiple_of(2) {
                Ipv4Addr::from_bits(0x0a00_0000 | n << 12 | 1).into()
            } else {
                Ipv6Addr::from_bits(0xfd << 120 | u128::from(n) << 70 | 1).into()
            };
            (Prefix { address, length: if n.is_multiple_of(2) { 32 } else { 128 } }, peer(100 + n))
        })
        .collect();
    for (prefix, owner) in &fixed {
        table.insert(*prefix, *owner).unwrap();
    }
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for (prefix, owner) in &fixed {
                        assert_eq!(table.lookup(prefix.address), Some(*owner));
                    }
                }
            });
        }
        let mut random = Random(5);
        for round in 0..300 {
            let mut inserted = Vec::new();
            for _ in 0..200 {
                // Around and above the fixed ones, never the same.
                let (near, _) = fixed[random.below(64) as usize];
                let most = if near.address.is_ipv4() { 32 } else { 128 };
                let length = random.below(most) as u8;
                let flip = 1_u128 << random.below(most);
                let address = match near.address {
                    IpAddr::V4(address) => {
                        Ipv4Addr::from_bits(address.to_bits() ^ flip as u32).into()
                    }
                    IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() ^ flip).into(),
                };
                let prefix = Prefix { address, length };
                table.insert(prefix, peer(round % 7)).unwrap();
                inserted.push(prefix);
            }
            for prefix in inserted {
                table.remove(prefix, peer(round % 7));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn the_graph_names_every_prefix_its_peer_and_its_place() {
    let table = Table::new();
    for (index, text) in
        ["10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "fd00::/8"].into_iter().enumerate()
    {
        table.insert(prefix(text), peer(index as u32)).unwrap();
    }
    let mut dump = String::new();
    table.write_graphviz(&mut dump).unwrap();
    let lines: Vec<_> = dump.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "digraph routes {",
            "node [shape=box];",
            r#""0.0.0.0/0" [style=dashed];"#,
            r#""0.0.0.0/0" -> "10.0.0.0/8" [label=0];"#,
            r#""10.0.0.0/8" [label="10.0.0.0/8\npeer 0"];"#,
            r#""10.0.0.0/8" -> "10.0.0.0/14" [label=0];"#,
            r#""10.0.0.0/14" [style=dashed];"#,
            r#""10.0.0.0/14" -> "10.1.0.0/16" [label=0];"#,
            r#""10.0.0.0/14" -> "10.2.0.0/16" [label=1];"#,
            r#""10.1.0.0/16" [label="10.1.0.0/16\npeer 1"];"#,
            r#""10.2.0.0/16" [label="10.2.0.0/16\npeer 2"];"#,
            r#""::/0" [style=dashed];"#,
            r#""::/0" -> "fd00::/8" [label=1];"#,
            r#""fd00::/8" [label="fd00::/8\npeer 3"];"#,
            "}",
        ]
    );
}
