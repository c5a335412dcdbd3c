//! Dispatch of IRPs to drivers.

use nt_sys::io::{DEVICE_OBJECT, IRP, SL_PENDING_RETURNED};
use nt_sys::ntdef::{DISPATCH_LEVEL, NTSTATUS};
use nt_sys::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_PENDING};

use crate::callback;
use crate::io::complete::IofCompleteRequest;
use crate::io::device;
use crate::io::irp as irps;
use crate::irql;
use crate::violation::{Rule, stop};

export! { "ntoskrnl.exe";
    /// wdm.h, IofCallDriver (`IoCallDriver`).
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller owns the IRP, and has set up its next stack location.
    pub unsafe fn IofCallDriver(device_object: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
        let function = "IofCallDriver";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        unsafe { irps::require(function, irp) };
        // SAFETY: as the caller promises.
        unsafe { call(function, device_object, irp) }
    }
}

/// Moves the IRP to its next stack location and calls the driver of the device.
///
/// # Safety
/// As for [`IofCallDriver`].
pub(crate) unsafe fn call(
    function: &str,
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: as the caller promises.
    let fields = unsafe { &mut *irp };
    let number = fields.CurrentLocation - 1;
    if number < 1 {
        stop(
            Rule::BAD_IRP,
            function,
            format_args!("the IRP at {irp:p} has no stack location left (bug check 0x35)"),
        );
    }
    let location = irps::location(irp, number);
    fields.CurrentLocation = number;
    fields.Tail.Overlay.CurrentStackLocation = location;
    // SAFETY: the number is within the IRP's locations.
    unsafe { (*location).DeviceObject = device_object };
    // SAFETY: the number is within the IRP's locations.
    let major = unsafe { (*location).MajorFunction };
    let Some(routine) = device::dispatch_routine(device_object, major) else {
        fields.IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
        fields.IoStatus.Information = 0;
        // SAFETY: the driver has no routine, so the IRP is ours.
        unsafe { IofCompleteRequest(irp, 0) };
        return STATUS_INVALID_DEVICE_REQUEST;
    };
    callback::enter_driver(|| {
        // SAFETY: the driver's routine for this major function, with a device of its own.
        unsafe { routine(device_object, irp) }
    })
}

/// Stops if the status that a dispatch routine returned contradicts what it did to the IRP.
pub(crate) fn require_consistent(major: u8, returned: NTSTATUS, seen: &DispatchOutcome) {
    let function = "dispatch routine";
    match seen {
        DispatchOutcome::Open { control } if returned != STATUS_PENDING => stop(
            Rule::LOST_IRP,
            function,
            format_args!(
                "returned {returned:#010x} for major function {major:#x} and did not complete \
                 the IRP (control {control:#x})"
            ),
        ),
        DispatchOutcome::Open { control } if control & SL_PENDING_RETURNED == 0 => stop(
            Rule::BAD_IRP,
            function,
            format_args!("returned STATUS_PENDING for an IRP that is not marked pending"),
        ),
        DispatchOutcome::Completed { pending: true, .. } if returned != STATUS_PENDING => stop(
            Rule::BAD_IRP,
            function,
            format_args!("marked the IRP pending and returned {returned:#010x}"),
        ),
        DispatchOutcome::Completed { pending: false, .. } if returned == STATUS_PENDING => stop(
            Rule::BAD_IRP,
            function,
            format_args!("returned STATUS_PENDING for an IRP that is not marked pending"),
        ),
        DispatchOutcome::Completed { pending: false, status } if returned != *status => stop(
            Rule::BAD_IRP,
            function,
            format_args!("completed the IRP with {status:#010x} and returned {returned:#010x}"),
        ),
        _ => {}
    }
}

/// The state of an IRP after its dispatch routine has returned.
pub(crate) enum DispatchOutcome {
    /// It is not completed.
    Open { control: u8 },
    /// It is completed.
    Completed { pending: bool, status: NTSTATUS },
}
