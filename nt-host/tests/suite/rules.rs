//! Drivers that break one rule each: the process stops and names the rule.
//!
//! Each test runs itself in a child process, which breaks the rule.

use core::ffi::c_void;
use core::ptr;
use core::time::Duration;

use nt_host::{Machine, MachineOptions};
use nt_sys::ex::{
    ExAcquireSpinLockExclusive, ExAcquireSpinLockShared, ExAllocatePool2, ExFreePoolWithTag,
    POOL_FLAG_NON_PAGED, POOL_FLAG_PAGED,
};
use nt_sys::io::{
    CTL_CODE, DEVICE_OBJECT, FILE_ANY_ACCESS, FILE_DEVICE_NETWORK, IRP, IoAllocateIrp,
    IofCompleteRequest, METHOD_BUFFERED, SL_PENDING_RETURNED,
};
use nt_sys::ke::{
    KDPC, KEVENT, KSPIN_LOCK, KTIMER, KeAcquireSpinLockAtDpcLevel, KeAcquireSpinLockRaiseToDpc,
    KeBugCheckEx, KeDelayExecutionThread, KeInitializeEvent, KeInitializeTimerEx, KeInsertQueueDpc,
    KeLowerIrql, KeRaiseIrqlToDpcLevel, KeReleaseSpinLock, KeSetEvent, KeSetTimerEx,
    KeWaitForSingleObject, NotificationEvent, NotificationTimer, XSTATE_SAVE,
};
use nt_sys::ntdef::{HANDLE, NTSTATUS};
use nt_sys::ps::{PsCreateSystemThread, THREAD_ALL_ACCESS};
use nt_sys::rtl::XSTATE_MASK_LEGACY;
use nt_sys::status::{STATUS_PENDING, STATUS_SUCCESS};

use crate::child;
use crate::driver::{DEVICE_NAME, Routines, complete, load, location};
use crate::machine::{options, turn};

const TAG: u32 = u32::from_le_bytes(*b"Test");
const CODE: u32 = CTL_CODE(FILE_DEVICE_NETWORK, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS);

/// Runs `breaking` in a child process that must stop with this rule. Returns the line.
fn stops(test: &str, rule: &str, breaking: fn()) -> String {
    let (code, errors) = child::run(&format!("rules::{test}"), None, breaking);
    assert_eq!(code, Some(nt_host::violation::EXIT_CODE), "{errors}");
    let start = format!("nt-host: STOP {rule}: ");
    let line = errors.lines().find(|line| line.contains(&start));
    line.unwrap_or_else(|| panic!("no {start} in {errors}")).to_owned()
}

/// Loads a driver with this entry point, and unloads it.
fn in_entry(entry: fn()) {
    in_entry_with(MachineOptions::default(), entry);
}

fn in_entry_with(options: MachineOptions, entry: fn()) {
    let (_, driver) = load(options, Routines { entry, ..Routines::idle() });
    driver.unload();
}

/// Loads a driver with this device control routine, and sends a device control.
fn in_control(control: fn(*mut IRP) -> NTSTATUS) {
    let options =
        MachineOptions { cleanup_timeout: Duration::from_millis(100), ..Default::default() };
    let (machine, driver) = load(options, Routines { control, ..Routines::idle() });
    let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
    drop(handle.ioctl_async(CODE, &[1, 2, 3], 4));
    drop(handle);
    driver.unload();
}

fn guarded() -> MachineOptions {
    MachineOptions { guard_pages: true, ..Default::default() }
}

fn allocate(bytes: usize) -> *mut u8 {
    // SAFETY: has no conditions.
    unsafe { ExAllocatePool2(POOL_FLAG_NON_PAGED, bytes, TAG) }.cast()
}

fn free(block: *mut u8, tag: u32) {
    // SAFETY: what is broken is what the host has to find.
    unsafe { ExFreePoolWithTag(block.cast(), tag) };
}

