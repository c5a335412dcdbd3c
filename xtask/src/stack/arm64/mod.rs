//! ARM64: what its unwind data and its instructions say.

mod frames;
mod instructions;

pub(super) use frames::read as frames;
pub(super) use instructions::decode;

/// What a call pushes: nothing, its return address is in a register.
pub(super) const CALL_BYTES: u32 = 0;
