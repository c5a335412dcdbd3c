//! I/O requests: a safe view of an IRP, and cancel-safe queues of pending ones.
//!
//! # Safety conditions
//! 1. The IRP belongs to this driver until it is completed or inserted into a queue. Until then its
//!    fields and its current stack location are valid, and no other thread accesses them.
//! 2. The I/O manager allocated the system buffer, or locked the pages of the MDL, for at least as
//!    many bytes as the stack location states.
//! 3. Every member of the union consists of plain integers and pointers.
//! 4. The kernel calls the callback for the IO_CSQ of an [`IrpQueue`].
//! 5. The queue's lock is held: the kernel has called `acquire_lock`.
//! 6. The queue has removed the IRP, which belongs to this driver again.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr::{self, NonNull};

use nt_sys::io::{
    FILE_OBJECT, IO_CSQ, IO_STACK_DEVICE_IO_CONTROL, IO_STACK_LOCATION, IRP, IRP_MJ_READ,
    IRP_MJ_WRITE, IRP_TAIL_OVERLAY, IoCsqInitialize, IoCsqInsertIrp, IoCsqRemoveNextIrp,
    IofCompleteRequest, METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT,
};
use nt_sys::ke::{KSPIN_LOCK, KeAcquireSpinLockRaiseToDpc, KeReleaseSpinLock};
use nt_sys::ntdef::{KIRQL, LIST_ENTRY, PVOID};
use zeroize::Zeroize;

use crate::mdl;
use crate::pool::{PoolBox, PoolBytes};
use crate::status::{Result, Status};

/// The completion of a request does not boost the priority of a thread (wdm.h,
/// `IO_NO_INCREMENT`).
const NO_BOOST: i8 = 0;

/// An I/O request that this driver must complete. Dropping it completes it with
/// [`Status::CANCELLED`].
pub struct Irp {
    irp: NonNull<IRP>,
}

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// A device control.
    Control,
    /// A read.
    Read,
    /// A write.
    Write,
}

/// Proof that an IRP was completed or queued. It holds the status that the dispatch routine must
/// return.
#[must_use]
pub struct Dispatched(Status);

impl Irp {
    /// # Safety
    /// A dispatch routine must have been called with the IRP, or an [`IrpQueue`] must have removed it.
    pub(crate) unsafe fn new(irp: NonNull<IRP>) -> Self {
        Self { irp }
    }

    /// The kind of the request.
    pub fn kind(&self) -> RequestKind {
        let stack_location = self.stack_location();
        // SAFETY: 1.
        match unsafe { (*stack_location.as_ptr()).MajorFunction } {
            IRP_MJ_READ => RequestKind::Read,
            IRP_MJ_WRITE => RequestKind::Write,
            _ => RequestKind::Control,
        }
    }

    /// The control code; 0 if this is not a device control.
    pub fn control_code(&self) -> u32 {
        match self.kind() {
            RequestKind::Control => self.parameters().IoControlCode,
            RequestKind::Read | RequestKind::Write => 0,
        }
    }

    /// The length of the caller's input in bytes; for a device control, that of its input buffer.
    pub fn input_bytes(&self) -> usize {
        match self.kind() {
            RequestKind::Control => self.parameters().InputBufferLength as usize,
            RequestKind::Read => 0,
            RequestKind::Write => self.transfer_bytes(),
        }
    }

    /// The length of the caller's buffer for output in bytes; for a device control, that of its
    /// output buffer.
    pub fn output_bytes(&self) -> usize {
        match self.kind() {
            RequestKind::Control => self.parameters().OutputBufferLength as usize,
            RequestKind::Read => self.transfer_bytes(),
            RequestKind::Write => 0,
        }
    }

    /// The open file of the request.
    pub fn file(&self) -> FileId {
        let stack_location = self.stack_location();
        // SAFETY: 1.
        FileId(unsafe { (*stack_location.as_ptr()).FileObject })
    }

