//! The effect of an instruction, as far as calls depend on it, for either processor.

/// Where a value can be kept: a register, or a slot of the frame, as an offset from a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Location {
    pub(crate) register: u8,
    pub(crate) slot: Option<i64>,
}

impl Location {
    pub(crate) const fn register(register: u8) -> Self {
        Self { register, slot: None }
    }
}

/// Where a value comes from. Addresses are relative to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A copy of a location.
    Copy(Location),
    /// An address.
    Address(u32),
    /// Memory at an address.
    Load(u32),
    /// A location's value plus a number.
    Offset(Location, u32),
    /// Memory at a location's value plus a number.
    LoadOffset(Location, u32),
    /// An element of the table at a location's value, and the element's size in bytes.
    TableEntry(Location, u32),
    /// The sum of two locations.
    Sum(Location, Location),
    /// Anything else.
    Other,
}

/// Where execution goes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next instruction.
    Next,
    /// Into a function, which returns.
    Call(u32),
    /// Into the function at an address that is computed, which returns.
    CallIndirect(Source),
    /// To an address.
    Jump(u32),
    /// To an address or to the next instruction.
    Branch(u32),
    /// Into the function at an address that is computed: a tail call.
    JumpIndirect(Source),
    /// To an arm of a `match`.
    Switch(Source),
    /// Back to the caller.
    Return,
    /// Nowhere: the instruction traps.
    Stop,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) address: u32,
    pub(crate) flow: Flow,
    /// Registers that it overwrites. Slots relative to them are forgotten.
    pub(crate) clobbers: Vec<u8>,
    /// What it writes where, after that.
    pub(crate) writes: Vec<(Location, Source)>,
}
