//! I/O requests: a safe view of an IRP.
//!
//! # Safety conditions
//! 1. The IRP belongs to this driver until it is completed or inserted into a queue. Until then its
//!    fields and its current stack location are valid, and no other thread accesses them.
//! 2. The I/O manager allocated the system buffer, or locked the pages of the MDL, for at least as
//!    many bytes as the stack location states.
//! 3. Every member of the union consists of plain integers and pointers.

mod queue;

use core::ffi::c_void;
use core::ops::Deref;
use core::ptr::{self, NonNull};

use nt_sys::io::{
    FILE_OBJECT, IO_STACK_DEVICE_IO_CONTROL, IO_STACK_LOCATION, IRP, IRP_MJ_READ, IRP_MJ_WRITE,
    IRP_TAIL_OVERLAY, IofCompleteRequest, METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT,
};

pub use queue::IrpQueue;

use crate::device_interface::DeviceId;
use crate::mdl;
use crate::pool::PoolBytes;
use crate::security::AccessMode;
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
    /// A dispatch routine must have been called with the IRP, or an [`IrpQueue`] must have removed
    /// it.
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

    /// Whose rights count.
    pub fn requestor_mode(&self) -> AccessMode {
        // SAFETY: 1.
        AccessMode(unsafe { (*self.irp.as_ptr()).RequestorMode })
    }

    /// The open file of the request.
    pub fn file(&self) -> FileId {
        let stack_location = self.stack_location();
        // SAFETY: 1.
        FileId(unsafe { (*stack_location.as_ptr()).FileObject })
    }

    /// The input of a buffered request, in the system buffer, or a copy of that of a direct write.
    /// The caller can't change it any more.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn stable_input(&self) -> Result<Input<'_>> {
        if self.kind() == RequestKind::Write && self.method() == METHOD_IN_DIRECT {
            return self.copied_input().map(Input::Copied);
        }
        self.buffered_input().map(Input::Buffered)
    }

    fn buffered_input(&self) -> Result<&[u8]> {
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
    /// METHOD_IN_DIRECT one, nothing of a METHOD_OUT_DIRECT one. The system buffer is wiped, as it
    /// may hold keys.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn take_input(&mut self) -> Result<PoolBytes> {
        match self.method() {
            METHOD_BUFFERED => {
                let mut input = PoolBytes::zeroed(self.input_bytes())?;
                input.copy_from_slice(self.buffered_input()?);
                self.wipe_system_buffer(0);
                Ok(input)
            }
            METHOD_IN_DIRECT => self.copied_input(),
            METHOD_OUT_DIRECT => PoolBytes::zeroed(0),
            _ => Err(Status::INVALID_DEVICE_REQUEST),
        }
    }

    /// A copy of the input that the MDL describes: that of a direct write, or the output buffer of
    /// a METHOD_IN_DIRECT request.
    fn copied_input(&self) -> Result<PoolBytes> {
        let bytes = match self.kind() {
            RequestKind::Write => self.transfer_bytes(),
            RequestKind::Control | RequestKind::Read => self.output_bytes(),
        };
        let mut input = PoolBytes::zeroed(bytes)?;
        if let Some(mdl) = self.mdl() {
            // SAFETY: 2. The caller may write to the pages meanwhile; only the copy is evaluated.
            unsafe { mdl::copy_from_chain(mdl.as_ptr(), 0, &mut input) }
                .map_err(|_| Status::INSUFFICIENT_RESOURCES)?;
        } else if !input.is_empty() {
            return Err(Status::INVALID_PARAMETER);
        }
        Ok(input)
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
    /// Of the system buffer, all is wiped that the caller doesn't get: the I/O manager frees it as
    /// it is. What the caller does get is in the caller's own buffer or is copied there by the I/O
    /// manager after this; the driver can't wipe that.
    ///
    /// # IRQL
    /// `<= DISPATCH_LEVEL`
    pub fn complete(mut self, status: Status, information: usize) -> Dispatched {
        let is_returned = self.method() == METHOD_BUFFERED
            && self.kind() != RequestKind::Write
            && !status.is_error();
        self.wipe_system_buffer(if is_returned { information } else { 0 });
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
            // As the device's flags say: DO_BUFFERED_IO on the miniport's own devices, what NDIS
            // has chosen on its own. With neither flag there is an address of the caller's only,
            // and no buffer is found here.
            RequestKind::Read if self.mdl().is_some() => METHOD_OUT_DIRECT,
            RequestKind::Write if self.mdl().is_some() => METHOD_IN_DIRECT,
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

    /// Wipes the system buffer from `start` on.
    fn wipe_system_buffer(&mut self, start: usize) {
        let bytes = match self.method() {
            METHOD_BUFFERED => self.input_bytes().max(self.output_bytes()),
            METHOD_IN_DIRECT | METHOD_OUT_DIRECT => self.input_bytes(),
            // There is none.
            _ => 0,
        };
        if let Some(buffer) = self.system_buffer()
            && let Some(rest) = bytes.checked_sub(start)
        {
            // SAFETY: 1, 2. The system buffer has this many bytes, and no reference to it exists.
            unsafe { nic_memory::wipe(buffer.as_ptr().wrapping_add(start), rest) };
        }
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

/// The input of a request. Nobody changes it any more.
pub enum Input<'a> {
    /// In the system buffer.
    Buffered(&'a [u8]),
    /// A copy of the caller's buffer.
    Copied(PoolBytes),
}

impl Deref for Input<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Buffered(input) => input,
            Self::Copied(input) => input,
        }
    }
}

/// Where requests come from: a file, or a device with all its files. The address is only compared.
#[derive(Clone, Copy)]
pub struct Origin(*mut c_void);

// SAFETY: the pointer is never dereferenced.
unsafe impl Send for Origin {}
// SAFETY: the pointer is never dereferenced.
unsafe impl Sync for Origin {}

impl From<FileId> for Origin {
    fn from(file: FileId) -> Self {
        Self(file.0.cast())
    }
}

impl From<DeviceId> for Origin {
    fn from(device: DeviceId) -> Self {
        Self(device.address())
    }
}

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

/// The address of `IRP::Tail.Overlay`.
fn overlay_of(irp: *mut IRP) -> *mut IRP_TAIL_OVERLAY {
    irp.cast::<u8>().wrapping_add(core::mem::offset_of!(IRP, Tail)).cast()
}