fn raise() {
    // SAFETY: has no conditions.
    unsafe { KeRaiseIrqlToDpcLevel() };
}

#[test]
fn wrong_irql() {
    let line = stops("wrong_irql", "WRONG IRQL", || {
        in_entry(|| {
            raise();
            // SAFETY: what is broken is what the host has to find.
            unsafe { ExAllocatePool2(POOL_FLAG_PAGED, 16, TAG) };
        });
    });
    assert!(line.contains("ExAllocatePool2: called at DISPATCH_LEVEL"), "{line}");
}

#[test]
fn callback_returns_at_another_irql() {
    let line = stops("callback_returns_at_another_irql", "WRONG IRQL", || in_entry(raise));
    assert!(line.contains("called at PASSIVE_LEVEL, returned at DISPATCH_LEVEL"), "{line}");
}

#[test]
fn wait_at_dispatch() {
    stops("wait_at_dispatch", "WAIT AT DISPATCH", || {
        in_entry(|| {
            raise();
            let interval = -10_i64;
            // SAFETY: the interval is readable.
            unsafe { KeDelayExecutionThread(0, 0, &raw const interval) };
        });
    });
}

#[test]
fn spin_lock_recursion() {
    stops("spin_lock_recursion", "SPIN LOCK RECURSION", || {
        in_entry(|| {
            let mut lock: KSPIN_LOCK = 0;
            // SAFETY: the lock is initialized.
            unsafe { KeAcquireSpinLockRaiseToDpc(&raw mut lock) };
            // SAFETY: the lock is initialized.
            unsafe { KeAcquireSpinLockAtDpcLevel(&raw mut lock) };
        });
    });
}

#[test]
fn spin_lock_for_readers_recursion() {
    stops("spin_lock_for_readers_recursion", "SPIN LOCK RECURSION", || {
        in_entry(|| {
            let mut lock = 0;
            // SAFETY: the lock is initialized.
            unsafe { ExAcquireSpinLockShared(&raw mut lock) };
            // SAFETY: the lock is initialized.
            unsafe { ExAcquireSpinLockExclusive(&raw mut lock) };
        });
    });
}

#[test]
fn spin_lock_not_owned() {
    stops("spin_lock_not_owned", "SPIN LOCK NOT OWNED", || {
        in_entry(|| {
            let mut lock: KSPIN_LOCK = 0;
            raise();
            // SAFETY: the lock is initialized.
            unsafe { KeReleaseSpinLock(&raw mut lock, 0) };
        });
    });
}

#[test]
fn spin_lock_held_below_dispatch() {
    stops("spin_lock_held_below_dispatch", "SPIN LOCK HELD", || {
        in_entry(|| {
            let mut lock: KSPIN_LOCK = 0;
            // SAFETY: the lock is initialized.
            let before = unsafe { KeAcquireSpinLockRaiseToDpc(&raw mut lock) };
            // SAFETY: has no conditions.
            unsafe { KeLowerIrql(before) };
        });
    });
}

#[test]
fn pool_leak() {
    let line = stops("pool_leak", "POOL LEAK", || {
        in_entry(|| {
            allocate(100);
        });
    });
    assert!(line.contains("'Test' of 100 bytes"), "{line}");
}

#[test]
fn irp_leak() {
    let line = stops("irp_leak", "POOL LEAK", || {
        in_entry(|| {
            // SAFETY: has no conditions.
            unsafe { IoAllocateIrp(1, 0) };
        });
    });
    assert!(line.contains("'Irp '"), "{line}");
}

#[test]
fn double_free() {
    stops("double_free", "DOUBLE FREE", || {
        in_entry(|| {
            let block = allocate(100);
            free(block, TAG);
            free(block, TAG);
        });
    });
}

#[test]
fn free_of_no_block() {
    stops("free_of_no_block", "BAD FREE", || {
        in_entry(|| free(allocate(100).wrapping_add(16), TAG));
    });
}

