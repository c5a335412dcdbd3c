//! What registers and slots hold before each instruction of a function.
//!
//! The compiler loads the address of an import once and keeps it, and computes addresses in several
//! steps.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;

use super::code::{Flow, Instruction, Location, Source};
use super::switches::Switches;
use crate::image::file::Image;

/// What a location is known to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The address of one of these imports, by their indices.
    Imports(BTreeSet<usize>),
    /// An address within the image.
    Address(u32),
    /// A sum of two registers.
    Sum,
}

/// What locations hold.
pub(crate) type State = BTreeMap<Location, Value>;

/// The import table.
pub(crate) struct Imports {
    /// Names, in order of the entries.
    pub(crate) names: Vec<String>,
    /// The indices of the names, by the entries' addresses relative to the image.
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

    /// The value of a source.
    pub(crate) fn value(&self, source: Source, state: &State) -> Option<Value> {
        let address_in = |location| match state.get(location) {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        };
        match source {
            Source::Copy(location) => state.get(&location).cloned(),
            Source::Address(address) => Some(Value::Address(address)),
            Source::Load(address) => {
                self.entries.get(&address).map(|index| Value::Imports([*index].into()))
            }
            Source::Offset(location, more) => {
                Some(Value::Address(address_in(&location)?.wrapping_add(more)))
            }
            Source::LoadOffset(location, more) => {
                self.value(Source::Load(address_in(&location)?.wrapping_add(more)), state)
            }
            Source::Sum(..) => Some(Value::Sum),
            Source::TableEntry(..) | Source::Other => None,
        }
    }

    /// What locations hold before each instruction of a function, on every path to it. `all` holds
    /// the addresses that the image's functions compute.
    pub(crate) fn state(
        &self,
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
        all: &BTreeSet<u32>,
    ) -> Vec<State> {
        let indices: BTreeMap<u32, usize> =
            code.iter().enumerate().map(|(index, at)| (at.address, index)).collect();
        let switches = Switches::of(image, code, own, all, &indices);
        // An instruction that is not reached yet has no state. States shrink to a fixed point.
        let mut known: Vec<Option<State>> = vec![None; code.len()];
        let mut work: BTreeSet<usize> = BTreeSet::from([0]);
        if let Some(first) = known.first_mut() {
            *first = Some(State::new());
        }
        while let Some(index) = work.pop_first() {
            let (Some(instruction), Some(Some(state))) = (code.get(index), known.get(index)) else {
                continue;
            };
            let after = self.after(instruction, state);
            for next in self.successors(instruction, index, state, &indices, &switches) {
                let Some(before) = known.get_mut(next) else { continue };
                let met =
                    before.as_ref().map_or_else(|| after.clone(), |state| meet(state, &after));
                if before.as_ref() != Some(&met) {
                    *before = Some(met);
                    work.insert(next);
                }
            }
        }
        known.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// What locations hold after an instruction.
    fn after(&self, instruction: &Instruction, state: &State) -> State {
        let mut after = state.clone();
        after.retain(|location, _| !instruction.clobbers.contains(&location.register));
        for (location, source) in &instruction.writes {
            match self.value(*source, state) {
                Some(value) => after.insert(*location, value),
                None => after.remove(location),
            };
        }
        after
    }

    /// The instructions that may follow an instruction.
    fn successors(
        &self,
        instruction: &Instruction,
        index: usize,
        state: &State,
        indices: &BTreeMap<u32, usize>,
        switches: &Switches,
    ) -> Vec<usize> {
        let at = |target| indices.get(&target).copied();
        match instruction.flow {
            Flow::Next | Flow::Call(_) | Flow::CallIndirect(_) => vec![index + 1],
            Flow::Jump(target) => at(target).into_iter().collect(),
            Flow::Branch(target) => at(target).into_iter().chain([index + 1]).collect(),
            Flow::Switch(_) => switches.targets(instruction.address),
            Flow::JumpIndirect(source) if self.value(source, state) == Some(Value::Sum) => {
                switches.targets(instruction.address)
            }
            Flow::JumpIndirect(_) | Flow::Return | Flow::Stop => Vec::new(),
        }
    }
}

/// What holds in both states. A location with an import in both holds one of either.
fn meet(left: &State, right: &State) -> State {
    let mut both = left.clone();
    both.retain(|location, value| match (value, right.get(location)) {
        (Value::Imports(left), Some(Value::Imports(right))) => {
            left.extend(right);
            true
        }
        (value, right) => right == Some(value),
    });
    both
}
