//! `wdm.h`, Ke: IRQL, locks, dispatcher objects, DPCs, timers, time, processors.

use crate::ntdef::{
    BOOLEAN, GROUP_AFFINITY, KAFFINITY, KIRQL, KPRIORITY, KPROCESSOR_MODE, KTHREAD, LARGE_INTEGER,
    LIST_ENTRY, LONG, NTSTATUS, PROCESSOR_NUMBER, PVOID, SINGLE_LIST_ENTRY, UCHAR, ULARGE_INTEGER,
    ULONG, ULONG_PTR, ULONG64, USHORT,
};
#[cfg(target_arch = "x86_64")]
use crate::rtl::XSTATE_CONTEXT;

pub use crate::ntdef::KSPIN_LOCK;

/// The header of each object that a thread can wait for.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DISPATCHER_HEADER {
    /// The kind of object; for events [`NotificationEvent`] or [`SynchronizationEvent`].
    pub Type: UCHAR,
    pub Signalling: UCHAR,
    /// Size in units of 4 bytes.
    pub Size: UCHAR,
    pub Reserved1: UCHAR,
    pub SignalState: LONG,
    pub WaitListHead: LIST_ENTRY,
}

/// `EVENT_TYPE`.
pub type EVENT_TYPE = i32;
pub const NotificationEvent: EVENT_TYPE = 0;
pub const SynchronizationEvent: EVENT_TYPE = 1;

/// An event.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KEVENT {
    pub Header: DISPATCHER_HEADER,
}

/// A semaphore.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KSEMAPHORE {
    pub Header: DISPATCHER_HEADER,
    pub Limit: LONG,
}

/// A deferred routine, which runs at DISPATCH_LEVEL.
pub type KDEFERRED_ROUTINE = unsafe extern "efiapi" fn(
    dpc: *mut KDPC,
    deferred_context: PVOID,
    system_argument1: PVOID,
    system_argument2: PVOID,
);

/// A deferred procedure call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KDPC {
    pub Type: UCHAR,
    pub Importance: UCHAR,
    pub Number: USHORT,
    pub DpcListEntry: SINGLE_LIST_ENTRY,
    pub ProcessorHistory: KAFFINITY,
    pub DeferredRoutine: Option<KDEFERRED_ROUTINE>,
    pub DeferredContext: PVOID,
    pub SystemArgument1: PVOID,
    pub SystemArgument2: PVOID,
    pub DpcData: PVOID,
}

/// `KDPC_IMPORTANCE`.
pub type KDPC_IMPORTANCE = i32;
pub const LowImportance: KDPC_IMPORTANCE = 0;
pub const MediumImportance: KDPC_IMPORTANCE = 1;
pub const HighImportance: KDPC_IMPORTANCE = 2;
pub const MediumHighImportance: KDPC_IMPORTANCE = 3;

/// `TIMER_TYPE`.
pub type TIMER_TYPE = i32;
pub const NotificationTimer: TIMER_TYPE = 0;
pub const SynchronizationTimer: TIMER_TYPE = 1;

/// A timer.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KTIMER {
    pub Header: DISPATCHER_HEADER,
    pub DueTime: ULARGE_INTEGER,
    pub TimerListEntry: LIST_ENTRY,
    pub Dpc: *mut KDPC,
    pub Processor: USHORT,
    pub TimerType: USHORT,
    pub Period: ULONG,
}

/// One waiter of an in-stack queued spin lock.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KSPIN_LOCK_QUEUE {
    pub Next: *mut KSPIN_LOCK_QUEUE,
    pub Lock: *mut KSPIN_LOCK,
}

/// A held in-stack queued spin lock.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KLOCK_QUEUE_HANDLE {
    pub LockQueue: KSPIN_LOCK_QUEUE,
    pub OldIrql: KIRQL,
}

/// One object of a wait for several.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KWAIT_BLOCK {
    pub WaitListEntry: LIST_ENTRY,
    pub WaitType: UCHAR,
    pub BlockState: UCHAR,
    pub WaitKey: USHORT,
    pub SpareLong: LONG,
    pub Thread: *mut KTHREAD,
    pub Object: PVOID,
    pub SparePtr: PVOID,
}

