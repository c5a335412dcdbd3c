//! ARM64: frames and the effects of instructions.

mod frames;
mod instructions;

pub(super) use frames::read as frames;
pub(super) use instructions::decode;

/// The bytes that a call pushes: none, its return address is in a register.
pub(super) const CALL_BYTES: u32 = 0;
