//! Control devices of an NDIS driver.
//!
//! # Safety conditions
//! 1. The arguments are those of a dispatch routine of a [`DeviceRegistration`] of `D`.
//! 2. NdisRegisterDeviceEx made the device object, which exists until the registration is dropped.
//! 3. The device extension has the size of a pointer, which is null or points to the registration's
//!    device.
//! 4. The I/O manager keeps the file object while a request for it is outstanding.
//! 5. `create` stored the file in `FsContext`, where it stays until `close`.

use core::ptr::{self, NonNull};

use nt_sys::io::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DRIVER_DISPATCH, FILE_DEVICE_SECURE_OPEN, FILE_OBJECT,
    FILE_OPENED, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_COUNT, IRP_MJ_CREATE,
    IRP_MJ_DEVICE_CONTROL, IRP_MJ_READ, IRP_MJ_WRITE,
};
use nt_sys::ndis::{
    NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NDIS_HANDLE,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
    NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NdisDeregisterDeviceEx,
    NdisGetDeviceReservedExtension, NdisRegisterDeviceEx,
};
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING};

use crate::irp::{Dispatched, FileId, Irp};
use crate::miniport::DriverHandle;
use crate::pool::PoolBox;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// The handlers of a control device.
pub trait ControlDevice: Send + Sync + 'static {
    /// An open file.
    type File: Send + Sync;

    /// Opens a file. `name` is the part of the path, in UTF-16, that follows the name of the
    /// device; it is empty for the device itself. If this succeeds, [`Self::cleanup`] follows.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn open(&self, name: &[u16], id: FileId) -> Result<Self::File>;

    /// Handles an IOCTL.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn control(&self, file: &Self::File, irp: Irp) -> Dispatched;

    /// Handles a read. The I/O method is buffered.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn read(&self, _file: &Self::File, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// Handles a write. The I/O method is buffered.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn write(&self, _file: &Self::File, irp: Irp) -> Dispatched {
        irp.complete(Status::INVALID_DEVICE_REQUEST, 0)
    }

    /// The last handle to a file was closed: its pending requests must be cancelled.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    fn cleanup(&self, file: &Self::File, id: FileId);
}

/// The names and the security descriptor of a control device.
pub struct DeviceName<'a> {
    /// The NT device name, `\Device\...`, in UTF-16.
    pub device: &'a [u16],
    /// The symbolic link, `\DosDevices\...`, in UTF-16.
    pub symbolic_link: &'a [u16],
    /// The security descriptor in SDDL, in UTF-16.
    pub sddl: &'a [u16],
}

/// A registered control device; dropping it removes the device.
pub struct DeviceRegistration<D: ControlDevice> {
    handle: NDIS_HANDLE,
    /// The device extension points here.
    _device: PoolBox<Shared<D>>,
}

impl<D: ControlDevice> DeviceRegistration<D> {
    /// Registers the device.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, for dropping it as well
    pub fn new(driver: &DriverHandle, name: &DeviceName<'_>, device: Shared<D>) -> Result<Self> {
        let device = PoolBox::new(device)?;
        let mut major_functions: [Option<DRIVER_DISPATCH>; IRP_MJ_COUNT] = [None; IRP_MJ_COUNT];
        let routines: [(u8, DRIVER_DISPATCH); 6] = [
            (IRP_MJ_CREATE, create::<D>),
            (IRP_MJ_CLEANUP, cleanup::<D>),
            (IRP_MJ_CLOSE, close::<D>),
            (IRP_MJ_READ, read::<D>),
            (IRP_MJ_WRITE, write::<D>),
            (IRP_MJ_DEVICE_CONTROL, device_control::<D>),
        ];
        for (function, routine) in routines {
            if let Some(entry) = major_functions.get_mut(usize::from(function)) {
                *entry = Some(routine);
            }
        }
        let mut device_name = unicode_string(name.device)?;
        let mut symbolic_name = unicode_string(name.symbolic_link)?;
        let sddl = unicode_string(name.sddl)?;
        let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
            Header: NDIS_OBJECT_HEADER {
                Type: NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
                Revision: NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
                Size: NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            },
            DeviceName: &raw mut device_name,
            SymbolicName: &raw mut symbolic_name,
            MajorFunctions: major_functions.as_mut_ptr(),
            ExtensionSize: size_of::<*mut Shared<D>>() as u32,
            DefaultSDDLString: &raw const sddl,
            DeviceClassGuid: ptr::null(),
        };
        let mut device_object: *mut DEVICE_OBJECT = ptr::null_mut();
        let mut handle: NDIS_HANDLE = ptr::null_mut();
        // SAFETY: all pointers are to the stack; NDIS copies what it keeps.
        let status = unsafe {
            NdisRegisterDeviceEx(
                driver.as_ptr(),
                &raw const attributes,
                &raw mut device_object,
                &raw mut handle,
            )
        };
        Status(status).ok()?;
        // Files below the device's name are adapters. Without this flag, opening them would not be
        // checked against the security descriptor ("Controlling Device Namespace Access").
        // SAFETY: 2. Nothing else writes to the field.
        unsafe { (*device_object).Characteristics |= FILE_DEVICE_SECURE_OPEN };
        // Reads and writes go through a system buffer ("Initializing a Device Object").
        // SAFETY: 2. Nothing else writes to the field.
        unsafe { (*device_object).Flags |= DO_BUFFERED_IO };
        // SAFETY: 2.
        let extension = unsafe { NdisGetDeviceReservedExtension(device_object) };
        // SAFETY: 3. The pointer is null until here, and requests that arrive earlier are refused.
        unsafe { extension.cast::<*mut Shared<D>>().write_volatile(device.as_ptr()) };
        Ok(Self { handle, _device: device })
    }
}

