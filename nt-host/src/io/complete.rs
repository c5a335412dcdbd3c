//! Completion of IRPs: one stack location after the other, up to the creator of the IRP.

use nt_sys::io::{
    IRP, SL_INVOKE_ON_CANCEL, SL_INVOKE_ON_ERROR, SL_INVOKE_ON_SUCCESS, SL_PENDING_RETURNED,
};
use nt_sys::ntdef::{CCHAR, DISPATCH_LEVEL, NT_SUCCESS};
use nt_sys::status::{STATUS_MORE_PROCESSING_REQUIRED, STATUS_PENDING};

use crate::callback;
use crate::io::{irp as irps, request};
use crate::irql;
use crate::violation::{Rule, stop};

export! { "ntoskrnl.exe";
    /// wdm.h, IofCompleteRequest (`IoCompleteRequest`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller owns the IRP, and does not touch it any more.
    pub unsafe fn IofCompleteRequest(irp: *mut IRP, _priority_boost: CCHAR) {
        let function = "IofCompleteRequest";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { irps::require(function, irp) };
        // SAFETY: as the caller promises.
        unsafe { require_completable(function, irp) };
        // SAFETY: as the caller promises.
        unsafe { complete(function, irp) };
    }
}

/// # Safety
/// The caller owns the IRP.
unsafe fn require_completable(function: &str, irp: *mut IRP) {
    // SAFETY: as the caller promises.
    let fields = unsafe { &*irp };
    if fields.CurrentLocation > fields.StackCount {
        // No driver owns the IRP any more: multiple completion (bug check 0x44).
        stop(
            Rule::DOUBLE_COMPLETION,
            function,
            format_args!("the IRP at {irp:p} is completed already"),
        );
    }
    if fields.CancelRoutine.is_some() {
        stop(
            Rule::BAD_IRP,
            function,
            format_args!("the IRP at {irp:p} is completed with its cancel routine set"),
        );
    }
    let status = fields.IoStatus.Status;
    if status == STATUS_PENDING || status == -1 {
        stop(
            Rule::BAD_IRP,
            function,
            format_args!("the IRP at {irp:p} is completed with status {status:#x}"),
        );
    }
}

/// # Safety
/// As for [`IofCompleteRequest`].
unsafe fn complete(function: &str, irp: *mut IRP) {
    loop {
        // SAFETY: the caller owns the IRP until a completion routine takes it or the last location
        // is left.
        let fields = unsafe { &mut *irp };
        let number = fields.CurrentLocation;
        // SAFETY: the number is within the IRP's locations.
        let left = unsafe { *irps::location(irp, number) };
        fields.PendingReturned = left.Control & SL_PENDING_RETURNED;
        fields.CurrentLocation = number + 1;
        // At most one past the last location, which is then not read.
        let current = irps::location(irp, number + 1);
        fields.Tail.Overlay.CurrentStackLocation = current;
        let last = number == fields.StackCount;
        let invoke = (NT_SUCCESS(fields.IoStatus.Status)
            && left.Control & SL_INVOKE_ON_SUCCESS != 0)
            || (!NT_SUCCESS(fields.IoStatus.Status) && left.Control & SL_INVOKE_ON_ERROR != 0)
            || (fields.Cancel != 0 && left.Control & SL_INVOKE_ON_CANCEL != 0);
        if invoke && let Some(routine) = left.CompletionRoutine {
            // The routine was set by the next higher driver. It gets that driver's device, if there
            // is one.
            let device = if last {
                core::ptr::null_mut()
            } else {
                // SAFETY: the current location is within the IRP's.
                unsafe { (*current).DeviceObject }
            };
            let status = callback::enter_driver(|| {
                // SAFETY: the routine was set with this context for this IRP.
                unsafe { routine(device, irp, left.Context) }
            });
            if status == STATUS_MORE_PROCESSING_REQUIRED {
                return;
            }
        } else if left.Control & SL_PENDING_RETURNED != 0 && !last {
            // SAFETY: the current location is within the IRP's.
            unsafe { (*current).Control |= SL_PENDING_RETURNED };
        }
        if last {
            break;
        }
    }
    // SAFETY: the IRP is back with its creator.
    if !unsafe { request::finish(irp) } {
        stop(
            Rule::BAD_IRP,
            function,
            format_args!(
                "the IRP at {irp:p} is a driver's own: its completion routine must return \
                 STATUS_MORE_PROCESSING_REQUIRED"
            ),
        );
    }
}
