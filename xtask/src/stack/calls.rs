//! Who calls whom in an image, by its instructions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use object::LittleEndian as LE;
use object::pe::{IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_EXECUTE};

use super::code::{Flow, Instruction};
use super::held::{Held, Imports, Value};
use super::names::Names;
use super::switches::Addresses;
use super::{Frame, arm64, frames, x64};
use crate::arch::Arch;
use crate::image::file::Image;

/// A function: what it takes of the stack, and what it calls.
#[derive(Default)]
pub(crate) struct Function {
    pub(crate) frame_bytes: u32,
    /// Functions of the image that it calls, or jumps to as its last act, and at how many places.
    pub(crate) calls: BTreeMap<u32, u32>,
    /// Whether it has a `ret`, or a jump to another as its last act, which returns for it.
    pub(crate) returns: bool,
    /// Functions of other modules that it calls.
    pub(crate) imports: BTreeSet<String>,
    /// Where it calls through a pointer.
    pub(crate) indirect_calls: Vec<u32>,
}

/// The functions of an image by their address, and which of them have their address taken: those
/// that can be called through pointers.
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
            let held = imports.held(image, &code, &range, &all);
            let mut function = Function { frame_bytes, ..Function::default() };
            for (instruction, held) in code.iter().zip(&held) {
                let made =
                    instruction.puts.iter().filter_map(|(_, source)| imports.value(*source, held));
                references.extend(made.filter_map(|value| match value {
                    Value::Address(address) => Some(address),
                    Value::Imports(_) | Value::Sum => None,
                }));
                function.add(instruction, held, &range, &imports);
            }
            calls.functions.insert(range.start, function);
        }
        references.retain(|address| calls.functions.contains_key(address));
        calls.address_taken = references;
        Ok(calls)
    }
}

/// The functions' addresses: those with unwind data, and between them those that have but a name:
/// they take nothing of the stack.
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
    /// Notes what one of its instructions calls. Before that, places hold this.
    fn add(&mut self, instruction: &Instruction, held: &Held, own: &Range<u32>, imports: &Imports) {
        match instruction.flow {
            Flow::Call(target) => *self.calls.entry(target).or_default() += 1,
            // A jump within the function is no call; a call of itself is.
            Flow::Jump(target) | Flow::Branch(target) if !own.contains(&target) => {
                *self.calls.entry(target).or_default() += 1;
                self.returns = true;
            }
            Flow::CallOf(source) | Flow::JumpOf(source) | Flow::Switch(source) => {
                let value = imports.value(source, held);
                let is_jump = matches!(instruction.flow, Flow::JumpOf(_));
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
            Flow::On | Flow::Jump(_) | Flow::Branch(_) | Flow::End => {}
        }
    }
}

/// The addresses that the loader relocates: pointers in data.
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
