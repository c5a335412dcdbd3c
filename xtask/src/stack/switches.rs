//! Where the jumps of a function's `match`es lead: by tables of LLVM's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::code::{Flow, Instruction, Place, Source};
use crate::image::file::Image;

/// Where the jumps of a function's `match`es may lead. LLVM keeps tables of distances: from the
/// table itself in 4 bytes, or on ARM64 from an address in the function, in instructions, in 1 or 2
/// bytes. Each is read as far as it leads into the function or to the next thing whose address is
/// taken.
pub(super) struct Switches {
    /// By the addresses of their jumps.
    known: BTreeMap<u32, Vec<usize>>,
    /// Of all others: where all that could be a table leads, or everywhere where that is not known.
    others: Vec<usize>,
}

impl Switches {
    /// Those of a function: `all` are the addresses that the image's functions make, `places` its
    /// instructions by their addresses.
    pub(super) fn of(
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
        all: &BTreeSet<u32>,
        places: &BTreeMap<u32, usize>,
    ) -> Self {
        let made = Addresses::of(code);
        let targets = |table: &Table| -> Vec<usize> {
            let targets = table.targets(image, own, all).into_iter();
            targets.filter_map(|target| places.get(&target).copied()).collect()
        };
        let known = made.tables.iter().map(|(jump, table)| (*jump, targets(table)));
        let known: BTreeMap<u32, Vec<usize>> =
            known.filter(|(_, targets)| !targets.is_empty()).collect();
        let tables = made.all.iter().filter(|address| !own.contains(address));
        let tables = tables.map(|table| Table { address: *table, base: *table, bytes: 4 });
        let mut others: BTreeSet<usize> = tables.flat_map(|table| targets(&table)).collect();
        // An address within the function is what a table's elements are from.
        let has_bases =
            made.all.iter().any(|address| own.contains(address) && *address != own.start);
        if has_bases || others.is_empty() {
            others = (0..code.len()).collect();
        }
        Self { known, others: others.into_iter().collect() }
    }

    /// Where this jump leads.
    pub(super) fn targets(&self, jump: u32) -> Vec<usize> {
        self.known.get(&jump).unwrap_or(&self.others).clone()
    }
}

/// A table of distances.
#[derive(Clone, Copy)]
struct Table {
    address: u32,
    /// What they are from.
    base: u32,
    /// Of each.
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

/// What a function makes of addresses, each within a run of instructions that nothing jumps into.
#[derive(Default)]
pub(crate) struct Addresses {
    pub(crate) all: BTreeSet<u32>,
    /// The tables of the `match`es, by the addresses of their jumps.
    tables: BTreeMap<u32, Table>,
}

/// What is known of places in such a run.
#[derive(Default)]
struct Run {
    addresses: BTreeMap<Place, u32>,
    /// Elements of tables: where the table is, and how long each.
    elements: BTreeMap<Place, (u32, u32)>,
    /// Elements added to what they are from.
    arms: BTreeMap<Place, Table>,
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
        let mut made = Self::default();
        let mut run = Run::default();
        for instruction in code {
            if starts.contains(&instruction.address) {
                run = Run::default();
            }
            match instruction.flow {
                Flow::On | Flow::Branch(_) | Flow::Call(_) | Flow::CallOf(_) => {
                    made.all.extend(run.step(instruction));
                }
                Flow::Switch(Source::Place(place)) | Flow::JumpOf(Source::Place(place)) => {
                    let table = run.arms.get(&place);
                    made.tables.extend(table.map(|table| (instruction.address, *table)));
                    run = Run::default();
                }
                _ => run = Run::default(),
            }
        }
        made
    }
}

impl Run {
    /// Takes one instruction more; says which addresses it makes.
    fn step(&mut self, instruction: &Instruction) -> Vec<u32> {
        let mut next = Self::default();
        for (place, source) in &instruction.puts {
            match source {
                Source::Address(address) => _ = next.addresses.insert(*place, *address),
                Source::More(from, more) => {
                    let address = self.addresses.get(from).map(|from| from.wrapping_add(*more));
                    next.addresses.extend(address.map(|address| (*place, address)));
                }
                Source::Element(table, bytes) => {
                    let table = self.addresses.get(table);
                    next.elements.extend(table.map(|table| (*place, (*table, *bytes))));
                }
                Source::Sum(left, right) => {
                    let arms =
                        [(left, right), (right, left)].into_iter().find_map(|(from, element)| {
                            let (address, bytes) = *self.elements.get(element)?;
                            Some(Table { address, base: *self.addresses.get(from)?, bytes })
                        });
                    next.arms.extend(arms.map(|arms| (*place, arms)));
                }
                _ => {}
            }
        }
        let made = next.addresses.values().copied().collect();
        let stays = |place: &Place| {
            !instruction.changed.contains(&place.register)
                && instruction.puts.iter().all(|(put, _)| put != place)
        };
        self.addresses.retain(|place, _| stays(place));
        self.elements.retain(|place, _| stays(place));
        self.arms.retain(|place, _| stays(place));
        self.addresses.append(&mut next.addresses);
        self.elements.append(&mut next.elements);
        self.arms.append(&mut next.arms);
        made
    }
}
