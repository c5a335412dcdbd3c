//! The dispatch table of the driver object: what a miniport answers on the device that NDIS makes
//! for each of its adapters.
//!
//! NdisMRegisterMiniportDriver fills the table with routines of NDIS. [`install`] keeps these and
//! puts [`dispatch`] in their place, which passes on what the miniport does not answer. The table
//! is never restored: the driver is unloaded when it has no device objects left, and so gets no
//! requests. No page of Microsoft's allows or forbids this (docs/windows.md).
//!
//! # Safety conditions
//! 1. The arguments are those of a dispatch routine of this driver.
//! 2. The I/O manager keeps the device and the file object while a request for them is outstanding.
//! 3. The IRP belongs to this driver until it is completed, queued or passed on.
//! 4. `DRIVER` holds the driver, which is not unloaded while a device object exists.

use core::ffi::c_void;
use core::mem;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering};

use nt_sys::io::{
    DEVICE_OBJECT, DRIVER_DISPATCH, DRIVER_OBJECT, FILE_OBJECT, FILE_OPENED, IO_STACK_LOCATION,
    IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_COUNT, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL,
    IRP_MJ_PNP, IRP_MJ_POWER, IRP_MJ_READ, IRP_MJ_SYSTEM_CONTROL, IRP_MJ_WRITE,
    IRP_MN_CANCEL_REMOVE_DEVICE, IRP_MN_QUERY_REMOVE_DEVICE, IRP_MN_SURPRISE_REMOVAL,
};
use nt_sys::ntdef::NTSTATUS;

use super::{DRIVER, Driver, Miniport};
use crate::device_interface::DeviceId;
use crate::irp::{FileId, Irp, current_stack_location};
use crate::security::AccessMode;
use crate::status::Status;

/// NDIS's routines.
static SAVED: [AtomicPtr<c_void>; IRP_MJ_COUNT] =
    [const { AtomicPtr::new(ptr::null_mut()) }; IRP_MJ_COUNT];

/// Its address is the second context of the miniport's files. NDIS's files have another, or none.
static MARK: AtomicU8 = AtomicU8::new(0);

/// A file that is being opened on an adapter's device.
pub struct Opening<'a> {
    /// The part of the path after the device: a backslash and the reference string of an interface,
    /// or nothing.
    pub name: &'a [u16],
    /// The rights that are wanted.
    pub access: u32,
    /// Whose rights count.
    pub mode: AccessMode,
    /// The file.
    pub file: FileId,
}

/// What becomes of a file that is being opened.
pub enum Opened {
    /// It is the miniport's.
    Here,
    /// It is not opened.
    Refused(Status),
    /// It is for NDIS.
    PassedOn,
}

/// A step of the removal of a device.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It may be removed next. Open files veto that.
    Asked,
    /// It is not removed after all.
    CalledOff,
    /// It is gone, with files open.
    Surprise,
}

/// Replaces the dispatch table of the driver object, after NDIS has filled it.
///
/// # Safety
/// The object must be this driver's own, within DriverEntry.
pub(super) unsafe fn install<M: Miniport>(driver_object: *mut DRIVER_OBJECT) {
    // SAFETY: by the caller's promise. No request comes before DriverEntry has returned.
    let table = unsafe { &mut (*driver_object).MajorFunction };
    for ((major, entry), saved) in (0_u8..).zip(table).zip(&SAVED) {
        let routine = entry.map_or(ptr::null_mut(), |routine| routine as *mut c_void);
        saved.store(routine, Ordering::Release);
        // Power requests may come at DISPATCH_LEVEL, and WMI requests are all for NDIS.
        if major != IRP_MJ_POWER && major != IRP_MJ_SYSTEM_CONTROL {
            *entry = Some(dispatch::<M>);
        }
    }
}

unsafe extern "efiapi" fn dispatch<M: Miniport>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    let driver = NonNull::new(DRIVER.load(Ordering::Acquire).cast::<Driver<M>>());
    let (Some(irp), Some(driver)) = (NonNull::new(irp), driver) else {
        // SAFETY: 1, 3.
        return unsafe { pass_on(device_object, irp) };
    };
    // SAFETY: 4.
    let miniport = &unsafe { driver.as_ref() }.miniport;
    // SAFETY: 1, 3.
    let location = unsafe { current_stack_location(irp) };
    // SAFETY: 3.
    let location = unsafe { location.as_ref() };
    let (major, device) = (location.MajorFunction, DeviceId(device_object));
    let file = NonNull::new(location.FileObject);
    if let Some(file) = file.filter(|file| is_own(*file)) {
        // SAFETY: 3.
        let irp = unsafe { Irp::new(irp) };
        return own_file(miniport, device, file, major, irp).0;
    }
    match (major, file) {
        (IRP_MJ_CREATE, Some(file)) => {
            // SAFETY: 3.
            let mode = AccessMode(unsafe { (*irp.as_ptr()).RequestorMode });
            let opened = open(miniport, device, file, location, mode);
            let (status, information) = match opened {
                Opened::Here => (Status::SUCCESS, FILE_OPENED),
                Opened::Refused(status) => (status, 0),
                // SAFETY: 1, 3.
                Opened::PassedOn => return unsafe { pass_on(device_object, irp.as_ptr()) },
            };
            // SAFETY: 3.
            return unsafe { Irp::new(irp) }.complete(status, information).status().0;
        }
        (IRP_MJ_DEVICE_CONTROL, Some(_)) => {
            // SAFETY: 3.
            match miniport.device_control(device, unsafe { Irp::new(irp) }) {
                Ok(dispatched) => return dispatched.status().0,
                // It is passed on below.
                Err(irp) => mem::forget(irp),
            }
        }
        (IRP_MJ_CLEANUP, Some(file)) => {
            miniport.device_file_closed(device, FileId(file.as_ptr()));
        }
        (IRP_MJ_PNP, _) => {
            let step = match location.MinorFunction {
                IRP_MN_QUERY_REMOVE_DEVICE => Some(Removal::Asked),
                IRP_MN_CANCEL_REMOVE_DEVICE => Some(Removal::CalledOff),
                IRP_MN_SURPRISE_REMOVAL => Some(Removal::Surprise),
                _ => None,
            };
            if let Some(step) = step {
                miniport.device_removal(device, step);
            }
        }
        _ => {}
    }
    // SAFETY: 1, 3.
    unsafe { pass_on(device_object, irp.as_ptr()) }
}

