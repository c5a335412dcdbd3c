//! Processors and levels.

use nt_sys::ke::{KeGetCurrentIrql, KeQueryActiveProcessorCountEx};
use nt_sys::ntdef::{ALL_PROCESSOR_GROUPS, DISPATCH_LEVEL};

/// The number of active processors, in all groups.
///
/// # IRQL
/// any
pub fn active_count() -> u32 {
    // SAFETY: no condition.
    unsafe { KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS) }
}

/// Whether this runs at DISPATCH_LEVEL.
pub(crate) fn is_dispatch() -> bool {
    // SAFETY: no condition.
    let level = unsafe { KeGetCurrentIrql() };
    level == DISPATCH_LEVEL
}