    /// The input of a buffered request, in the system buffer. The caller can't change it any more.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn buffered_input(&self) -> Result<&[u8]> {
        if self.method() != METHOD_BUFFERED {
            return Err(Status::INVALID_DEVICE_REQUEST);
        }
        match (self.input_bytes(), self.system_buffer()) {
            (0, _) => Ok(&[]),
            (_, None) => Err(Status::INVALID_PARAMETER),
            (length, Some(buffer)) => {
                // SAFETY: 1, 2. Nothing writes to the buffer while `self` is borrowed.
                Ok(unsafe { core::slice::from_raw_parts(buffer.as_ptr(), length) })
            }
        }
    }

    /// Copies the input: the input buffer of a METHOD_BUFFERED request, the output buffer of a
    /// METHOD_IN_DIRECT one, nothing of a METHOD_OUT_DIRECT one. The system buffer is zeroized, as
    /// it may hold keys.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn take_input(&mut self) -> Result<PoolBytes> {
        match self.method() {
            METHOD_BUFFERED => {
                let mut input = PoolBytes::zeroed(self.input_bytes())?;
                if let Some(buffer) = self.system_buffer() {
                    // SAFETY: 1, 2. The system buffer has the larger of both lengths.
                    let buffer =
                        unsafe { core::slice::from_raw_parts_mut(buffer.as_ptr(), input.len()) };
                    input.copy_from_slice(buffer);
                    buffer.zeroize();
                }
                Ok(input)
            }
            METHOD_IN_DIRECT => {
                let mut input = PoolBytes::zeroed(self.output_bytes())?;
                if let Some(mdl) = self.mdl() {
                    // SAFETY: 2. The caller may write to the pages meanwhile; only the copy is
                    // evaluated.
                    unsafe { mdl::copy_from_chain(mdl.as_ptr(), 0, &mut input) }
                        .map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
                } else if !input.is_empty() {
                    return Err(Status::INVALID_PARAMETER);
                }
                Ok(input)
            }
            METHOD_OUT_DIRECT => PoolBytes::zeroed(0),
            _ => Err(Status::INVALID_DEVICE_REQUEST),
        }
    }

    /// Writes to the beginning of the output buffer. Fails if that is shorter than `output`.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn write_output(&mut self, output: &[u8]) -> Result<()> {
        if output.len() > self.output_bytes() {
            return Err(Status::BUFFER_TOO_SMALL);
        }
        if output.is_empty() {
            return Ok(());
        }
        let buffer = match self.method() {
            METHOD_BUFFERED => self.system_buffer().ok_or(Status::INVALID_PARAMETER)?,
            METHOD_OUT_DIRECT => {
                let mdl = self.mdl().ok_or(Status::INVALID_PARAMETER)?;
                // SAFETY: 2.
                unsafe { mdl::system_address(mdl) }.ok_or(Status::INSUFFICIENT_RESOURCES)?
            }
            _ => return Err(Status::INVALID_DEVICE_REQUEST),
        };
        // SAFETY: 2. No reference to the buffer exists.
        unsafe { ptr::copy_nonoverlapping(output.as_ptr(), buffer.as_ptr(), output.len()) };
        Ok(())
    }

    /// Completes the request. `information` is the number of bytes that the caller gets. It may
    /// exceed the caller's buffer with a warning status and a direct method only.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn complete(self, status: Status, information: usize) -> Dispatched {
        let irp = self.irp.as_ptr();
        core::mem::forget(self);
        // SAFETY: 1.
        unsafe { (*irp).IoStatus.Status = status.0 };
        // SAFETY: 1.
        unsafe { (*irp).IoStatus.Information = information };
        // SAFETY: 1. This driver does not use the IRP afterwards.
        unsafe { IofCompleteRequest(irp, NO_BOOST) };
        Dispatched(status)
    }

    pub(crate) fn stack_location(&self) -> NonNull<IO_STACK_LOCATION> {
        // SAFETY: 1.
        unsafe { current_stack_location(self.irp) }
    }

    /// The length of a read or write.
    fn transfer_bytes(&self) -> usize {
        let stack_location = self.stack_location();
        // SAFETY: 1.
        let parameters = unsafe { (*stack_location.as_ptr()).Parameters };
        // SAFETY: 3. Reads and writes have the same parameters.
        unsafe { parameters.Read.Length as usize }
    }

    fn parameters(&self) -> IO_STACK_DEVICE_IO_CONTROL {
        let stack_location = self.stack_location();
        // SAFETY: 1.
        let parameters = unsafe { (*stack_location.as_ptr()).Parameters };
        // SAFETY: 3.
        unsafe { parameters.DeviceIoControl }
    }

    fn method(&self) -> u32 {
        match self.kind() {
            RequestKind::Control => self.control_code() & 3,
            // Control devices have DO_BUFFERED_IO.
            RequestKind::Read | RequestKind::Write => METHOD_BUFFERED,
        }
    }

    fn system_buffer(&self) -> Option<NonNull<u8>> {
        // SAFETY: 1.
        let associated = unsafe { (*self.irp.as_ptr()).AssociatedIrp };
        // SAFETY: 3. For a device control, read or write this member is the system buffer, or null.
        let buffer = unsafe { associated.SystemBuffer };
        NonNull::new(buffer.cast())
    }

    fn mdl(&self) -> Option<NonNull<nt_sys::mm::MDL>> {
        // SAFETY: 1.
        NonNull::new(unsafe { (*self.irp.as_ptr()).MdlAddress })
    }
}

impl Drop for Irp {
    fn drop(&mut self) {
        let _ = Self { irp: self.irp }.complete(Status::CANCELLED, 0);
    }
}

// SAFETY: 1, on any thread.
unsafe impl Send for Irp {}

impl Dispatched {
    pub(crate) fn status(&self) -> Status {
        self.0
    }
}

/// Requests that wait, oldest first. Those that their callers cancel leave by themselves.
pub struct IrpQueue {
    queue: PoolBox<Queue>,
}

