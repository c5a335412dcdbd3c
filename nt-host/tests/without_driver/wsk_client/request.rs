//! Requests, and waiting for them.

use std::ptr;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nt_host as _;
use nt_sys::io::{
    IO_STACK_LOCATION, IRP, IoAllocateIrp, IoFreeIrp, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
};
use nt_sys::ntdef::{FALSE, NTSTATUS, PVOID};
use nt_sys::status::{STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING};

/// The bound of waits for what must happen.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// The outcome of a request, for the thread that waits for it.
#[derive(Default)]
pub(crate) struct Completion {
    pub(crate) outcome: Mutex<Option<(NTSTATUS, usize)>>,
    pub(crate) changed: Condvar,
}

pub(crate) unsafe extern "efiapi" fn completed(
    _: *mut nt_sys::io::DEVICE_OBJECT,
    irp: *mut IRP,
    context: PVOID,
) -> NTSTATUS {
    // SAFETY: the context of `request`, which waits.
    let completion = unsafe { &*context.cast::<Completion>() };
    // SAFETY: the IRP is this routine's.
    let status = unsafe { (*irp).IoStatus };
    let mut outcome = lock(&completion.outcome);
    *outcome = Some((status.Status, status.Information));
    // Under the lock: the waiting thread may free the completion once it has it.
    completion.changed.notify_all();
    STATUS_MORE_PROCESSING_REQUIRED
}

/// An IRP that reports to `completion`.
pub(crate) fn irp(completion: &Completion) -> *mut IRP {
    // SAFETY: one stack location, no quota.
    let irp = unsafe { IoAllocateIrp(1, FALSE) };
    assert!(!irp.is_null());
    // SAFETY: a new IRP.
    let tail = unsafe { &mut (*irp).Tail };
    // SAFETY: the view of the union that drivers use.
    let current = unsafe { tail.Overlay.CurrentStackLocation };
    let next: *mut IO_STACK_LOCATION = current.wrapping_sub(1);
    // SAFETY: it has one location.
    let next = unsafe { &mut *next };
    next.CompletionRoutine = Some(completed);
    next.Context = ptr::from_ref(completion).cast_mut().cast();
    next.Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
    irp
}

/// Makes a request and waits for its outcome.
pub(crate) fn request(call: impl FnOnce(*mut IRP) -> NTSTATUS) -> (NTSTATUS, usize) {
    let completion = Completion::default();
    let irp = irp(&completion);
    let returned = call(irp);
    let outcome = wait(&completion.outcome, &completion.changed, Option::is_some);
    let outcome = outcome.unwrap_or_default();
    // A request is completed exactly once, whatever the return value, and with the same status.
    assert!(returned == STATUS_PENDING || returned == outcome.0, "{returned:#x} {outcome:x?}");
    // SAFETY: its completion routine has taken it back.
    unsafe { IoFreeIrp(irp) };
    outcome
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until the value is `ready`, and takes it.
pub(crate) fn wait<T: Default>(
    mutex: &Mutex<T>,
    changed: &Condvar,
    ready: impl Fn(&T) -> bool,
) -> T {
    let (mut value, waited) = changed
        .wait_timeout_while(lock(mutex), LIMIT, |value| !ready(value))
        .unwrap_or_else(PoisonError::into_inner);
    assert!(!waited.timed_out(), "waited in vain");
    std::mem::take(&mut value)
}