/// A device queue: part of `DEVICE_OBJECT`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KDEVICE_QUEUE {
    pub Type: i16,
    pub Size: i16,
    pub DeviceListHead: LIST_ENTRY,
    pub Lock: KSPIN_LOCK,
    /// In C, in a union with a hint in the upper bytes of 8.
    pub Busy: BOOLEAN,
    pub _pad: [UCHAR; 7],
}

/// Saved extended processor state. On ARM64 there is none to save.
#[cfg(target_arch = "x86_64")]
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct XSTATE_SAVE {
    pub Prev: *mut XSTATE_SAVE,
    pub Thread: *mut KTHREAD,
    pub Level: UCHAR,
    pub XStateContext: XSTATE_CONTEXT,
}

/// `WAIT_TYPE`.
pub type WAIT_TYPE = i32;
pub const WaitAll: WAIT_TYPE = 0;
pub const WaitAny: WAIT_TYPE = 1;

/// `KWAIT_REASON`.
pub type KWAIT_REASON = i32;
pub const Executive: KWAIT_REASON = 0;

/// The maximum number of objects of a wait without wait blocks of the caller.
pub const THREAD_WAIT_OBJECTS: ULONG = 3;
/// The maximum number of objects of a wait.
pub const MAXIMUM_WAIT_OBJECTS: ULONG = 64;

pub const IO_NO_INCREMENT: KPRIORITY = 0;
pub const IO_NETWORK_INCREMENT: KPRIORITY = 2;

pub const LOW_PRIORITY: KPRIORITY = 0;
pub const LOW_REALTIME_PRIORITY: KPRIORITY = 16;
pub const HIGH_PRIORITY: KPRIORITY = 31;