/// The cancel-safe queue comes first: its callbacks get its address and mean the whole.
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

    /// Cancels the queued requests of a file.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn cancel_of(&self, file: FileId) {
        while let Some(irp) = self.pop_of(file.0.cast()) {
            drop(irp);
        }
    }

    fn pop_of(&self, file: *mut c_void) -> Option<Irp> {
        // SAFETY: the queue is initialized, and `peek_next` expects a file object, or null.
        let irp = unsafe { IoCsqRemoveNextIrp(self.queue.csq.get(), file) };
        // SAFETY: 6.
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

/// Identifies an open file. The pointer is never dereferenced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileId(pub(crate) *mut FILE_OBJECT);

// SAFETY: the pointer is never dereferenced.
unsafe impl Send for FileId {}
// SAFETY: the pointer is never dereferenced.
unsafe impl Sync for FileId {}

/// `IoGetCurrentIrpStackLocation`, which wdm.h inlines.
///
/// # Safety
/// The IRP must belong to a driver of the device stack.
pub(crate) unsafe fn current_stack_location(irp: NonNull<IRP>) -> NonNull<IO_STACK_LOCATION> {
    let overlay = overlay_of(irp.as_ptr());
    // SAFETY: by the caller's promise; the overlay is the part of the tail that belongs to drivers.
    let location = unsafe { (*overlay).CurrentStackLocation };
    // SAFETY: the I/O manager set it before it called the driver.
    unsafe { NonNull::new_unchecked(location) }
}

/// # Safety
/// The IO_CSQ must be that of an [`IrpQueue`].
unsafe fn queue_of<'a>(csq: *mut IO_CSQ) -> &'a Queue {
    // SAFETY: by the caller's promise; the IO_CSQ is the first field of a `Queue`.
    unsafe { &*csq.cast::<Queue>() }
}

/// The address of `IRP::Tail.Overlay`.
fn overlay_of(irp: *mut IRP) -> *mut IRP_TAIL_OVERLAY {
    irp.cast::<u8>().wrapping_add(core::mem::offset_of!(IRP, Tail)).cast()
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
    // SAFETY: 4.
    let head = unsafe { queue_of(csq) }.head.get();
    let link = link_of(irp);
    // SAFETY: 5.
    let last = unsafe { (*head).Blink };
    // SAFETY: 5.
    unsafe { *link = LIST_ENTRY { Flink: head, Blink: last } };
    // SAFETY: 5.
    unsafe { (*last).Flink = link };
    // SAFETY: 5.
    unsafe { (*head).Blink = link };
}

unsafe extern "efiapi" fn remove(_csq: *mut IO_CSQ, irp: *mut IRP) {
    let link = link_of(irp);
    // SAFETY: 5.
    let LIST_ENTRY { Flink: next, Blink: previous } = unsafe { *link };
    // SAFETY: 5.
    unsafe { (*previous).Flink = next };
    // SAFETY: 5.
    unsafe { (*next).Blink = previous };
}

unsafe extern "efiapi" fn peek_next(csq: *mut IO_CSQ, irp: *mut IRP, file: PVOID) -> *mut IRP {
    // SAFETY: 4.
    let head = unsafe { queue_of(csq) }.head.get();
    let mut link = if irp.is_null() { head } else { link_of(irp) };
    loop {
        // SAFETY: 5.
        link = unsafe { (*link).Flink };
        if link == head {
            return ptr::null_mut();
        }
        let next = irp_of(link);
        let Some(found) = NonNull::new(next) else { return ptr::null_mut() };
        // SAFETY: 5. The IRP is in the queue.
        let location = unsafe { current_stack_location(found) };
        // SAFETY: 5. The IRP is in the queue.
        let its_file = unsafe { (*location.as_ptr()).FileObject };
        if file.is_null() || its_file.cast() == file {
            return next;
        }
    }
}

unsafe extern "efiapi" fn acquire_lock(csq: *mut IO_CSQ, irql: *mut KIRQL) {
    // SAFETY: 4.
    let lock = unsafe { queue_of(csq) }.lock.get();
    // SAFETY: the lock is initialized.
    let old_irql = unsafe { KeAcquireSpinLockRaiseToDpc(lock) };
    // SAFETY: the kernel passes a valid pointer.
    unsafe { *irql = old_irql };
}

unsafe extern "efiapi" fn release_lock(csq: *mut IO_CSQ, irql: KIRQL) {
    // SAFETY: 4.
    let lock = unsafe { queue_of(csq) }.lock.get();
    // SAFETY: `acquire_lock` acquired it, at this level.
    unsafe { KeReleaseSpinLock(lock, irql) };
}

unsafe extern "efiapi" fn complete_canceled(_csq: *mut IO_CSQ, irp: *mut IRP) {
    if let Some(irp) = NonNull::new(irp) {
        // SAFETY: 6.
        drop(unsafe { Irp::new(irp) });
    }
}
