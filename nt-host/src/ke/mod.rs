//! Ke: the kernel's core: IRQL, locks, dispatcher objects, DPCs, timers, time, processors.

pub mod bugcheck;
pub mod critical_region;
pub mod dispatcher;
pub mod dpc;
pub mod event;
pub mod level;
pub(crate) mod lock_order;
pub(crate) mod owner_word;
pub mod performance_counter;
pub mod processor;
pub mod semaphore;
pub mod spin_lock;
pub mod time;
pub mod timer;
pub mod wait;
pub mod xstate;

use crate::violation::{Rule, stop};

/// Stops when memory that is freed holds an active timer or a queued DPC.
pub(crate) fn require_no_active_object(function: &str, start: usize, bytes: usize) {
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
