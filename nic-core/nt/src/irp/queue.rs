//! Cancel-safe queues of pending requests.
//!
//! # Safety conditions
//! 1. The IRP belongs to this driver until it is inserted into the queue.
//! 2. The kernel calls the callback for the IO_CSQ of an [`IrpQueue`].
//! 3. The queue's lock is held: the kernel has called `acquire_lock`.
//! 4. The queue has removed the IRP, which belongs to this driver again.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use nt_sys::io::{
    IO_CSQ, IRP, IRP_TAIL_OVERLAY, IoCsqInitialize, IoCsqInsertIrp, IoCsqRemoveNextIrp,
};
use nt_sys::ke::{KSPIN_LOCK, KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock};
use nt_sys::ntdef::{KIRQL, LIST_ENTRY, PVOID};

use super::{Dispatched, Irp, Origin, current_stack_location, overlay_of};
use crate::pool::PoolBox;
use crate::status::{Result, Status};

/// Pending requests, oldest first. A request that its caller cancels leaves the queue.
pub struct IrpQueue {
    queue: PoolBox<Queue>,
}

/// The IO_CSQ is the first field: the callbacks get its address.
#[repr(C)]
struct Queue {
    csq: UnsafeCell<IO_CSQ>,
    lock: UnsafeCell<KSPIN_LOCK>,
    head: UnsafeCell<LIST_ENTRY>,
}

impl IrpQueue {
    /// An empty queue.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn new() -> Result<Self> {
        let no_link = LIST_ENTRY { Flink: ptr::null_mut(), Blink: ptr::null_mut() };
        // SAFETY: an IO_CSQ consists of integers and pointers, for which zeros are valid values.
        let csq: IO_CSQ = unsafe { core::mem::zeroed() };
        let queue = PoolBox::new(Queue {
            csq: UnsafeCell::new(csq),
            lock: UnsafeCell::new(0),
            head: UnsafeCell::new(no_link),
        })?;
        let head = queue.head.get();
        // SAFETY: the queue is at its final address, and not published yet.
        unsafe { *head = LIST_ENTRY { Flink: head, Blink: head } };
        // SAFETY: the queue is at its final address, and the callbacks are those of a `Queue`.
        let status = unsafe {
            IoCsqInitialize(
                queue.csq.get(),
                insert,
                remove,
                peek_next,
                acquire_lock,
                release_lock,
                complete_canceled,
            )
        };
        Status(status).ok()?;
        Ok(Self { queue })
    }

    /// Queues a request.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn push(&self, irp: Irp) -> Dispatched {
        let raw = irp.irp.as_ptr();
        core::mem::forget(irp);
        // SAFETY: 1. The queue owns it from here on, and marks it pending.
        unsafe { IoCsqInsertIrp(self.queue.csq.get(), raw, ptr::null_mut()) };
        Dispatched(Status::PENDING)
    }

    /// Removes the oldest request.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn pop(&self) -> Option<Irp> {
        self.pop_of(ptr::null_mut())
    }

    /// Cancels all queued requests.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn cancel_all(&self) {
        while let Some(irp) = self.pop() {
            drop(irp);
        }
    }

    /// Cancels the queued requests of a file, or of all files of a device.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn cancel_of(&self, origin: Origin) {
        while let Some(irp) = self.pop_of(origin.0) {
            drop(irp);
        }
    }

    fn pop_of(&self, origin: *mut c_void) -> Option<Irp> {
        // SAFETY: the queue is initialized, and `peek_next` expects an object's address, or null.
        let irp = unsafe { IoCsqRemoveNextIrp(self.queue.csq.get(), origin) };
        // SAFETY: 4.
        NonNull::new(irp).map(|irp| unsafe { Irp::new(irp) })
    }
}

impl Drop for IrpQueue {
    fn drop(&mut self) {
        self.cancel_all();
    }
}

// SAFETY: the queue has its own lock.
unsafe impl Send for IrpQueue {}
// SAFETY: the queue has its own lock.
unsafe impl Sync for IrpQueue {}

