//! What is known of registers and slots before each instruction of a function: the compiler loads
//! the address of an import once and keeps it, and makes addresses in several steps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;

use super::code::{Flow, Instruction, Place, Source};
use super::switches::Switches;
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

    /// What places hold before each instruction of a function, on whatever way it is reached. `all`
    /// are the addresses that the image's functions make.
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
