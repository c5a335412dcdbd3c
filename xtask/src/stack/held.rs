//! What is known of registers and slots before each instruction of a function: the compiler loads the address of an import once and
//! keeps it, and makes addresses in several steps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;

use super::code::{Flow, Instruction, Place, Source};
use crate::image::file::Image;

/// What is known of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The address of one of these imports, by their indices.
    Imports(BTreeSet<usize>),
    /// An address within the image.
    Address(u32),
    /// A sum of two registers.
    Sum,
}

/// What places hold.
pub(crate) type Held = BTreeMap<Place, Value>;

/// The import table.
pub(crate) struct Imports {
    /// Names, in order of the entries.
    pub(crate) names: Vec<String>,
    /// Where the entries are, relative to the image.
    entries: BTreeMap<u32, usize>,
}

impl Imports {
    pub(crate) fn read(image: &Image<'_>) -> Result<Self> {
        let mut imports = Self { names: Vec::new(), entries: BTreeMap::new() };
        let Some(table) = image.pe.import_table()? else { return Ok(imports) };
        let mut names = image.imports()?.into_iter();
        let mut descriptors = table.descriptors()?;
        while let Some(descriptor) = descriptors.next()? {
            let mut thunks = table.thunks(descriptor.original_first_thunk.get(LE))?;
            let mut entry = descriptor.first_thunk.get(LE);
            while thunks.next::<ImageNtHeaders64>()?.is_some() {
                imports.entries.insert(entry, imports.names.len());
                imports.names.extend(names.next().map(|import| import.name));
                entry += 8;
            }
        }
        Ok(imports)
    }

    /// What a source gives.
    pub(crate) fn value(&self, source: Source, held: &Held) -> Option<Value> {
        let address_in = |place| match held.get(place) {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        };
        match source {
            Source::Place(place) => held.get(&place).cloned(),
            Source::Address(address) => Some(Value::Address(address)),
            Source::At(address) => {
                self.entries.get(&address).map(|index| Value::Imports([*index].into()))
            }
            Source::More(place, more) => {
                Some(Value::Address(address_in(&place)?.wrapping_add(more)))
            }
            Source::Behind(place, more) => {
                self.value(Source::At(address_in(&place)?.wrapping_add(more)), held)
            }
            Source::Sum(..) => Some(Value::Sum),
            Source::Element(..) | Source::Other => None,
        }
    }

    /// What places hold before each instruction of a function, on whatever way it is reached. `all` are the addresses that the image's
    /// functions make.
    pub(crate) fn held(
        &self,
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
        all: &BTreeSet<u32>,
    ) -> Vec<Held> {
        let places: BTreeMap<u32, usize> =
            code.iter().enumerate().map(|(index, at)| (at.address, index)).collect();
        let switches = Switches::of(image, code, own, all, &places);
        // Nothing is known of what has not been reached; what is known becomes less until it stays.
        let mut known: Vec<Option<Held>> = vec![None; code.len()];
        let mut work: BTreeSet<usize> = BTreeSet::from([0]);
        if let Some(first) = known.first_mut() {
            *first = Some(Held::new());
        }
        while let Some(index) = work.pop_first() {
            let (Some(instruction), Some(Some(held))) = (code.get(index), known.get(index)) else {
                continue;
            };
            let after = self.after(instruction, held);
            for next in self.successors(instruction, index, held, &places, &switches) {
                let Some(place) = known.get_mut(next) else { continue };
                let met = place.as_ref().map_or_else(|| after.clone(), |held| meet(held, &after));
                if place.as_ref() != Some(&met) {
                    *place = Some(met);
                    work.insert(next);
                }
            }
        }
        known.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// What places hold after an instruction.
    fn after(&self, instruction: &Instruction, held: &Held) -> Held {
        let mut after = held.clone();
        after.retain(|place, _| !instruction.changed.contains(&place.register));
        for (place, source) in &instruction.puts {
            match self.value(*source, held) {
                Some(value) => after.insert(*place, value),
                None => after.remove(place),
            };
        }
        after
    }

    /// Where in the function the processor may be after an instruction.
    fn successors(
        &self,
        instruction: &Instruction,
        index: usize,
        held: &Held,
        places: &BTreeMap<u32, usize>,
        switches: &Switches,
    ) -> Vec<usize> {
        let at = |target| places.get(&target).copied();
        match instruction.flow {
            Flow::On | Flow::Call(_) | Flow::CallOf(_) => vec![index + 1],
            Flow::Jump(target) => at(target).into_iter().collect(),
            Flow::Branch(target) => at(target).into_iter().chain([index + 1]).collect(),
            Flow::Switch(_) => switches.targets(instruction.address),
            Flow::JumpOf(source) if self.value(source, held) == Some(Value::Sum) => {
                switches.targets(instruction.address)
            }
            Flow::JumpOf(_) | Flow::Return | Flow::End => Vec::new(),
        }
    }
}

/// What is so in both; of imports, one of those of either.
fn meet(left: &Held, right: &Held) -> Held {
    let mut both = left.clone();
    both.retain(|place, value| match (value, right.get(place)) {
        (Value::Imports(left), Some(Value::Imports(right))) => {
            left.extend(right);
            true
        }
        (value, right) => right == Some(value),
    });
    both
}

/// Where the jumps of a function's `match`es may lead. LLVM keeps tables of distances: from the table itself in 4 bytes, or on ARM64 from
/// an address in the function, in instructions, in 1 or 2 bytes. Each is read as far as it leads into the function or to the next thing
/// whose address is taken.
struct Switches {
    /// By the addresses of their jumps.
    known: BTreeMap<u32, Vec<usize>>,
    /// Of all others: where all that could be a table leads, or everywhere where that is not known.
    others: Vec<usize>,
}

impl Switches {
    fn of(
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
    fn targets(&self, jump: u32) -> Vec<usize> {
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
