//! The call graph of an image, from its instructions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::{IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_EXECUTE};

use super::code::{Flow, Instruction};
use super::dataflow::{Imports, State, Value};
use super::names::Names;
use super::switches::Addresses;
use super::{Frame, arm64, frames, x64};
use crate::arch::Arch;
use crate::image::file::Image;

/// A function: the size of its frame, and what it calls.
#[derive(Default)]
pub(crate) struct Function {
    pub(crate) frame_bytes: u32,
    /// Functions of the image that it calls, or ends with a tail call of, and how many times.
    pub(crate) calls: BTreeMap<u32, u32>,
    /// Whether it can return: it has a `ret` or a tail call.
    pub(crate) returns: bool,
    /// Functions of other modules that it calls, by name.
    pub(crate) imports: BTreeSet<String>,
    /// The addresses of its indirect calls.
    pub(crate) indirect_calls: Vec<u32>,
}

/// The functions of an image by address, and those whose address is taken: the possible targets of
/// indirect calls.
pub(crate) struct Calls {
    pub(crate) functions: BTreeMap<u32, Function>,
    pub(crate) address_taken: BTreeSet<u32>,
}

impl Calls {
    pub(crate) fn read(image: &Image<'_>, names: &Names) -> Result<Self> {
        let frames = &frames(image)?;
        let imports = Imports::read(image)?;
        let mut calls = Self { functions: BTreeMap::new(), address_taken: BTreeSet::new() };
        let mut references: BTreeSet<u32> = pointers(image)?.into_iter().collect();
        let mut decoded = Vec::new();
        for section in image.sections() {
            if section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE == 0 {
                continue;
            }
            let start = section.virtual_address.get(LE);
            let end = start + section.virtual_size.get(LE);
            let bytes = image.data_at(start)?;
            for (range, frame_bytes) in ranges(start, end, frames, names) {
                let code = &bytes[(range.start - start) as usize..(range.end - start) as usize];
                let code = match image.arch {
                    Arch::X64 => x64::decode(code, range.start),
                    Arch::Arm64 => arm64::decode(code, range.start),
                };
                references.extend(Addresses::of(&code).all);
                decoded.push((range, frame_bytes, code));
            }
        }
        let all = references.clone();
        for (range, frame_bytes, code) in decoded {
            let state = imports.state(image, &code, &range, &all);
            let mut function = Function { frame_bytes, ..Function::default() };
            for (instruction, state) in code.iter().zip(&state) {
                let made = instruction
                    .writes
                    .iter()
                    .filter_map(|(_, source)| imports.value(*source, state));
                references.extend(made.filter_map(|value| match value {
                    Value::Address(address) => Some(address),
                    Value::Imports(_) | Value::Sum => None,
                }));
                function.add(instruction, state, &range, &imports);
            }
            calls.functions.insert(range.start, function);
        }
        references.retain(|address| calls.functions.contains_key(address));
        calls.address_taken = references;
        Ok(calls)
    }
}

/// The address ranges of functions, and their frames: functions with unwind data, and between them
/// functions that only have a name. The latter have no frame.
fn ranges(start: u32, end: u32, frames: &[Frame], names: &Names) -> Vec<(Range<u32>, u32)> {
    let mut ranges: Vec<_> =
        frames.iter().map(|frame| (frame.start..frame.end, frame.bytes)).collect();
    let mut starts: Vec<u32> =
        names.addresses().filter(|address| (start..end).contains(address)).collect();
    starts.retain(|address| {
        let before = frames.partition_point(|frame| frame.start <= *address);
        before.checked_sub(1).is_none_or(|index| frames[index].end <= *address)
    });
    for (index, first) in starts.iter().enumerate() {
        let next_frame = frames
            .get(frames.partition_point(|frame| frame.start <= *first))
            .map_or(end, |frame| frame.start);
        let next_name = starts.get(index + 1).copied().unwrap_or(end);
        ranges.push((*first..next_frame.min(next_name), 0));
    }
    ranges
}

impl Function {
    /// Adds what one of its instructions calls, given what locations hold before it.
    fn add(
        &mut self,
        instruction: &Instruction,
        state: &State,
        own: &Range<u32>,
        imports: &Imports,
    ) {
        match instruction.flow {
            Flow::Call(target) => *self.calls.entry(target).or_default() += 1,
            // A jump within the function is no call; a call of itself is.
            Flow::Jump(target) | Flow::Branch(target) if !own.contains(&target) => {
                *self.calls.entry(target).or_default() += 1;
                self.returns = true;
            }
            Flow::CallIndirect(source) | Flow::JumpIndirect(source) | Flow::Switch(source) => {
                let value = imports.value(source, state);
                let is_jump = matches!(instruction.flow, Flow::JumpIndirect(_));
                let is_switch = matches!(instruction.flow, Flow::Switch(_))
                    || is_jump && value == Some(Value::Sum);
                match value {
                    Some(Value::Imports(indices)) => {
                        let names =
                            indices.into_iter().filter_map(|index| imports.names.get(index));
                        self.imports.extend(names.cloned());
                    }
                    _ if is_switch => {}
                    _ => self.indirect_calls.push(instruction.address),
                }
                self.returns |= is_jump && !is_switch;
            }
            Flow::Return => self.returns = true,
            Flow::Next | Flow::Jump(_) | Flow::Branch(_) | Flow::Stop => {}
        }
    }
}

/// The targets of the pointers that the loader relocates.
fn pointers(image: &Image<'_>) -> Result<Vec<u32>> {
    let mut pointers = Vec::new();
    let base = image.headers().optional_header.image_base.get(LE);
    let sections = image.pe.section_table();
    let Some(mut blocks) =
        image.pe.data_directories().relocation_blocks(image.pe.data(), &sections)?
    else {
        return Ok(pointers);
    };
    while let Some(block) = blocks.next()? {
        for relocation in block.filter(|relocation| relocation.typ == IMAGE_REL_BASED_DIR64) {
            if let Some(field) = image.data_at(relocation.virtual_address)?.get(..8) {
                let pointer = u64::from_le_bytes(field.try_into()?);
                pointers.push(pointer.wrapping_sub(base) as u32);
            }
        }
    }
    Ok(pointers)
}
