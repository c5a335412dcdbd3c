//! What an instruction does that matters to calls, whatever the processor.

/// Where a value can be kept: a register, or a slot of the frame, by the register that it is
/// relative to and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) register: u8,
    pub(crate) slot: Option<i64>,
}

impl Place {
    pub(crate) const fn register(register: u8) -> Self {
        Self { register, slot: None }
    }
}

/// Where a value comes from. Addresses are relative to the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A copy of what is there.
    Place(Place),
    /// An address.
    Address(u32),
    /// What is at an address.
    At(u32),
    /// A number more than what is there.
    More(Place, u32),
    /// What is at the address that is there, or so much behind it.
    Behind(Place, u32),
    /// An element of the table whose address is there, of so many bytes.
    Element(Place, u32),
    /// A sum of what is in two places.
    Sum(Place, Place),
    /// Something else.
    Other,
}

/// Where the processor is after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// At the next one.
    On,
    /// In a function, and back.
    Call(u32),
    /// In the function whose address this is, and back.
    CallOf(Source),
    /// At an address.
    Jump(u32),
    /// There, or at the next one.
    Branch(u32),
    /// In the function whose address this is, as the last act.
    JumpOf(Source),
    /// At one of a `match`'s arms.
    Switch(Source),
    /// At the caller.
    Return,
    /// Nowhere.
    End,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) address: u32,
    pub(crate) flow: Flow,
    /// Registers that it changes. What is relative to them is elsewhere then.
    pub(crate) changed: Vec<u8>,
    /// What it puts where, after that.
    pub(crate) puts: Vec<(Place, Source)>,
}
