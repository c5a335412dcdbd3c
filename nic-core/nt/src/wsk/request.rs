//! IRPs for WSK. Each has one stack location, and a completion routine that keeps it allocated.

use core::ptr::NonNull;

use nt_sys::io::{
    DEVICE_OBJECT, IO_COMPLETION_ROUTINE, IRP, IoAllocateIrp, IoFreeIrp, IoReuseIrp,
    SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS,
};
use nt_sys::ntdef::{FALSE, NTSTATUS, PVOID};
use nt_sys::status::{STATUS_MORE_PROCESSING_REQUIRED, STATUS_UNSUCCESSFUL};

use crate::event::{Event, EventKind};
use crate::irp::current_stack_location;
use crate::status::{Result, Status};

/// An IRP that is reused.
pub(super) struct WskIrp {
    irp: NonNull<IRP>,
}

impl WskIrp {
    /// Allocates an IRP.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn new() -> Result<Self> {
        // SAFETY: has no conditions.
        let irp = unsafe { IoAllocateIrp(1, FALSE) };
        NonNull::new(irp).map(|irp| Self { irp }).ok_or(Status::INSUFFICIENT_RESOURCES)
    }

    /// Prepares the IRP for one call of WSK. `routine` is called with `context` on completion.
    ///
    /// The IRP must not be in use by WSK.
    pub(super) fn prepare(&mut self, routine: IO_COMPLETION_ROUTINE, context: PVOID) -> *mut IRP {
        // SAFETY: IoAllocateIrp returned the IRP, which is not in use.
        unsafe { IoReuseIrp(self.irp.as_ptr(), STATUS_UNSUCCESSFUL) };
        // SAFETY: the current location of an IRP that no driver has been called with is behind its
        // last one.
        let current = unsafe { current_stack_location(self.irp) };
        let next = current.as_ptr().wrapping_sub(1);
        // IoSetCompletionRoutine, which wdm.h inlines.
        // SAFETY: the IRP has one location.
        let next = unsafe { &mut *next };
        next.CompletionRoutine = Some(routine);
        next.Context = context;
        next.Control = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
        self.irp.as_ptr()
    }

    /// The status of the last call, and its `Information`.
    pub(super) fn outcome(&self) -> (Status, usize) {
        // SAFETY: the IRP is ours again.
        let outcome = unsafe { (*self.irp.as_ptr()).IoStatus };
        (Status(outcome.Status), outcome.Information)
    }
}

impl Drop for WskIrp {
    fn drop(&mut self) {
        // SAFETY: IoAllocateIrp returned the IRP, which WSK does not use.
        unsafe { IoFreeIrp(self.irp.as_ptr()) };
    }
}

// SAFETY: an IRP is plain memory; its owner decides who uses it when.
unsafe impl Send for WskIrp {}
// SAFETY: an IRP is plain memory; its owner decides who uses it when.
unsafe impl Sync for WskIrp {}

/// A synchronous request. It is allocated in advance where it must not fail.
pub(super) struct Request {
    irp: WskIrp,
    done: Event,
}

impl Request {
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub(super) fn new() -> Result<Self> {
        Ok(Self { irp: WskIrp::new()?, done: Event::new(EventKind::Automatic)? })
    }

    /// Makes a call and waits for its completion. Returns the `Information` of the IRP.
    ///
    /// # IRQL
    /// `<= APC_LEVEL`
    pub(super) fn call(&mut self, call: impl FnOnce(*mut IRP) -> NTSTATUS) -> Result<usize> {
        let done = core::ptr::from_ref(&self.done).cast_mut();
        let irp = self.irp.prepare(set_event, done.cast());
        // The return value is ignored: the IRP is completed in any case, with the same status.
        call(irp);
        self.done.wait_up_to(None);
        let (status, information) = self.irp.outcome();
        status.ok().map(|()| information)
    }
}

/// Makes a call and waits for its completion. Returns the `Information` of the IRP.
///
/// # IRQL
/// `<= APC_LEVEL`
pub(super) fn synchronously(call: impl FnOnce(*mut IRP) -> NTSTATUS) -> Result<usize> {
    Request::new()?.call(call)
}

unsafe extern "efiapi" fn set_event(_: *mut DEVICE_OBJECT, _: *mut IRP, event: PVOID) -> NTSTATUS {
    // SAFETY: the context is the event of a request that is waited for.
    unsafe { &*event.cast::<Event>() }.set();
    // The driver owns the IRP, not the I/O manager.
    STATUS_MORE_PROCESSING_REQUIRED
}
