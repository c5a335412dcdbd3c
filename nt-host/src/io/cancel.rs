//! Cancellation of IRPs, under the system's cancel spin lock.

use core::sync::atomic::{AtomicPtr, Ordering};

use nt_sys::io::{DRIVER_CANCEL, IRP};
use nt_sys::ke::KSPIN_LOCK;
use nt_sys::ntdef::{BOOLEAN, DISPATCH_LEVEL, KIRQL};

use crate::callback;
use crate::io::irp as irps;
use crate::irql;
use crate::ke::spin_lock::{KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock};
use crate::violation::{Rule, stop};

struct CancelLock(core::cell::UnsafeCell<KSPIN_LOCK>);

// SAFETY: only the functions of spin locks touch the word.
unsafe impl Sync for CancelLock {}

static CANCEL_LOCK: CancelLock = CancelLock(core::cell::UnsafeCell::new(0));

export! { "ntoskrnl.exe";
    /// wdm.h, IoAcquireCancelSpinLock.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `irql` is writable.
    pub unsafe fn IoAcquireCancelSpinLock(irql: *mut KIRQL) {
        // SAFETY: the lock is a static.
        let before = unsafe { KeAcquireSpinLockRaiseToDpc(CANCEL_LOCK.0.get()) };
        // SAFETY: as the caller promises.
        unsafe { irql.write(before) };
    }

    /// wdm.h, IoReleaseCancelSpinLock.
    ///
    /// # IRQL
    /// DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller holds the lock.
    pub unsafe fn IoReleaseCancelSpinLock(irql: KIRQL) {
        // SAFETY: the lock is a static. The release checks that it is held.
        unsafe { KeReleaseSpinLock(CANCEL_LOCK.0.get(), irql) };
    }

    /// wdm.h, IoCancelIrp: returns true if there was a cancel routine, which was called.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// During the call, `irp` is freed by its own cancellation at most.
    pub unsafe fn IoCancelIrp(irp: *mut IRP) -> BOOLEAN {
        let function = "IoCancelIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        let level = irql::current();
        // SAFETY: as the caller promises.
        unsafe { irps::require(function, irp) };
        let mut before: KIRQL = 0;
        // SAFETY: `before` is writable.
        unsafe { IoAcquireCancelSpinLock(&raw mut before) };
        // SAFETY: as the caller promises.
        unsafe { (*irp).Cancel = 1 };
        // SAFETY: as the caller promises.
        let routine = unsafe { take_cancel_routine(irp) };
        let Some(routine) = routine else {
            // SAFETY: acquired above.
            unsafe { IoReleaseCancelSpinLock(before) };
            return 0;
        };
        // SAFETY: as the caller promises.
        unsafe { (*irp).CancelIrql = before };
        // SAFETY: as the caller promises.
        let location = unsafe { irps::overlay(irp) }.CurrentStackLocation;
        // SAFETY: an IRP with a cancel routine is at a driver's location.
        let device = unsafe { (*location).DeviceObject };
        let after = callback::enter_cancel_routine(|| {
            // SAFETY: the routine of this IRP, with the lock held as documented.
            unsafe { routine(device, irp) };
        });
        if after != level {
            stop(
                Rule::WRONG_IRQL,
                "cancel routine",
                format_args!("did not release the cancel spin lock to Irp->CancelIrql"),
            );
        }
        1
    }
}

/// Takes the cancel routine from an IRP (`IoSetCancelRoutine(irp, NULL)`).
///
/// # Safety
/// `irp` is valid.
pub(crate) unsafe fn take_cancel_routine(irp: *mut IRP) -> Option<DRIVER_CANCEL> {
    // SAFETY: as the caller promises.
    unsafe { exchange_cancel_routine(irp, None) }
}

/// `IoSetCancelRoutine`: returns the previous routine.
///
/// # Safety
/// `irp` is valid.
pub(crate) unsafe fn exchange_cancel_routine(
    irp: *mut IRP,
    routine: Option<DRIVER_CANCEL>,
) -> Option<DRIVER_CANCEL> {
    // SAFETY: as the caller promises.
    let field = unsafe { &raw mut (*irp).CancelRoutine };
    // SAFETY: aligned, and changed by exchanges only.
    let field = unsafe { AtomicPtr::<()>::from_ptr(field.cast()) };
    let new = routine.map_or(core::ptr::null_mut(), |routine| routine as *mut ());
    let before = field.swap(new, Ordering::AcqRel);
    // SAFETY: the field holds null or such a function, which is what the type says.
    unsafe { core::mem::transmute::<*mut (), Option<DRIVER_CANCEL>>(before) }
}
