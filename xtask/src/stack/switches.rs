//! The targets of a function's `match` jumps, from LLVM's jump tables.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::code::{Flow, Instruction, Location, Source};
use crate::image::file::Image;

/// The possible targets of a function's `match` jumps.
///
/// LLVM's jump tables hold distances: in 4 bytes from the table itself, or on ARM64 in 1 or 2 bytes
/// from an address in the function, counted in instructions. A table ends before the first entry
/// that leads out of the function, and before the next address that is taken.
pub(super) struct Switches {
    /// Those of a known table, by the address of the jump.
    known: BTreeMap<u32, Vec<usize>>,
    /// Those of all other jumps: the targets of all possible tables, or the whole function if the
    /// tables are unknown.
    others: Vec<usize>,
}

impl Switches {
    /// The targets in a function. `all` holds the addresses that the image's functions compute,
    /// `indices` the function's instructions by address.
    pub(super) fn of(
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
        all: &BTreeSet<u32>,
        indices: &BTreeMap<u32, usize>,
    ) -> Self {
        let found = Addresses::of(code);
        let targets = |table: &Table| -> Vec<usize> {
            let targets = table.targets(image, own, all).into_iter();
            targets.filter_map(|target| indices.get(&target).copied()).collect()
        };
        let known = found.tables.iter().map(|(jump, table)| (*jump, targets(table)));
        let known: BTreeMap<u32, Vec<usize>> =
            known.filter(|(_, targets)| !targets.is_empty()).collect();
        let tables = found.all.iter().filter(|address| !own.contains(address));
        let tables = tables.map(|table| Table { address: *table, base: *table, bytes: 4 });
        let mut others: BTreeSet<usize> = tables.flat_map(|table| targets(&table)).collect();
        // An address within the function may be the base of a table.
        let has_bases =
            found.all.iter().any(|address| own.contains(address) && *address != own.start);
        if has_bases || others.is_empty() {
            others = (0..code.len()).collect();
        }
        Self { known, others: others.into_iter().collect() }
    }

    /// The targets of a jump.
    pub(super) fn targets(&self, jump: u32) -> Vec<usize> {
        self.known.get(&jump).unwrap_or(&self.others).clone()
    }
}

/// A jump table.
#[derive(Clone, Copy)]
struct Table {
    address: u32,
    /// The address that its distances are relative to.
    base: u32,
    /// The size of a distance.
    bytes: u32,
}

impl Table {
    fn targets(&self, image: &Image<'_>, own: &Range<u32>, all: &BTreeSet<u32>) -> Vec<u32> {
        let Ok(data) = image.data_at(self.address) else { return Vec::new() };
        let next = all.range(self.address + 1..).next();
        let length = next.map_or(data.len(), |next| (next - self.address) as usize);
        let entries = data.get(..length).unwrap_or(data).chunks_exact(self.bytes as usize);
        let scale = if self.bytes == 4 { 1 } else { 4 };
        entries
            .map(|entry| entry.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
            .map(|distance| self.base.wrapping_add(scale * distance))
            .take_while(|target| own.contains(target))
            .collect()
    }
}

/// The addresses that a function computes, each within a basic block.
#[derive(Default)]
pub(crate) struct Addresses {
    pub(crate) all: BTreeSet<u32>,
    /// The jump tables, by the addresses of their jumps.
    tables: BTreeMap<u32, Table>,
}

/// What locations hold at a point of a basic block.
#[derive(Default)]
struct Block {
    addresses: BTreeMap<Location, u32>,
    /// Elements of tables: the table's address, and the size of an element.
    elements: BTreeMap<Location, (u32, u32)>,
    /// Elements added to their base.
    arms: BTreeMap<Location, Table>,
}

impl Addresses {
    pub(crate) fn of(code: &[Instruction]) -> Self {
        let starts: BTreeSet<u32> = code
            .iter()
            .filter_map(|instruction| match instruction.flow {
                Flow::Jump(target) | Flow::Branch(target) => Some(target),
                _ => None,
            })
            .collect();
        let mut found = Self::default();
        let mut block = Block::default();
        for instruction in code {
            if starts.contains(&instruction.address) {
                block = Block::default();
            }
            match instruction.flow {
                Flow::Next | Flow::Branch(_) | Flow::Call(_) | Flow::CallIndirect(_) => {
                    found.all.extend(block.step(instruction));
                }
                Flow::Switch(Source::Copy(location))
                | Flow::JumpIndirect(Source::Copy(location)) => {
                    let table = block.arms.get(&location);
                    found.tables.extend(table.map(|table| (instruction.address, *table)));
                    block = Block::default();
                }
                _ => block = Block::default(),
            }
        }
        found
    }
}

impl Block {
    /// Applies one more instruction; returns the addresses that it computes.
    fn step(&mut self, instruction: &Instruction) -> Vec<u32> {
        let mut next = Self::default();
        for (location, source) in &instruction.writes {
            match source {
                Source::Address(address) => _ = next.addresses.insert(*location, *address),
                Source::Offset(from, more) => {
                    let address = self.addresses.get(from).map(|from| from.wrapping_add(*more));
                    next.addresses.extend(address.map(|address| (*location, address)));
                }
                Source::TableEntry(table, bytes) => {
                    let table = self.addresses.get(table);
                    next.elements.extend(table.map(|table| (*location, (*table, *bytes))));
                }
                Source::Sum(left, right) => {
                    let arms =
                        [(left, right), (right, left)].into_iter().find_map(|(from, element)| {
                            let (address, bytes) = *self.elements.get(element)?;
                            Some(Table { address, base: *self.addresses.get(from)?, bytes })
                        });
                    next.arms.extend(arms.map(|arms| (*location, arms)));
                }
                _ => {}
            }
        }
        let found = next.addresses.values().copied().collect();
        let stays = |location: &Location| {
            !instruction.clobbers.contains(&location.register)
                && instruction.writes.iter().all(|(written, _)| written != location)
        };
        self.addresses.retain(|location, _| stays(location));
        self.elements.retain(|location, _| stays(location));
        self.arms.retain(|location, _| stays(location));
        self.addresses.append(&mut next.addresses);
        self.elements.append(&mut next.elements);
        self.arms.append(&mut next.arms);
        found
    }
}
