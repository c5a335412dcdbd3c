//! Timers that are set and DPCs that are queued: their memory must not be freed.

use crate::ke::{dpc, timer};
use crate::violation::{Rule, stop};

/// Stops when memory that is freed holds an active timer or a queued DPC.
pub(crate) fn require_none(function: &str, start: usize, bytes: usize) {
    // Both have 64 bytes (wdm.h, KTIMER and KDPC).
    if bytes < 64 {
        return;
    }
    let range = start..start + bytes;
    if let Some(timer) = timer::active_in(&range) {
        stop(
            Rule::ACTIVE_OBJECT_FREED,
            function,
            format_args!("the timer at {timer:#x} is set, in the block at {start:#x}"),
        );
    }
    if let Some(dpc) = dpc::queued_in(&range) {
        stop(
            Rule::ACTIVE_OBJECT_FREED,
            function,
            format_args!("the DPC at {dpc:#x} is queued, in the block at {start:#x}"),
        );
    }
}
