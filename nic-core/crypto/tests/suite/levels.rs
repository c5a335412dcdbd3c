//! The tiers of this machine.

use std::sync::LazyLock;

use nic_crypto::{ExtendedState, Level, Processor, Tier};

/// The tier of each level; where the machine lacks one, it is the next lower one.
pub(crate) fn tiers() -> impl Iterator<Item = (Level, Tier<'static>)> {
    static MACHINE: LazyLock<(Processor, ExtendedState<'static>)> =
        LazyLock::new(|| (Processor::detect(), ExtendedState::of_process()));
    let (processor, state) = &*MACHINE;
    [Level::Portable, Level::Sse, Level::Avx2, Level::Avx512]
        .map(|level| (level, processor.limited(level).extended(state)))
        .into_iter()
}