#[test]
fn free_with_another_tag() {
    stops("free_with_another_tag", "WRONG TAG", || {
        in_entry(|| free(allocate(100), TAG + 1));
    });
}

#[test]
fn write_past_the_end() {
    let line = stops("write_past_the_end", "POOL OVERRUN", || {
        in_entry(|| {
            let block = allocate(100);
            // SAFETY: what is broken is what the host has to find; the host keeps some bytes there.
            unsafe { block.wrapping_add(100).write(0) };
            free(block, TAG);
        });
    });
    assert!(line.contains("byte 100 of the block 'Test'"), "{line}");
}

#[test]
fn write_before_the_start() {
    let line = stops("write_before_the_start", "POOL OVERRUN", || {
        in_entry(|| {
            let block = allocate(100);
            // SAFETY: what is broken is what the host has to find; the host keeps some bytes there.
            unsafe { block.wrapping_sub(1).write(0) };
            free(block, TAG);
        });
    });
    assert!(line.contains("byte -1 of the block 'Test'"), "{line}");
}

#[test]
fn access_past_the_end_with_guard_pages() {
    let line = stops("access_past_the_end_with_guard_pages", "POOL OVERRUN", || {
        in_entry_with(guarded(), || {
            let block = allocate(112);
            // SAFETY: what is broken is what the host has to find.
            unsafe { block.wrapping_add(112).read_volatile() };
        });
    });
    assert!(line.contains("touched byte 112 of the block 'Test' of 112 bytes"), "{line}");
}

#[test]
fn use_after_free() {
    let line = stops("use_after_free", "USE AFTER FREE", || {
        in_entry_with(guarded(), || {
            let block = allocate(100);
            free(block, TAG);
            // SAFETY: what is broken is what the host has to find.
            unsafe { block.wrapping_add(7).read_volatile() };
        });
    });
    assert!(line.contains("touched byte 7 of the block 'Test' of 100 bytes"), "{line}");
}

#[test]
fn write_after_free_without_guard_pages() {
    let line = stops("write_after_free_without_guard_pages", "USE AFTER FREE", || {
        in_entry(|| {
            let block = allocate(100);
            free(block, TAG);
            // SAFETY: what is broken is what the host has to find; the host still keeps the memory.
            unsafe { block.wrapping_add(7).write(0) };
        });
    });
    assert!(line.contains("byte 7 of the block 'Test' of 100 bytes"), "{line}");
}

#[test]
fn stack_overrun() {
    fn deep(levels: usize) -> usize {
        let mut frame = [0_u8; 512];
        std::hint::black_box(&mut frame);
        if levels == 0 { 0 } else { deep(levels - 1) + usize::from(frame[levels % 512]) }
    }
    let line = stops("stack_overrun", "STACK OVERRUN", || {
        in_entry(|| {
            std::hint::black_box(deep(10_000));
        });
    });
    assert!(line.contains("KiB of a kernel stack (called from nt-host/src/driver.rs"), "{line}");
}

#[test]
fn access_to_nothing() {
    stops("access_to_nothing", "ACCESS VIOLATION", || {
        in_entry(|| {
            // SAFETY: what is broken is what the host has to find.
            unsafe { ptr::without_provenance::<u8>(64).read_volatile() };
        });
    });
}

#[test]
fn double_completion() {
    stops("double_completion", "DOUBLE COMPLETION", || {
        in_control(|irp| {
            complete(irp, STATUS_SUCCESS, 0);
            // SAFETY: what is broken is what the host has to find.
            unsafe { IofCompleteRequest(irp, 0) };
            STATUS_SUCCESS
        });
    });
}