impl<D: ControlDevice> Drop for DeviceRegistration<D> {
    fn drop(&mut self) {
        // SAFETY: NdisRegisterDeviceEx returned the handle, which is given back once.
        unsafe { NdisDeregisterDeviceEx(self.handle) };
    }
}

// SAFETY: the handle may be given back on any thread.
unsafe impl<D: ControlDevice> Send for DeviceRegistration<D> {}
// SAFETY: a shared registration has no methods.
unsafe impl<D: ControlDevice> Sync for DeviceRegistration<D> {}

/// Makes a UNICODE_STRING that points to `text`.
fn unicode_string(text: &[u16]) -> Result<UNICODE_STRING> {
    let bytes = u16::try_from(size_of_val(text)).map_err(|_| Status::OBJECT_NAME_INVALID)?;
    Ok(UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: text.as_ptr().cast_mut() })
}

/// The arguments of a dispatch routine.
struct Call<'a, D> {
    device: Option<&'a D>,
    file: *mut FILE_OBJECT,
    irp: Irp,
}

/// # Safety
/// The arguments must be those of a dispatch routine of a [`DeviceRegistration`] of `D`.
unsafe fn call<'a, D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> Option<Call<'a, D>> {
    // SAFETY: the IRP is ours from here on.
    let irp = unsafe { Irp::new(NonNull::new(irp)?) };
    // SAFETY: 1, 2.
    let extension = unsafe { NdisGetDeviceReservedExtension(device_object) };
    // SAFETY: 3.
    let device = unsafe { extension.cast::<*mut Shared<D>>().read_volatile() };
    // SAFETY: the registration outlives every request to its device.
    let device = unsafe { device.as_ref() }.map(|device| &**device);
    // SAFETY: 1. The IRP and its stack location belong to this driver.
    let file = unsafe { (*irp.stack_location().as_ptr()).FileObject };
    Some(Call { device, file, irp })
}

impl<D: ControlDevice> Call<'_, D> {
    /// What [`create`] stored in the file.
    fn file(&self) -> Option<NonNull<Option<D::File>>> {
        let file = NonNull::new(self.file)?;
        // SAFETY: 4.
        NonNull::new(unsafe { (*file.as_ptr()).FsContext }.cast())
    }
}

unsafe extern "efiapi" fn create<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    let Some(call) = (unsafe { call::<D>(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    let (Some(device), Some(file)) = (call.device, NonNull::new(call.file)) else {
        return call.irp.complete(Status::DEVICE_NOT_READY, 0).status().0;
    };
    // SAFETY: 4.
    let name = unsafe { (*file.as_ptr()).FileName };
    let name: &[u16] = if name.Buffer.is_null() {
        &[]
    } else {
        // SAFETY: 4. The name is valid while the file is being opened.
        unsafe { core::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2) }
    };
    // Memory is allocated first: a file that was opened must not be lost without it.
    let opened = PoolBox::new(None).and_then(|mut place: PoolBox<Option<D::File>>| {
        *place = Some(device.open(name, FileId(call.file))?);
        Ok(place)
    });
    let status = match opened {
        Ok(opened) => {
            // SAFETY: 4. The field belongs to the driver that opens the file.
            unsafe { (*file.as_ptr()).FsContext = PoolBox::into_raw(opened).as_ptr().cast() };
            return call.irp.complete(Status::SUCCESS, FILE_OPENED).status().0;
        }
        Err(status) => status,
    };
    call.irp.complete(status, 0).status().0
}

unsafe extern "efiapi" fn cleanup<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    let Some(call) = (unsafe { call::<D>(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    if let (Some(device), Some(file)) = (call.device, call.file()) {
        // SAFETY: 5.
        if let Some(opened) = unsafe { file.as_ref() } {
            device.cleanup(opened, FileId(call.file));
        }
    }
    call.irp.complete(Status::SUCCESS, 0).status().0
}

unsafe extern "efiapi" fn close<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    let Some(call) = (unsafe { call::<D>(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    if let (Some(opened), Some(file)) = (call.file(), NonNull::new(call.file)) {
        // SAFETY: 4. The file has no other requests, and gets no new ones.
        unsafe { (*file.as_ptr()).FsContext = ptr::null_mut() };
        // SAFETY: 5. This was its last use.
        drop(unsafe { PoolBox::from_raw(opened) });
    }
    call.irp.complete(Status::SUCCESS, 0).status().0
}

unsafe extern "efiapi" fn read<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    unsafe { dispatch::<D>(device_object, irp, D::read) }
}

unsafe extern "efiapi" fn write<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    unsafe { dispatch::<D>(device_object, irp, D::write) }
}

unsafe extern "efiapi" fn device_control<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    unsafe { dispatch::<D>(device_object, irp, D::control) }
}

/// Passes a request of a file to a handler of the device.
///
/// # Safety
/// The arguments must be those of a dispatch routine of a [`DeviceRegistration`] of `D`.
unsafe fn dispatch<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    handle: fn(&D, &D::File, Irp) -> Dispatched,
) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    let Some(call) = (unsafe { call::<D>(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    let (Some(device), Some(file)) = (call.device, call.file()) else {
        return call.irp.complete(Status::DEVICE_NOT_READY, 0).status().0;
    };
    // SAFETY: 5.
    match unsafe { file.as_ref() } {
        Some(file) => handle(device, file, call.irp).status().0,
        None => call.irp.complete(Status::DEVICE_NOT_READY, 0).status().0,
    }
}
