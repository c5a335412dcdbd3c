//! Processors: one group, with the number of processors that the machine was booted with.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use nt_sys::ntdef::{
    ALL_PROCESSOR_GROUPS, DISPATCH_LEVEL, GROUP_AFFINITY, HIGH_LEVEL, KPRIORITY, KTHREAD, NTSTATUS,
    PASSIVE_LEVEL, PROCESSOR_NUMBER, ULONG, USHORT,
};
use nt_sys::status::{STATUS_INVALID_PARAMETER, STATUS_SUCCESS};

use crate::irql;
use crate::violation::{Rule, stop};

static COUNT: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The processor that this thread is bound to, if any.
    static BOUND: Cell<Option<u32>> = const { Cell::new(None) };
    static AFFINITY: Cell<GROUP_AFFINITY> =
        const { Cell::new(GROUP_AFFINITY { Mask: 0, Group: 0, Reserved: [0; 3] }) };
}

/// The number of processors of the machine: at most 64, which is one group.
#[must_use]
pub fn count() -> u32 {
    let count = COUNT.load(Ordering::Relaxed);
    if count != 0 {
        return count;
    }
    let available = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    set_count(available);
    COUNT.load(Ordering::Relaxed)
}

/// Sets the number of processors, before it is first read.
pub(crate) fn set_count(count: usize) {
    COUNT.store(count.clamp(1, 64) as u32, Ordering::Relaxed);
}

/// Binds this thread to a processor.
pub(crate) fn bind(processor: u32) {
    BOUND.set(Some(processor));
}

/// The number of the processor that this thread runs on.
#[must_use]
pub fn current() -> u32 {
    if let Some(processor) = BOUND.get() {
        return processor;
    }
    // SAFETY: has no conditions.
    let cpu = unsafe { libc::sched_getcpu() };
    u32::try_from(cpu).unwrap_or(0) % count()
}

export! { "ntoskrnl.exe";
    /// wdm.h, KeQueryActiveProcessorCountEx.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeQueryActiveProcessorCountEx(group_number: USHORT) -> ULONG {
        irql::require_at_most("KeQueryActiveProcessorCountEx", HIGH_LEVEL);
        if group_number == 0 || group_number == ALL_PROCESSOR_GROUPS { count() } else { 0 }
    }

    /// wdm.h, KeQueryMaximumProcessorCountEx.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// None.
    pub unsafe fn KeQueryMaximumProcessorCountEx(group_number: USHORT) -> ULONG {
        irql::require_at_most("KeQueryMaximumProcessorCountEx", HIGH_LEVEL);
        if group_number == 0 || group_number == ALL_PROCESSOR_GROUPS { count() } else { 0 }
    }

    /// wdm.h, KeGetCurrentProcessorNumberEx. Below DISPATCH_LEVEL the number may be outdated at
    /// once.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `processor_number` is null or writable.
    pub unsafe fn KeGetCurrentProcessorNumberEx(processor_number: *mut PROCESSOR_NUMBER) -> ULONG {
        irql::require_at_most("KeGetCurrentProcessorNumberEx", HIGH_LEVEL);
        let index = current();
        // SAFETY: as the caller promises.
        if let Some(number) = unsafe { processor_number.as_mut() } {
            *number = PROCESSOR_NUMBER { Group: 0, Number: index as u8, Reserved: 0 };
        }
        index
    }

    /// wdm.h, KeGetProcessorNumberFromIndex.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `processor_number` is writable.
    pub unsafe fn KeGetProcessorNumberFromIndex(
        index: ULONG,
        processor_number: *mut PROCESSOR_NUMBER,
    ) -> NTSTATUS {
        irql::require_at_most("KeGetProcessorNumberFromIndex", HIGH_LEVEL);
        if index >= count() {
            return STATUS_INVALID_PARAMETER;
        }
        let number = PROCESSOR_NUMBER { Group: 0, Number: index as u8, Reserved: 0 };
        // SAFETY: as the caller promises.
        unsafe { processor_number.write(number) };
        STATUS_SUCCESS
    }

    /// wdm.h, KeSetSystemGroupAffinityThread. The thread reports the first of these processors as
    /// its own; Linux still schedules it on any.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `affinity` is readable, `previous_affinity` null or writable.
    pub unsafe fn KeSetSystemGroupAffinityThread(
        affinity: *const GROUP_AFFINITY,
        previous_affinity: *mut GROUP_AFFINITY,
    ) {
        let function = "KeSetSystemGroupAffinityThread";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let affinity = unsafe { *affinity };
        let before = AFFINITY.get();
        // SAFETY: as the caller promises.
        if let Some(previous) = unsafe { previous_affinity.as_mut() } {
            *previous = before;
        }
        let processor = affinity.Mask.trailing_zeros();
        if affinity.Group != 0 || affinity.Reserved != [0; 3] || processor >= count() {
            // NT leaves the affinity unchanged in this case.
            return;
        }
        AFFINITY.set(affinity);
        BOUND.set((affinity.Mask.count_ones() == 1).then_some(processor));
    }

    /// wdm.h, KeRevertToUserGroupAffinityThread.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `previous_affinity` is readable.
    pub unsafe fn KeRevertToUserGroupAffinityThread(previous_affinity: *const GROUP_AFFINITY) {
        irql::require_at_most("KeRevertToUserGroupAffinityThread", DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let affinity = unsafe { *previous_affinity };
        AFFINITY.set(affinity);
        BOUND.set((affinity.Mask.count_ones() == 1).then(|| affinity.Mask.trailing_zeros()));
    }

    /// wdm.h, KeSetPriorityThread: has no effect here. Returns the initial priority of system
    /// threads.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// None: the thread is not touched.
    pub unsafe fn KeSetPriorityThread(thread: *mut KTHREAD, priority: KPRIORITY) -> KPRIORITY {
        let function = "KeSetPriorityThread";
        irql::require_exactly(function, PASSIVE_LEVEL);
        if thread.is_null() || !(1..=31).contains(&priority) {
            stop(
                Rule::BAD_ARGUMENT,
                function,
                format_args!("priority {priority} of thread {thread:p} is not from 1 to 31"),
            );
        }
        8
    }
}
