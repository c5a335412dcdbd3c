//! Cancel-safe queues of IRPs. The driver provides the list and its lock; the queue resolves the
//! races with cancellation.
//!
//! `DriverContext[3]` of a queued IRP belongs to the queue (wdm.h, IoCsqInsertIrp). It points to
//! the queue, or to the context that was passed with the IRP. Both begin with their type.

use nt_sys::io::{
    DEVICE_OBJECT, IO_CSQ, IO_CSQ_ACQUIRE_LOCK, IO_CSQ_COMPLETE_CANCELED_IRP, IO_CSQ_INSERT_IRP,
    IO_CSQ_IRP_CONTEXT, IO_CSQ_PEEK_NEXT_IRP, IO_CSQ_RELEASE_LOCK, IO_CSQ_REMOVE_IRP, IO_TYPE_CSQ,
    IO_TYPE_CSQ_IRP_CONTEXT, IRP, SL_PENDING_RETURNED,
};
use nt_sys::ntdef::{DISPATCH_LEVEL, KIRQL, NTSTATUS, PVOID};
use nt_sys::status::STATUS_SUCCESS;

use crate::io::cancel::{IoReleaseCancelSpinLock, exchange_cancel_routine, take_cancel_routine};
use crate::io::irp as irps;
use crate::irql;
use crate::violation::{Rule, stop};

// SAFETY 1: the driver gave its queue's routines to IoCsqInitialize. The lock is held where the
//           documentation asks for it.
// SAFETY 2: the caller of IoCsqInsertIrpEx owns the IRP until it is queued.
// SAFETY 3: `DriverContext[3]` of a queued IRP points to a queue or to a context. Both begin with
//           their type.
// SAFETY 4: the IRP is out of the queue, with its cancel routine taken: nobody else uses it.

