//! Which calls through a register are calls of imports: the compiler loads the address of an import once and keeps it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, OpAccess, OpKind, Register,
};
use object::LittleEndian as LE;
use object::pe::ImageNtHeaders64;

use super::calls::{address_in, is_switch};
use crate::image::file::Image;

/// Registers that a call may change (Microsoft, "x64 calling convention").
const VOLATILE: [Register; 7] = [
    Register::RAX,
    Register::RCX,
    Register::RDX,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];

/// A register, or a slot of the frame: the register that it is relative to, and where.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(Register, Option<u64>);

impl Place {
    /// The place that an operand of an instruction is.
    pub(crate) fn of(instruction: &Instruction, operand: u32) -> Option<Self> {
        match instruction.op_kind(operand) {
            OpKind::Register => Some(Self(instruction.op_register(operand), None)),
            OpKind::Memory if instruction.memory_index() == Register::None => {
                let base = instruction.memory_base();
                let is_frame = matches!(base, Register::RSP | Register::RBP);
                is_frame.then(|| Self(base, Some(instruction.memory_displacement64())))
            }
            _ => None,
        }
    }
}

/// Places that hold the address of an import, by its index.
pub(crate) type Held = BTreeMap<Place, usize>;

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

    /// The import whose entry an instruction reads.
    pub(crate) fn loaded_by(&self, instruction: &Instruction) -> Option<usize> {
        let is_read = (0..instruction.op_count())
            .any(|operand| instruction.op_kind(operand) == OpKind::Memory)
            && instruction.memory_base() == Register::RIP;
        is_read
            .then(|| self.entries.get(&(instruction.memory_displacement64() as u32)).copied())
            .flatten()
    }

    /// What places hold before each instruction of a function, on whatever way it is reached.
    pub(crate) fn held(
        &self,
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
    ) -> Vec<Held> {
        let places: BTreeMap<u32, usize> = code
            .iter()
            .enumerate()
            .map(|(index, instruction)| (instruction.ip() as u32, index))
            .collect();
        let switch: Vec<usize> = match switch_targets(image, code, own) {
            targets if targets.is_empty() => (0..code.len()).collect(),
            targets => targets.iter().filter_map(|target| places.get(target).copied()).collect(),
        };
        // Nothing is known of what has not been reached; what is known becomes less until it stays.
        let mut known: Vec<Option<Held>> = vec![None; code.len()];
        let mut factory = InstructionInfoFactory::new();
        let mut work: BTreeSet<usize> = BTreeSet::from([0]);
        if let Some(first) = known.first_mut() {
            *first = Some(Held::new());
        }
        while let Some(index) = work.pop_first() {
            let (Some(instruction), Some(Some(held))) = (code.get(index), known.get(index)) else {
                continue;
            };
            let after = self.after(instruction, held, &mut factory);
            for next in successors(instruction, index, own, &places, &switch) {
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
    fn after(
        &self,
        instruction: &Instruction,
        held: &Held,
        factory: &mut InstructionInfoFactory,
    ) -> Held {
        let is_write =
            |access| !matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::None);
        let mut after = held.clone();
        let is_call =
            matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        for used in factory.info(instruction).used_registers() {
            let register = used.register().full_register();
            // A push moves the stack's pointer, and with it what is relative to it; a call moves it back.
            if is_write(used.access()) && !(is_call && register == Register::RSP) {
                after.retain(|place, _| place.0 != register);
            }
        }
        if is_call {
            after.retain(|place, _| !VOLATILE.contains(&place.0));
        }
        let Some(target) = Place::of(instruction, 0) else { return after };
        if is_write(factory.info(instruction).op0_access()) {
            after.remove(&target);
        }
        if matches!(instruction.code(), Code::Mov_r64_rm64 | Code::Mov_rm64_r64) {
            let source = Place::of(instruction, 1);
            let import = self.loaded_by(instruction).or_else(|| held.get(&source?).copied());
            after.extend(import.map(|import| (target, import)));
        }
        after
    }
}

/// What both hold.
fn meet(left: &Held, right: &Held) -> Held {
    let mut both = left.clone();
    both.retain(|place, import| right.get(place) == Some(import));
    both
}

/// Where the jumps of a function's `match`es may lead: LLVM keeps a table of distances from the table itself. All tables that the
/// function takes the address of are read, each as far as it leads into the function or to the next.
fn switch_targets(image: &Image<'_>, code: &[Instruction], own: &Range<u32>) -> BTreeSet<u32> {
    let tables: BTreeSet<u32> = code.iter().filter_map(address_in).collect();
    let mut targets = BTreeSet::new();
    for table in &tables {
        let Ok(data) = image.data_at(*table) else { continue };
        let next =
            tables.range(table + 1..).next().map_or(data.len(), |next| (next - table) as usize);
        let entries = data.get(..next).unwrap_or(data).chunks_exact(4);
        let entries =
            entries.map(|entry| u32::from_le_bytes([entry[0], entry[1], entry[2], entry[3]]));
        targets.extend(
            entries
                .map(|distance| table.wrapping_add(distance))
                .take_while(|target| own.contains(target)),
        );
    }
    targets
}

/// Where the processor may be after an instruction.
fn successors(
    instruction: &Instruction,
    index: usize,
    own: &Range<u32>,
    places: &BTreeMap<u32, usize>,
    switch: &[usize],
) -> Vec<usize> {
    let target = || {
        let target = instruction.near_branch_target() as u32;
        own.contains(&target).then(|| places.get(&target).copied()).flatten()
    };
    match instruction.flow_control() {
        FlowControl::UnconditionalBranch => target().into_iter().collect(),
        FlowControl::ConditionalBranch => target().into_iter().chain([index + 1]).collect(),
        FlowControl::IndirectBranch if is_switch(instruction) => switch.to_vec(),
        FlowControl::IndirectBranch => Vec::new(),
        FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => Vec::new(),
        _ => vec![index + 1],
    }
}