/// Whether the miniport opened a file.
fn is_own(file: NonNull<FILE_OBJECT>) -> bool {
    // SAFETY: 2. The field changes only while the file is being opened.
    let context = unsafe { (*file.as_ptr()).FsContext2 };
    ptr::eq(context, mark())
}

fn mark() -> *mut c_void {
    MARK.as_ptr().cast()
}

/// Opens a file, or leaves it to NDIS.
fn open<M: Miniport>(
    miniport: &M,
    device: DeviceId,
    file: NonNull<FILE_OBJECT>,
    location: &IO_STACK_LOCATION,
    mode: AccessMode,
) -> Opened {
    // SAFETY: 2. Nobody else uses the file while it is being opened.
    let object = unsafe { &mut *file.as_ptr() };
    let name = object.FileName;
    let name: &[u16] = if name.Buffer.is_null() || !object.RelatedFileObject.is_null() {
        &[]
    } else {
        // SAFETY: 2. The name is valid while the file is being opened.
        unsafe { core::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2) }
    };
    // SAFETY: the parameters are those of a create.
    let security = unsafe { location.Parameters.Create.SecurityContext };
    // SAFETY: null, or valid while the file is being opened.
    let access = unsafe { security.as_ref() }.map_or(0, |security| security.DesiredAccess);
    let opening = Opening { name, access, mode, file: FileId(file.as_ptr()) };
    let opened = miniport.open_on_device(device, &opening);
    if matches!(opened, Opened::Here) {
        // The driver that opens a file owns these fields.
        object.FsContext = mark();
        object.FsContext2 = mark();
    }
    opened
}

/// Handles a request for a file of the miniport, whatever became of the adapter. NDIS did not see
/// it opened, and sees nothing of it.
fn own_file<M: Miniport>(
    miniport: &M,
    device: DeviceId,
    file: NonNull<FILE_OBJECT>,
    major: u8,
    irp: Irp,
) -> Status {
    let dispatched = match major {
        IRP_MJ_DEVICE_CONTROL | IRP_MJ_READ | IRP_MJ_WRITE => miniport.file_request(device, irp),
        IRP_MJ_CLEANUP => {
            miniport.file_closed(device, FileId(file.as_ptr()));
            irp.complete(Status::SUCCESS, 0)
        }
        IRP_MJ_CLOSE => {
            // SAFETY: 2. This is the last request for the file.
            let object = unsafe { &mut *file.as_ptr() };
            object.FsContext = ptr::null_mut();
            object.FsContext2 = ptr::null_mut();
            irp.complete(Status::SUCCESS, 0)
        }
        _ => irp.complete(Status::INVALID_DEVICE_REQUEST, 0),
    };
    dispatched.status()
}

/// Passes a request on to NDIS.
///
/// # Safety
/// The arguments must be those of a dispatch routine of this driver, and the IRP must not be used
/// afterwards.
unsafe fn pass_on(device_object: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    let Some(owned) = NonNull::new(irp) else { return Status::INVALID_PARAMETER.0 };
    // SAFETY: 1, 3.
    let location = unsafe { current_stack_location(owned) };
    // SAFETY: 3.
    let major = unsafe { (*location.as_ptr()).MajorFunction };
    let saved = SAVED.get(usize::from(major)).map(|saved| saved.load(Ordering::Acquire));
    match saved {
        Some(routine) if !routine.is_null() => {
            // SAFETY: `install` stored a routine's address.
            let routine: DRIVER_DISPATCH = unsafe { mem::transmute(routine) };
            // SAFETY: by the caller's promise.
            unsafe { routine(device_object, irp) }
        }
        // SAFETY: 3.
        _ => unsafe { Irp::new(owned) }.complete(Status::INVALID_DEVICE_REQUEST, 0).status().0,
    }
}