#[test]
fn completion_with_a_cancel_routine() {
    unsafe extern "efiapi" fn cancel(_device: *mut DEVICE_OBJECT, _irp: *mut IRP) {}
    let line = stops("completion_with_a_cancel_routine", "BAD IRP", || {
        in_control(|irp| {
            // SAFETY: the dispatch routine owns the IRP.
            unsafe { (*irp).CancelRoutine = Some(cancel) };
            complete(irp, STATUS_SUCCESS, 0)
        });
    });
    assert!(line.contains("cancel routine set"), "{line}");
}

#[test]
fn information_beyond_the_output() {
    let line = stops("information_beyond_the_output", "BAD IRP", || {
        in_control(|irp| complete(irp, STATUS_SUCCESS, 5));
    });
    assert!(line.contains("Information is 5, the output buffer has 4"), "{line}");
}

#[test]
fn pending_without_the_mark() {
    stops("pending_without_the_mark", "BAD IRP", || in_control(|_| STATUS_PENDING));
}

#[test]
fn status_other_than_of_the_completion() {
    stops("status_other_than_of_the_completion", "BAD IRP", || {
        in_control(|irp| {
            complete(irp, STATUS_SUCCESS, 0);
            -1
        });
    });
}

#[test]
fn irp_not_completed() {
    stops("irp_not_completed", "LOST IRP", || in_control(|_| STATUS_SUCCESS));
}

#[test]
fn lost_irp() {
    let line = stops("lost_irp", "LOST IRP", || {
        in_control(|irp| {
            // SAFETY: the dispatch routine owns the IRP and its location.
            unsafe { (*location(irp)).Control |= SL_PENDING_RETURNED };
            STATUS_PENDING
        });
    });
    assert!(line.contains("IRP_MJ_CLEANUP"), "{line}");
}

#[test]
fn irp_touched_after_its_completion() {
    stops("irp_touched_after_its_completion", "USE AFTER FREE", || {
        let routines = Routines {
            control: |irp| {
                complete(irp, STATUS_SUCCESS, 0);
                std::hint::black_box(location(irp));
                STATUS_SUCCESS
            },
            ..Routines::idle()
        };
        let (machine, _driver) = load(guarded(), routines);
        let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
        handle.ioctl(CODE, &[], &mut []);
    });
}

unsafe extern "efiapi" fn sleeper(_context: *mut c_void) {
    let interval = -10 * 10_000_000_i64;
    // SAFETY: the interval is readable.
    unsafe { KeDelayExecutionThread(0, 0, &raw const interval) };
}

#[test]
fn thread_left() {
    let line = stops("thread_left", "LEFT AT UNLOAD", || {
        in_entry(|| {
            let mut handle: HANDLE = ptr::null_mut();
            // SAFETY: the handle is writable.
            unsafe {
                PsCreateSystemThread(
                    &raw mut handle,
                    THREAD_ALL_ACCESS,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    sleeper,
                    ptr::null_mut(),
                )
            };
        });
    });
    assert!(line.contains("still runs") && line.contains("still open"), "{line}");
}

fn set_timer(timer: *mut KTIMER) {
    // SAFETY: the timer is writable.
    unsafe { KeInitializeTimerEx(timer, NotificationTimer) };
    // SAFETY: the timer is initialized.
    unsafe { KeSetTimerEx(timer, -60 * 10_000_000, 0, ptr::null_mut()) };
}

#[test]
fn timer_left() {
    stops("timer_left", "LEFT AT UNLOAD", || {
        in_entry(|| set_timer(Box::leak(Box::new(core::mem::MaybeUninit::uninit())).as_mut_ptr()));
    });
}

#[test]
fn timer_freed_while_set() {
    stops("timer_freed_while_set", "ACTIVE OBJECT FREED", || {
        in_entry(|| {
            let block = allocate(size_of::<KTIMER>());
            set_timer(block.cast());
            free(block, TAG);
        });
    });
}