/// # Safety
/// The IO_CSQ must be that of an [`IrpQueue`].
unsafe fn queue_of<'a>(csq: *mut IO_CSQ) -> &'a Queue {
    // SAFETY: by the caller's promise; the IO_CSQ is the first field of a `Queue`.
    unsafe { &*csq.cast::<Queue>() }
}

/// The address of the list entry of an IRP.
fn link_of(irp: *mut IRP) -> *mut LIST_ENTRY {
    let offset = core::mem::offset_of!(IRP_TAIL_OVERLAY, ListEntry);
    overlay_of(irp).cast::<u8>().wrapping_add(offset).cast()
}

/// The IRP that a list entry is part of.
fn irp_of(link: *mut LIST_ENTRY) -> *mut IRP {
    let offset = core::mem::offset_of!(IRP, Tail)
        .wrapping_add(core::mem::offset_of!(IRP_TAIL_OVERLAY, ListEntry));
    link.cast::<u8>().wrapping_sub(offset).cast()
}

unsafe extern "efiapi" fn insert(csq: *mut IO_CSQ, irp: *mut IRP) {
    // SAFETY: 2.
    let head = unsafe { queue_of(csq) }.head.get();
    let link = link_of(irp);
    // SAFETY: 3.
    let last = unsafe { (*head).Blink };
    // SAFETY: 3.
    unsafe { *link = LIST_ENTRY { Flink: head, Blink: last } };
    // SAFETY: 3.
    unsafe { (*last).Flink = link };
    // SAFETY: 3.
    unsafe { (*head).Blink = link };
}

unsafe extern "efiapi" fn remove(_csq: *mut IO_CSQ, irp: *mut IRP) {
    let link = link_of(irp);
    // SAFETY: 3.
    let LIST_ENTRY { Flink: next, Blink: previous } = unsafe { *link };
    // SAFETY: 3.
    unsafe { (*previous).Flink = next };
    // SAFETY: 3.
    unsafe { (*next).Blink = previous };
}

unsafe extern "efiapi" fn peek_next(csq: *mut IO_CSQ, irp: *mut IRP, origin: PVOID) -> *mut IRP {
    // SAFETY: 2.
    let head = unsafe { queue_of(csq) }.head.get();
    let mut link = if irp.is_null() { head } else { link_of(irp) };
    loop {
        // SAFETY: 3.
        link = unsafe { (*link).Flink };
        if link == head {
            return ptr::null_mut();
        }
        let next = irp_of(link);
        let Some(found) = NonNull::new(next) else { return ptr::null_mut() };
        // SAFETY: 3. The IRP is in the queue.
        let location = unsafe { current_stack_location(found) };
        // SAFETY: 3. The IRP is in the queue.
        let its_file = unsafe { (*location.as_ptr()).FileObject };
        // SAFETY: 3. The IRP is in the queue.
        let its_device = unsafe { (*location.as_ptr()).DeviceObject };
        if origin.is_null() || its_file.cast() == origin || its_device.cast() == origin {
            return next;
        }
    }
}

unsafe extern "efiapi" fn acquire_lock(csq: *mut IO_CSQ, irql: *mut KIRQL) {
    // SAFETY: 2.
    let lock = unsafe { queue_of(csq) }.lock.get();
    // SAFETY: the lock is initialized.
    let old_irql = unsafe { KeAcquireSpinLockRaiseToDpc(lock) };
    // SAFETY: the kernel passes a valid pointer.
    unsafe { *irql = old_irql };
}

unsafe extern "efiapi" fn release_lock(csq: *mut IO_CSQ, irql: KIRQL) {
    // SAFETY: 2.
    let lock = unsafe { queue_of(csq) }.lock.get();
    // SAFETY: `acquire_lock` acquired it, at this level.
    unsafe { KeReleaseSpinLock(lock, irql) };
}

unsafe extern "efiapi" fn complete_canceled(_csq: *mut IO_CSQ, irp: *mut IRP) {
    if let Some(irp) = NonNull::new(irp) {
        // SAFETY: 4.
        drop(unsafe { Irp::new(irp) });
    }
}