export! { "ntoskrnl.exe";
    /// wdm.h, IoCsqInitialize.
    ///
    /// # IRQL
    /// Any; here <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `csq` is writable, and the routines are what the documentation says.
    pub unsafe fn IoCsqInitialize(
        csq: *mut IO_CSQ,
        insert: IO_CSQ_INSERT_IRP,
        remove: IO_CSQ_REMOVE_IRP,
        peek_next: IO_CSQ_PEEK_NEXT_IRP,
        acquire_lock: IO_CSQ_ACQUIRE_LOCK,
        release_lock: IO_CSQ_RELEASE_LOCK,
        complete_canceled: IO_CSQ_COMPLETE_CANCELED_IRP,
    ) -> NTSTATUS {
        irql::require_at_most("IoCsqInitialize", DISPATCH_LEVEL);
        let value = IO_CSQ {
            Type: IO_TYPE_CSQ,
            CsqInsertIrp: Some(insert),
            CsqRemoveIrp: Some(remove),
            CsqPeekNextIrp: Some(peek_next),
            CsqAcquireLock: Some(acquire_lock),
            CsqReleaseLock: Some(release_lock),
            CsqCompleteCanceledIrp: Some(complete_canceled),
            ReservePointer: core::ptr::null_mut(),
        };
        // SAFETY: as the caller promises.
        unsafe { csq.write(value) };
        STATUS_SUCCESS
    }

    /// wdm.h, IoCsqInsertIrp: marks the IRP pending. An IRP that was cancelled before is completed
    /// immediately.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// The caller owns the IRP; `context` is null or stays while the IRP is queued.
    pub unsafe fn IoCsqInsertIrp(
        csq: *mut IO_CSQ,
        irp: *mut IRP,
        context: *mut IO_CSQ_IRP_CONTEXT,
    ) {
        let function = "IoCsqInsertIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let queue = unsafe { Queue::of(function, csq) };
        let owner: PVOID = if context.is_null() {
            csq.cast()
        } else {
            let value = IO_CSQ_IRP_CONTEXT { Type: IO_TYPE_CSQ_IRP_CONTEXT, Irp: irp, Csq: csq };
            // SAFETY: as the caller promises.
            unsafe { context.write(value) };
            context.cast()
        };
        // SAFETY: as the caller promises.
        unsafe { irps::overlay(irp) }.DriverContext[3] = owner;
        // SAFETY: as the caller promises.
        let location = unsafe { irps::overlay(irp) }.CurrentStackLocation;
        let level = queue.lock();
        // SAFETY: the IRP is at the driver's location.
        unsafe { (*location).Control |= SL_PENDING_RETURNED };
        queue.insert(irp);
        // SAFETY: as the caller promises.
        unsafe { exchange_cancel_routine(irp, Some(cancel)) };
        // SAFETY: as the caller promises.
        let cancelled = unsafe { &raw const (*irp).Cancel };
        // SAFETY: 2; another thread can set the flag.
        let cancelled = unsafe { cancelled.read_volatile() } != 0;
        // SAFETY: as the caller promises. Without a routine to take, the canceller calls it, and
        // waits for the lock.
        let mine = cancelled && unsafe { take_cancel_routine(irp) }.is_some();
        if mine {
            queue.remove(irp);
            // SAFETY: 4.
            unsafe { disown(irp) };
        }
        queue.unlock(level);
        if mine {
            queue.complete(irp);
        }
    }

    /// wdm.h, IoCsqRemoveNextIrp: returns null if no IRP matches.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `csq` is initialized.
    pub unsafe fn IoCsqRemoveNextIrp(csq: *mut IO_CSQ, peek_context: PVOID) -> *mut IRP {
        let function = "IoCsqRemoveNextIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let queue = unsafe { Queue::of(function, csq) };
        let level = queue.lock();
        let mut irp = core::ptr::null_mut();
        loop {
            irp = queue.peek_next(irp, peek_context);
            if irp.is_null() {
                break;
            }
            // SAFETY: a queued IRP is valid. Without a routine it is being cancelled: look further.
            if unsafe { take_cancel_routine(irp) }.is_some() {
                queue.remove(irp);
                // SAFETY: 4.
                unsafe { disown(irp) };
                break;
            }
        }
        queue.unlock(level);
        irp
    }

    /// wdm.h, IoCsqRemoveIrp: returns null if the IRP was cancelled.
    ///
    /// # IRQL
    /// <= DISPATCH_LEVEL.
    ///
    /// # Safety
    /// `context` was passed to an insert.
    pub unsafe fn IoCsqRemoveIrp(csq: *mut IO_CSQ, context: *mut IO_CSQ_IRP_CONTEXT) -> *mut IRP {
        let function = "IoCsqRemoveIrp";
        irql::require_at_most(function, DISPATCH_LEVEL);
        // SAFETY: as the caller promises.
        let queue = unsafe { Queue::of(function, csq) };
        let level = queue.lock();
        // SAFETY: as the caller promises.
        let irp = unsafe { (*context).Irp };
        // SAFETY: an IRP that the context still names is queued.
        let mine = !irp.is_null() && unsafe { take_cancel_routine(irp) }.is_some();
        if mine {
            queue.remove(irp);
            // SAFETY: 4.
            unsafe { disown(irp) };
        }
        queue.unlock(level);
        if mine { irp } else { core::ptr::null_mut() }
    }
}

/// The cancel routine of queued IRPs.
unsafe extern "efiapi" fn cancel(_device: *mut DEVICE_OBJECT, irp: *mut IRP) {
    // SAFETY: called for this IRP, which stays until it is completed below.
    let level = unsafe { (*irp).CancelIrql };
    // SAFETY: called with the cancel spin lock held.
    unsafe { IoReleaseCancelSpinLock(level) };
    // SAFETY: a queued IRP has its owner there.
    let owner = unsafe { irps::overlay(irp) }.DriverContext[3];
    // SAFETY: 3.
    let kind = unsafe { owner.cast::<u32>().read() };
    let csq = if kind == IO_TYPE_CSQ_IRP_CONTEXT {
        // SAFETY: 3.
        unsafe { (*owner.cast::<IO_CSQ_IRP_CONTEXT>()).Csq }
    } else {
        owner.cast()
    };
    // SAFETY: the queue outlives what is queued.
    let queue = unsafe { Queue::of("IoCancelIrp", csq) };
    let level = queue.lock();
    queue.remove(irp);
    // SAFETY: 4.
    unsafe { disown(irp) };
    queue.unlock(level);
    queue.complete(irp);
}

