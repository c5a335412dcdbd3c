//! Processors and levels.

use core::ptr;

use nt_sys::ke::{
    KeGetCurrentIrql, KeGetCurrentProcessorNumberEx, KeGetProcessorNumberFromIndex,
    KeQueryActiveProcessorCountEx, KeSetSystemGroupAffinityThread,
};
use nt_sys::ntdef::{
    ALL_PROCESSOR_GROUPS, DISPATCH_LEVEL, GROUP_AFFINITY, PASSIVE_LEVEL, PROCESSOR_NUMBER,
};

use crate::status::{Result, Status};

/// How many processors are active, in all groups.
///
/// # IRQL
/// any
pub fn active_count() -> u32 {
    // SAFETY: no condition.
    unsafe { KeQueryActiveProcessorCountEx(ALL_PROCESSOR_GROUPS) }
}

/// The index of the processor that this runs on; below DISPATCH_LEVEL it may be another one at
/// once.
///
/// # IRQL
/// any
pub fn current_index() -> u32 {
    // SAFETY: a null pointer is allowed.
    unsafe { KeGetCurrentProcessorNumberEx(ptr::null_mut()) }
}

/// Binds the calling system thread to a processor by its index.
///
/// # IRQL
/// `<= APC_LEVEL`
pub fn bind_current_thread(index: u32) -> Result<()> {
    let mut number = PROCESSOR_NUMBER::default();
    // SAFETY: the pointer is to the stack.
    let status = unsafe { KeGetProcessorNumberFromIndex(index, &raw mut number) };
    Status(status).ok()?;
    let affinity = GROUP_AFFINITY {
        Mask: 1_usize.checked_shl(u32::from(number.Number)).ok_or(Status::INVALID_PARAMETER)?,
        Group: number.Group,
        Reserved: [0; 3],
    };
    // SAFETY: the pointer is to the stack; a null pointer is allowed for the previous affinity.
    unsafe { KeSetSystemGroupAffinityThread(&raw const affinity, ptr::null_mut()) };
    Ok(())
}

/// Whether this runs at PASSIVE_LEVEL, where one may wait.
pub fn is_passive() -> bool {
    // SAFETY: no condition.
    let level = unsafe { KeGetCurrentIrql() };
    level == PASSIVE_LEVEL
}

/// Whether this runs at DISPATCH_LEVEL.
pub(crate) fn is_dispatch() -> bool {
    // SAFETY: no condition.
    let level = unsafe { KeGetCurrentIrql() };
    level == DISPATCH_LEVEL
}