#[test]
fn event_not_initialized() {
    stops("event_not_initialized", "BAD OBJECT", || {
        in_entry(|| {
            let event = allocate(size_of::<KEVENT>()).cast::<KEVENT>();
            // SAFETY: what is broken is what the host has to find.
            unsafe { KeSetEvent(event, 0, 0) };
        });
    });
}

#[test]
fn dpc_not_initialized() {
    stops("dpc_not_initialized", "BAD OBJECT", || {
        in_entry(|| {
            let dpc = allocate(size_of::<KDPC>()).cast::<KDPC>();
            // SAFETY: what is broken is what the host has to find.
            unsafe { KeInsertQueueDpc(dpc, ptr::null_mut(), ptr::null_mut()) };
        });
    });
}

#[test]
fn extended_state_not_restored() {
    stops("extended_state_not_restored", "EXTENDED STATE", || {
        in_entry(|| {
            let mut save = core::mem::MaybeUninit::<XSTATE_SAVE>::uninit();
            // SAFETY: the save is writable.
            unsafe {
                nt_sys::ke::KeSaveExtendedProcessorState(XSTATE_MASK_LEGACY, save.as_mut_ptr())
            };
        });
    });
}

#[test]
fn call_after_unload() {
    unsafe extern "efiapi" fn waiter(context: *mut c_void) {
        // SAFETY: the event is initialized and leaked.
        unsafe { KeWaitForSingleObject(context, 0, 0, 0, ptr::null()) };
        // SAFETY: the event is initialized and leaked.
        unsafe { KeSetEvent(context.cast(), 0, 0) };
    }
    static EVENT: std::sync::Mutex<usize> = std::sync::Mutex::new(0);
    stops("call_after_unload", "CALL AFTER UNLOAD", || {
        let entry = || {
            let event =
                Box::leak(Box::new(core::mem::MaybeUninit::<KEVENT>::uninit())).as_mut_ptr();
            *EVENT.lock().expect("nobody panics") = event.expose_provenance();
            // SAFETY: the event is writable.
            unsafe { KeInitializeEvent(event, NotificationEvent, 0) };
            let mut handle: HANDLE = ptr::null_mut();
            // SAFETY: the handle is writable.
            unsafe {
                PsCreateSystemThread(
                    &raw mut handle,
                    THREAD_ALL_ACCESS,
                    ptr::null_mut(),
                    ptr::null_mut(),
                    ptr::null_mut(),
                    waiter,
                    event.cast(),
                )
            };
        };
        let (_, driver) = load(MachineOptions::default(), Routines { entry, ..Routines::idle() });
        assert!(!driver.unload_reporting().leaks.is_empty());
        let event = *EVENT.lock().expect("nobody panics");
        // SAFETY: the event is initialized and leaked.
        unsafe { KeSetEvent(ptr::with_exposed_provenance_mut(event), 0, 0) };
        // Until the process is stopped; the limit is the child's.
        loop {
            std::thread::park();
        }
    });
}

#[test]
fn bugcheck() {
    let line = stops("bugcheck", "BUGCHECK", || {
        in_entry(|| {
            // SAFETY: has no conditions.
            unsafe { KeBugCheckEx(0xe2, 1, 2, 3, 4) };
        });
    });
    assert!(line.contains("0x000000e2 (0x1, 0x2, 0x3, 0x4)"), "{line}");
}

/// A driver that breaks no rule is not stopped.
#[test]
fn a_driver_that_breaks_nothing() {
    let _turn = turn();
    let control: fn(*mut IRP) -> NTSTATUS = |irp| {
        free(allocate(5000), TAG);
        complete(irp, STATUS_SUCCESS, 0)
    };
    let (machine, driver) = load(options(), Routines { control, ..Routines::idle() });
    let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
    assert_eq!(handle.ioctl(CODE, &[1], &mut [0; 4]), (STATUS_SUCCESS, 0));
    drop(handle);
    assert_eq!(driver.unload().leaks, Vec::<String>::new());
    let _: Machine = machine;
}
