//! Who calls whom in an x64 image, by its instructions.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::Result;
use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};
use object::LittleEndian as LE;
use object::pe::{IMAGE_REL_BASED_DIR64, IMAGE_SCN_MEM_EXECUTE};

use super::frames::Frame;
use super::imports::{Imports, Place};
use super::names::Names;
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

/// The functions of an image by their address, and which of them have their address taken: those that can be called through pointers.
pub(crate) struct Calls {
    pub(crate) functions: BTreeMap<u32, Function>,
    pub(crate) address_taken: BTreeSet<u32>,
}

impl Calls {
    pub(crate) fn read(image: &Image<'_>, frames: &[Frame], names: &Names) -> Result<Self> {
        let imports = Imports::read(image)?;
        let mut calls = Self { functions: BTreeMap::new(), address_taken: BTreeSet::new() };
        let mut references: BTreeSet<u32> = pointers(image)?.into_iter().collect();
        for section in image.sections() {
            if section.characteristics.get(LE) & IMAGE_SCN_MEM_EXECUTE == 0 {
                continue;
            }
            let start = section.virtual_address.get(LE);
            let end = start + section.virtual_size.get(LE);
            let bytes = image.data_at(start)?;
            for (range, frame_bytes) in ranges(start, end, frames, names) {
                let code = &bytes[(range.start - start) as usize..(range.end - start) as usize];
                let decoder = Decoder::with_ip(64, code, range.start.into(), DecoderOptions::NONE);
                let code: Vec<Instruction> = decoder.into_iter().collect();
                references.extend(code.iter().filter_map(address_in));
                let function = Function::of(image, &code, &range, frame_bytes, &imports);
                calls.functions.insert(range.start, function);
            }
        }
        references.retain(|address| calls.functions.contains_key(address));
        calls.address_taken = references;
        Ok(calls)
    }
}

/// The functions' addresses: those with unwind data, and between them those that have but a name: they take nothing of the stack.
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
    fn of(
        image: &Image<'_>,
        code: &[Instruction],
        own: &Range<u32>,
        frame_bytes: u32,
        imports: &Imports,
    ) -> Self {
        let mut function = Self { frame_bytes, ..Self::default() };
        let held = imports.held(image, code, own);
        for (instruction, held) in code.iter().zip(held) {
            match instruction.flow_control() {
                FlowControl::Call
                | FlowControl::UnconditionalBranch
                | FlowControl::ConditionalBranch => {
                    let target = instruction.near_branch_target() as u32;
                    // A jump within the function is no call; a call of itself is.
                    if instruction.flow_control() == FlowControl::Call || !own.contains(&target) {
                        *function.calls.entry(target).or_default() += 1;
                        function.returns |= instruction.flow_control() != FlowControl::Call;
                    }
                }
                FlowControl::IndirectCall | FlowControl::IndirectBranch => {
                    function.returns |= instruction.flow_control() == FlowControl::IndirectBranch
                        && !is_switch(instruction);
                    let name = imports
                        .loaded_by(instruction)
                        .or_else(|| held.get(&Place::of(instruction, 0)?).copied());
                    match name {
                        Some(index) => function.imports.extend(imports.names.get(index).cloned()),
                        None if is_switch(instruction) => {}
                        None => function.indirect_calls.push(instruction.ip() as u32),
                    }
                }
                FlowControl::Return => function.returns = true,
                _ => {}
            }
        }
        function
    }
}

/// Whether this is the jump of a `match`: to an address in a register or in the frame. LLVM marks such a call that is the last act with
/// REX.W, for the unwinder, and so makes it longer; there is no frame then.
pub(crate) fn is_switch(instruction: &Instruction) -> bool {
    if instruction.flow_control() != FlowControl::IndirectBranch {
        return false;
    }
    let is_extended = instruction.op0_register().number() >= 8;
    match instruction.op0_kind() {
        OpKind::Register => instruction.len() == if is_extended { 3 } else { 2 },
        _ => matches!(instruction.memory_base(), Register::RSP | Register::RBP),
    }
}

/// The address that a `lea` makes.
pub(crate) fn address_in(instruction: &Instruction) -> Option<u32> {
    let is_address =
        instruction.code() == Code::Lea_r64_m && instruction.memory_base() == Register::RIP;
    is_address.then(|| instruction.memory_displacement64() as u32)
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
