//! Ways to break a rule.

use std::sync::atomic::{AtomicU32, Ordering};

/// A way to break a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Fault {
    None,
    CompleteTwice,
    TouchAfterCompletion,
    ReadAfterCompletion,
    WriteDataAfterCompletion,
    LeakPool,
    FreePoolInUse,
    PauseWithSends,
    PauseNever,
    IndicateWhilePaused,
    DispatchFlagAtPassive,
    IndicateTwice,
    FreeIndicated,
    FreeTwice,
    CompleteOwnList,
    IndicateSentList,
    WrongCount,
    ChangeSentList,
    NoAttributes,
    CompleteOidTwice,
    HaltWithDevice,
    ChecksumUnasked,
    OffloadUntold,
    UseHaltedAdapter,
    UseFreedPool,
    LeakConfiguration,
    CloseConfigurationTwice,
}

pub(crate) const ALL: [Fault; 26] = [
    Fault::CompleteTwice,
    Fault::TouchAfterCompletion,
    Fault::ReadAfterCompletion,
    Fault::WriteDataAfterCompletion,
    Fault::LeakPool,
    Fault::FreePoolInUse,
    Fault::PauseWithSends,
    Fault::PauseNever,
    Fault::IndicateWhilePaused,
    Fault::DispatchFlagAtPassive,
    Fault::IndicateTwice,
    Fault::FreeIndicated,
    Fault::FreeTwice,
    Fault::CompleteOwnList,
    Fault::IndicateSentList,
    Fault::WrongCount,
    Fault::ChangeSentList,
    Fault::NoAttributes,
    Fault::CompleteOidTwice,
    Fault::HaltWithDevice,
    Fault::ChecksumUnasked,
    Fault::OffloadUntold,
    Fault::UseHaltedAdapter,
    Fault::UseFreedPool,
    Fault::LeakConfiguration,
    Fault::CloseConfigurationTwice,
];

pub(crate) static FAULT: AtomicU32 = AtomicU32::new(0);

pub(crate) fn set_fault(fault: Fault) {
    FAULT.store(fault as u32, Ordering::Relaxed);
}

pub(crate) fn is(fault: Fault) -> bool {
    FAULT.load(Ordering::Relaxed) == fault as u32
}