/// Removes the queue's mark from an IRP, and the IRP from its context.
///
/// # Safety
/// The IRP was queued and is valid.
unsafe fn disown(irp: *mut IRP) {
    // SAFETY: as the caller promises.
    let owner = unsafe { irps::overlay(irp) }.DriverContext[3];
    // SAFETY: as the caller promises.
    unsafe { irps::overlay(irp) }.DriverContext[3] = core::ptr::null_mut();
    // SAFETY: 3.
    if unsafe { owner.cast::<u32>().read() } == IO_TYPE_CSQ_IRP_CONTEXT {
        // SAFETY: 3.
        unsafe { (*owner.cast::<IO_CSQ_IRP_CONTEXT>()).Irp = core::ptr::null_mut() };
    }
}

/// A queue with its routines.
struct Queue {
    csq: *mut IO_CSQ,
    insert: IO_CSQ_INSERT_IRP,
    remove: IO_CSQ_REMOVE_IRP,
    peek_next: IO_CSQ_PEEK_NEXT_IRP,
    acquire_lock: IO_CSQ_ACQUIRE_LOCK,
    release_lock: IO_CSQ_RELEASE_LOCK,
    complete: IO_CSQ_COMPLETE_CANCELED_IRP,
}

impl Queue {
    /// # Safety
    /// `csq` is readable, and its routines are what the documentation says.
    unsafe fn of(function: &str, csq: *mut IO_CSQ) -> Self {
        // SAFETY: as the caller promises.
        let fields = unsafe { *csq };
        let (
            IO_TYPE_CSQ,
            Some(insert),
            Some(remove),
            Some(peek_next),
            Some(acquire_lock),
            Some(release_lock),
            Some(complete),
        ) = (
            fields.Type,
            fields.CsqInsertIrp,
            fields.CsqRemoveIrp,
            fields.CsqPeekNextIrp,
            fields.CsqAcquireLock,
            fields.CsqReleaseLock,
            fields.CsqCompleteCanceledIrp,
        )
        else {
            stop(
                Rule::BAD_OBJECT,
                function,
                format_args!("there is no cancel-safe queue at {csq:p}"),
            );
        };
        Self { csq, insert, remove, peek_next, acquire_lock, release_lock, complete }
    }

    // These run on the driver's stack, from which the functions above were called. No switch is
    // needed.

    fn lock(&self) -> KIRQL {
        let mut level: KIRQL = 0;
        // SAFETY: 1.
        unsafe { (self.acquire_lock)(self.csq, &raw mut level) };
        level
    }

    fn unlock(&self, level: KIRQL) {
        // SAFETY: 1.
        unsafe { (self.release_lock)(self.csq, level) };
    }

    fn insert(&self, irp: *mut IRP) {
        // SAFETY: 1.
        unsafe { (self.insert)(self.csq, irp) };
    }

    fn remove(&self, irp: *mut IRP) {
        // SAFETY: 1.
        unsafe { (self.remove)(self.csq, irp) };
    }

    fn peek_next(&self, irp: *mut IRP, context: PVOID) -> *mut IRP {
        // SAFETY: 1.
        unsafe { (self.peek_next)(self.csq, irp, context) }
    }

    fn complete(&self, irp: *mut IRP) {
        // SAFETY: 1.
        unsafe { (self.complete)(self.csq, irp) };
    }
}
