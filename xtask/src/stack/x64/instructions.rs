//! The effects of x64 instructions.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, InstructionInfoFactory, OpAccess, OpKind, Register,
};

use crate::stack::code::{Flow, Instruction, Location, Source};

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

/// The instructions of code that starts at this address.
pub(crate) fn decode(code: &[u8], start: u32) -> Vec<Instruction> {
    let mut factory = InstructionInfoFactory::new();
    Decoder::with_ip(64, code, start.into(), DecoderOptions::NONE)
        .into_iter()
        .map(|decoded| instruction(&decoded, &mut factory))
        .collect()
}

fn instruction(
    decoded: &iced_x86::Instruction,
    factory: &mut InstructionInfoFactory,
) -> Instruction {
    let info = factory.info(decoded);
    let is_write = |access| !matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::None);
    let is_call = matches!(decoded.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
    let written = info.used_registers().iter().filter(|used| is_write(used.access()));
    let mut clobbers: Vec<Register> = written
        .map(|used| used.register().full_register())
        // A push moves the stack pointer, so slots relative to it are forgotten. A call restores
        // it.
        .filter(|register| register.is_gpr() && !(is_call && *register == Register::RSP))
        .collect();
    if is_call {
        clobbers.extend(VOLATILE);
    }
    let target = location(decoded, 0).filter(|_| is_write(info.op0_access()));
    Instruction {
        address: decoded.ip() as u32,
        flow: flow(decoded),
        clobbers: clobbers.into_iter().map(number).collect(),
        writes: target.map(|target| (target, put(decoded))).into_iter().collect(),
    }
}

fn flow(decoded: &iced_x86::Instruction) -> Flow {
    let target = decoded.near_branch_target() as u32;
    match decoded.flow_control() {
        FlowControl::Call => Flow::Call(target),
        FlowControl::IndirectCall => Flow::CallIndirect(source(decoded, 0)),
        FlowControl::UnconditionalBranch => Flow::Jump(target),
        FlowControl::ConditionalBranch => Flow::Branch(target),
        FlowControl::IndirectBranch if is_switch(decoded) => Flow::Switch(source(decoded, 0)),
        FlowControl::IndirectBranch => Flow::JumpIndirect(source(decoded, 0)),
        FlowControl::Return => Flow::Return,
        FlowControl::Exception | FlowControl::Interrupt => Flow::Stop,
        _ => Flow::Next,
    }
}

/// Whether an indirect jump is that of a `match` rather than a tail call. Both go to an address in
/// a register or in the frame. LLVM marks a tail call with REX.W for the unwinder, which makes the
/// instruction longer, and has freed the frame by then.
fn is_switch(decoded: &iced_x86::Instruction) -> bool {
    let is_extended = decoded.op0_register().number() >= 8;
    match decoded.op0_kind() {
        OpKind::Register => decoded.len() == if is_extended { 3 } else { 2 },
        _ => matches!(decoded.memory_base(), Register::RSP | Register::RBP),
    }
}

/// The source of what an instruction writes.
fn put(decoded: &iced_x86::Instruction) -> Source {
    match decoded.code() {
        Code::Mov_r64_rm64 | Code::Mov_rm64_r64 => source(decoded, 1),
        Code::Movsxd_r64_rm32 if decoded.memory_index() != Register::None => {
            Source::TableEntry(Location::register(number(decoded.memory_base())), 4)
        }
        Code::Add_r64_rm64 | Code::Add_rm64_r64 => {
            match (location(decoded, 0), location(decoded, 1)) {
                (Some(left), Some(right)) => Source::Sum(right, left),
                _ => Source::Other,
            }
        }
        Code::Lea_r64_m if decoded.memory_base() == Register::RIP => {
            Source::Address(decoded.memory_displacement64() as u32)
        }
        _ => Source::Other,
    }
}

fn source(decoded: &iced_x86::Instruction, operand: u32) -> Source {
    let is_memory = decoded.op_kind(operand) == OpKind::Memory;
    if is_memory && decoded.memory_base() == Register::RIP {
        return Source::Load(decoded.memory_displacement64() as u32);
    }
    location(decoded, operand).map_or(Source::Other, Source::Copy)
}

/// The location of an operand.
fn location(decoded: &iced_x86::Instruction, operand: u32) -> Option<Location> {
    match decoded.op_kind(operand) {
        OpKind::Register => {
            let register = decoded.op_register(operand).full_register();
            register.is_gpr().then(|| Location::register(number(register)))
        }
        OpKind::Memory if decoded.memory_index() == Register::None => {
            let base = decoded.memory_base();
            let is_frame = matches!(base, Register::RSP | Register::RBP);
            let slot = Some(decoded.memory_displacement64() as i64);
            is_frame.then(|| Location { register: number(base), slot })
        }
        _ => None,
    }
}

/// A general register's number, 0 to 15.
fn number(register: Register) -> u8 {
    register.number() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_what_matters_of_them() {
        // lea rax, [rip + 0x10]; mov rsi, [rip + 0x20]; call rsi; jmp rcx (a match's); rex.w jmp
        // rcx (a last act); ret
        let code = [
            0x48, 0x8d, 0x05, 0x10, 0, 0, 0, 0x48, 0x8b, 0x35, 0x20, 0, 0, 0, 0xff, 0xd6, 0xff,
            0xe1, 0x48, 0xff, 0xe1, 0xc3,
        ];
        let decoded = decode(&code, 0x1000);
        let register = |register| Location::register(number(register));
        assert_eq!(decoded[0].writes, [(register(Register::RAX), Source::Address(0x1017))]);
        assert_eq!(decoded[1].writes, [(register(Register::RSI), Source::Load(0x102e))]);
        let flows: Vec<Flow> = decoded[2..].iter().map(|it| it.flow).collect();
        let (rsi, rcx) = (register(Register::RSI), register(Register::RCX));
        assert_eq!(
            flows,
            [
                Flow::CallIndirect(Source::Copy(rsi)),
                Flow::Switch(Source::Copy(rcx)),
                Flow::JumpIndirect(Source::Copy(rcx)),
                Flow::Return,
            ]
        );
        assert!(decoded[2].clobbers.contains(&number(Register::RAX)));
        assert!(!decoded[2].clobbers.contains(&number(Register::RSI)));
    }
}