import! { "ntoskrnl.exe";
    pub fn KeRaiseIrqlToDpcLevel() -> KIRQL;
    pub fn KeLowerIrql(new_irql: KIRQL);

    pub fn KeAcquireSpinLockRaiseToDpc(spin_lock: *mut KSPIN_LOCK) -> KIRQL;
    pub fn KeReleaseSpinLock(spin_lock: *mut KSPIN_LOCK, new_irql: KIRQL);
    pub fn KeAcquireSpinLockAtDpcLevel(spin_lock: *mut KSPIN_LOCK);
    pub fn KeReleaseSpinLockFromDpcLevel(spin_lock: *mut KSPIN_LOCK);
    pub fn KeAcquireInStackQueuedSpinLock(
        spin_lock: *mut KSPIN_LOCK, lock_handle: *mut KLOCK_QUEUE_HANDLE);
    pub fn KeReleaseInStackQueuedSpinLock(lock_handle: *mut KLOCK_QUEUE_HANDLE);
    pub fn KeAcquireInStackQueuedSpinLockAtDpcLevel(
        spin_lock: *mut KSPIN_LOCK, lock_handle: *mut KLOCK_QUEUE_HANDLE);
    pub fn KeReleaseInStackQueuedSpinLockFromDpcLevel(lock_handle: *mut KLOCK_QUEUE_HANDLE);

    pub fn KeInitializeEvent(event: *mut KEVENT, kind: EVENT_TYPE, state: BOOLEAN);
    pub fn KeSetEvent(event: *mut KEVENT, increment: KPRIORITY, wait: BOOLEAN) -> LONG;
    pub fn KeClearEvent(event: *mut KEVENT);
    pub fn KeResetEvent(event: *mut KEVENT) -> LONG;
    pub fn KeInitializeSemaphore(semaphore: *mut KSEMAPHORE, count: LONG, limit: LONG);
    pub fn KeReleaseSemaphore(
        semaphore: *mut KSEMAPHORE, increment: KPRIORITY, adjustment: LONG, wait: BOOLEAN) -> LONG;
    /// `timeout`: null waits for ever; negative is relative, in 100 ns.
    pub fn KeWaitForSingleObject(
        object: PVOID, wait_reason: KWAIT_REASON, wait_mode: KPROCESSOR_MODE, alertable: BOOLEAN,
        timeout: *const LARGE_INTEGER) -> NTSTATUS;
    pub fn KeWaitForMultipleObjects(
        count: ULONG, objects: *const PVOID, wait_type: WAIT_TYPE, wait_reason: KWAIT_REASON,
        wait_mode: KPROCESSOR_MODE, alertable: BOOLEAN, timeout: *const LARGE_INTEGER,
        wait_block_array: *mut KWAIT_BLOCK) -> NTSTATUS;
    pub fn KeDelayExecutionThread(
        wait_mode: KPROCESSOR_MODE, alertable: BOOLEAN, interval: *const LARGE_INTEGER) -> NTSTATUS;
    pub fn KeEnterCriticalRegion();
    pub fn KeLeaveCriticalRegion();
    pub fn KeSetPriorityThread(thread: *mut KTHREAD, priority: KPRIORITY) -> KPRIORITY;

    pub fn KeInitializeDpc(
        dpc: *mut KDPC, deferred_routine: KDEFERRED_ROUTINE, deferred_context: PVOID);
    pub fn KeInsertQueueDpc(dpc: *mut KDPC, argument1: PVOID, argument2: PVOID) -> BOOLEAN;
    pub fn KeRemoveQueueDpc(dpc: *mut KDPC) -> BOOLEAN;
    pub fn KeFlushQueuedDpcs();
    pub fn KeSetTargetProcessorDpcEx(
        dpc: *mut KDPC, processor_number: *const PROCESSOR_NUMBER) -> NTSTATUS;
    pub fn KeSetImportanceDpc(dpc: *mut KDPC, importance: KDPC_IMPORTANCE);

    pub fn KeInitializeTimerEx(timer: *mut KTIMER, kind: TIMER_TYPE);
    pub fn KeSetTimerEx(
        timer: *mut KTIMER, due_time: LARGE_INTEGER, period_ms: LONG, dpc: *mut KDPC) -> BOOLEAN;
    pub fn KeSetCoalescableTimer(
        timer: *mut KTIMER, due_time: LARGE_INTEGER, period_ms: ULONG, tolerable_delay_ms: ULONG,
        dpc: *mut KDPC) -> BOOLEAN;
    pub fn KeCancelTimer(timer: *mut KTIMER) -> BOOLEAN;

    /// Time since the boot, including sleep, in 100 ns.
    pub fn KeQueryInterruptTimePrecise(qpc_time_stamp: *mut ULONG64) -> ULONG64;
    /// Time of day, in 100 ns since 1601.
    pub fn KeQuerySystemTimePrecise(current_time: *mut LARGE_INTEGER);

    pub fn KeQueryActiveProcessorCountEx(group_number: USHORT) -> ULONG;
    pub fn KeQueryMaximumProcessorCountEx(group_number: USHORT) -> ULONG;
    pub fn KeGetCurrentProcessorNumberEx(processor_number: *mut PROCESSOR_NUMBER) -> ULONG;
    pub fn KeGetProcessorNumberFromIndex(
        index: ULONG, processor_number: *mut PROCESSOR_NUMBER) -> NTSTATUS;
    pub fn KeSetSystemGroupAffinityThread(
        affinity: *const GROUP_AFFINITY, previous_affinity: *mut GROUP_AFFINITY);
    pub fn KeRevertToUserGroupAffinityThread(previous_affinity: *const GROUP_AFFINITY);

    #[cfg(target_arch = "x86_64")]
    pub fn KeSaveExtendedProcessorState(mask: ULONG64, save: *mut XSTATE_SAVE) -> NTSTATUS;
    #[cfg(target_arch = "x86_64")]
    pub fn KeRestoreExtendedProcessorState(save: *mut XSTATE_SAVE);

    pub fn KeBugCheckEx(
        code: ULONG, parameter1: ULONG_PTR, parameter2: ULONG_PTR, parameter3: ULONG_PTR,
        parameter4: ULONG_PTR) -> !;
}

#[cfg(not(target_arch = "aarch64"))]
import! { "ntoskrnl.exe";
    /// The current IRQL. Headers since Windows 8 call the export; older ones inline it.
    pub fn KeGetCurrentIrql() -> KIRQL;
    pub fn KfRaiseIrql(new_irql: KIRQL) -> KIRQL;
}

// On ARM64 they are `NTHALAPI` (wdm.h).
#[cfg(target_arch = "aarch64")]
import! { "hal.dll";
    pub fn KeGetCurrentIrql() -> KIRQL;
    pub fn KfRaiseIrql(new_irql: KIRQL) -> KIRQL;
}

import! { "hal.dll";
    pub fn KeQueryPerformanceCounter(frequency: *mut LARGE_INTEGER) -> LARGE_INTEGER;
}
