//! IRPs of WSK functions ("Using IRPs with Winsock Kernel Functions").

use std::ptr::NonNull;

use nt_sys::io::{
    IO_STACK_LOCATION, IRP, IofCompleteRequest, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR,
    SL_INVOKE_ON_SUCCESS,
};
use nt_sys::ke::IO_NO_INCREMENT;
use nt_sys::ntdef::{CCHAR, DISPATCH_LEVEL, NTSTATUS};

use crate::violation::{Rule, stop};
use crate::{irql, stack};

/// An IRP that WSK owns until its completion.
#[derive(Debug)]
pub(super) struct Request(NonNull<IRP>);

// SAFETY: an IRP may be completed by any thread.
unsafe impl Send for Request {}

impl Request {
    /// Takes an IRP, and makes its next stack location WSK's. Stops if the IRP cannot be completed.
    ///
    /// # Safety
    /// `irp` is null, or an IRP that the caller passes to WSK.
    pub(super) unsafe fn accept(function: &str, irp: *mut IRP) -> Self {
        let Some(pointer) = NonNull::new(irp) else {
            stop(Rule::BAD_ARGUMENT, function, format_args!("there is no IRP"));
        };
        // SAFETY: as the caller promises.
        let irp = unsafe { &mut *irp };
        // Locations count down from StackCount + 1, which belongs to no driver.
        if irp.CurrentLocation < 2 {
            stop(Rule::BAD_IRP, function, format_args!("the IRP has no stack location left"));
        }
        let allocated_by_caller = irp.CurrentLocation == irp.StackCount.wrapping_add(1);
        // SAFETY: drivers use this member of the union while they own the IRP.
        let overlay = unsafe { &mut irp.Tail.Overlay };
        let next = overlay.CurrentStackLocation.wrapping_sub(1);
        // SAFETY: the check above found a next location.
        let location: &mut IO_STACK_LOCATION = unsafe { &mut *next };
        let always = SL_INVOKE_ON_SUCCESS | SL_INVOKE_ON_ERROR | SL_INVOKE_ON_CANCEL;
        if allocated_by_caller
            && (location.CompletionRoutine.is_none() || location.Control & always != always)
        {
            stop(
                Rule::BAD_IRP,
                function,
                format_args!("the IRP has no completion routine, or one that is not always called"),
            );
        }
        overlay.CurrentStackLocation = next;
        irp.CurrentLocation -= 1;
        Self(pointer)
    }

    /// As [`Request::accept`], for functions whose IRP is optional.
    ///
    /// # Safety
    /// As for [`Request::accept`].
    pub(super) unsafe fn accept_optional(function: &str, irp: *mut IRP) -> Option<Self> {
        // SAFETY: as the caller promises.
        (!irp.is_null()).then(|| unsafe { Self::accept(function, irp) })
    }

    /// Completes the IRP: at the caller's IRQL in a call from a driver, otherwise at
    /// DISPATCH_LEVEL, as the network does. Returns the status.
    pub(super) fn complete(self, status: NTSTATUS, information: usize) -> NTSTATUS {
        let irp = self.0.as_ptr();
        // SAFETY: WSK owns the IRP.
        unsafe { (*irp).IoStatus.Status = status };
        // SAFETY: WSK owns the IRP.
        unsafe { (*irp).IoStatus.Information = information };
        // SAFETY: WSK owns the IRP, and does not use it afterwards.
        let complete = || unsafe { IofCompleteRequest(irp, IO_NO_INCREMENT as CCHAR) };
        if stack::in_driver() {
            complete();
        } else {
            irql::raised(DISPATCH_LEVEL, complete);
        }
        status
    }
}
