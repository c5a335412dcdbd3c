//! Control devices of an NDIS driver.
//!
//! A device object outlives its registration while files are open on it, but its extension does
//! not. So the handlers of a device are found in a table while it is registered, and each open file
//! owns the handlers that it was opened by.
//!
//! # Safety conditions
//! 1. The arguments are those of a dispatch routine of a [`DeviceRegistration`].
//! 2. NdisRegisterDeviceEx made the device object, which exists until the registration is dropped.
//! 3. The I/O manager keeps the file object while a request for it is outstanding.
//! 4. `create` stored the file in `FsContext`, where it stays until `close`.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use nt_sys::io::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DRIVER_DISPATCH, FILE_DEVICE_SECURE_OPEN, FILE_OBJECT,
    FILE_OPENED, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_COUNT, IRP_MJ_CREATE,
    IRP_MJ_DEVICE_CONTROL, IRP_MJ_READ, IRP_MJ_WRITE,
};
use nt_sys::ndis::{
    NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NDIS_HANDLE,
    NDIS_OBJECT_HEADER, NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
    NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NdisDeregisterDeviceEx, NdisRegisterDeviceEx,
};
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING};

use crate::device_interface::DeviceId;
use crate::irp::{Dispatched, FileId, Irp};
use crate::lock::{SleepLock, SleepMutex};
use crate::miniport::DriverHandle;
use crate::pool::PoolBox;
use crate::shared::Shared;
use crate::status::{Result, Status};

/// The handlers of a control device.
pub trait ControlDevice: Send + Sync + 'static {
    /// An open file.
    type File: Send + Sync + 'static;

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

/// The maximum number of registered devices.
const MAX_DEVICES: usize = 8;

/// The registered devices, with their handlers.
static DEVICES: SleepMutex<[Option<Registered>; MAX_DEVICES]> =
    SleepMutex::const_new(<SleepLock as lock_api::RawMutex>::INIT, [const { None }; MAX_DEVICES]);

struct Registered {
    device: DeviceId,
    handlers: Shared<dyn Handlers>,
}

/// The handlers of a device, whatever their type.
trait Handlers: Send + Sync {
    /// Their address.
    fn address(&self) -> *const c_void;
}

impl<D: ControlDevice> Handlers for D {
    fn address(&self) -> *const c_void {
        ptr::from_ref(self).cast()
    }
}

/// A registered control device; dropping it removes the device. Files that are open on it stay, and
/// keep its handlers.
pub struct DeviceRegistration {
    handle: NDIS_HANDLE,
    device: DeviceId,
}

impl DeviceRegistration {
    /// Registers the device.
    ///
    /// # Errors
    /// `INSUFFICIENT_RESOURCES` if there are 8 devices; else those of NdisRegisterDeviceEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`, for dropping it as well
    pub fn new<D: ControlDevice>(
        driver: &DriverHandle,
        name: &DeviceName<'_>,
        device: Shared<D>,
    ) -> Result<Self> {
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
            ExtensionSize: 0,
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
        let registration = Self { handle, device: DeviceId(device_object) };
        let handlers = device.unsize::<dyn Handlers>(|inner| inner);
        registration.publish(handlers)?;
        Ok(registration)
    }

    /// Makes the handlers known. Files that are opened earlier are refused.
    fn publish(&self, handlers: Shared<dyn Handlers>) -> Result<()> {
        let mut devices = DEVICES.lock();
        let free = devices.iter_mut().find(|device| device.is_none());
        let free = free.ok_or(Status::INSUFFICIENT_RESOURCES)?;
        *free = Some(Registered { device: self.device, handlers });
        Ok(())
    }
}

impl Drop for DeviceRegistration {
    fn drop(&mut self) {
        let is_this = |device: &Registered| device.device == self.device;
        let registered = {
            let mut devices = DEVICES.lock();
            let found = devices.iter_mut().find(|device| device.as_ref().is_some_and(is_this));
            found.and_then(Option::take)
        };
        // SAFETY: NdisRegisterDeviceEx returned the handle, which is given back once.
        unsafe { NdisDeregisterDeviceEx(self.handle) };
        drop(registered);
    }
}

// SAFETY: the handle may be given back on any thread.
unsafe impl Send for DeviceRegistration {}
// SAFETY: a shared registration has no methods.
unsafe impl Sync for DeviceRegistration {}

/// Makes a UNICODE_STRING that points to `text`.
fn unicode_string(text: &[u16]) -> Result<UNICODE_STRING> {
    let bytes = u16::try_from(size_of_val(text)).map_err(|_| Status::OBJECT_NAME_INVALID)?;
    Ok(UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: text.as_ptr().cast_mut() })
}

/// What `create` stores in a file.
struct Opened<D: ControlDevice> {
    handlers: Shared<dyn Handlers>,
    /// `None` until it is opened.
    file: Option<D::File>,
}

/// The handlers as what they are.
///
/// # Safety
/// They must be those of a device that was registered with a `D`.
unsafe fn device_of<D: ControlDevice>(handlers: &Shared<dyn Handlers>) -> &D {
    // SAFETY: by the caller's promise; they live as long as their owner.
    unsafe { &*handlers.address().cast::<D>() }
}

/// The arguments of a dispatch routine.
struct Call {
    device: DeviceId,
    file: *mut FILE_OBJECT,
    irp: Irp,
}

/// # Safety
/// The arguments must be those of a dispatch routine of a [`DeviceRegistration`].
unsafe fn call(device_object: *mut DEVICE_OBJECT, irp: *mut IRP) -> Option<Call> {
    // SAFETY: the IRP is ours from here on.
    let irp = unsafe { Irp::new(NonNull::new(irp)?) };
    // SAFETY: 1. The IRP and its stack location belong to this driver.
    let file = unsafe { (*irp.stack_location().as_ptr()).FileObject };
    Some(Call { device: DeviceId(device_object), file, irp })
}

impl Call {
    /// What [`create`] stored in the file.
    fn file<D: ControlDevice>(&self) -> Option<NonNull<Opened<D>>> {
        let file = NonNull::new(self.file)?;
        // SAFETY: 3.
        NonNull::new(unsafe { (*file.as_ptr()).FsContext }.cast())
    }

    /// The handlers of the device, while it is registered.
    fn handlers(&self) -> Option<Shared<dyn Handlers>> {
        let devices = DEVICES.lock();
        let found = devices.iter().flatten().find(|device| device.device == self.device);
        found.map(|device| device.handlers.clone())
    }
}

unsafe extern "efiapi" fn create<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    let Some(call) = (unsafe { call(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    let (Some(handlers), Some(file)) = (call.handlers(), NonNull::new(call.file)) else {
        return call.irp.complete(Status::DEVICE_NOT_READY, 0).status().0;
    };
    // SAFETY: 3.
    let name = unsafe { (*file.as_ptr()).FileName };
    let name: &[u16] = if name.Buffer.is_null() {
        &[]
    } else {
        // SAFETY: 3. The name is valid while the file is being opened.
        unsafe { core::slice::from_raw_parts(name.Buffer, usize::from(name.Length) / 2) }
    };
    // SAFETY: this routine was registered with the device and its handlers.
    let device = unsafe { device_of::<D>(&handlers) };
    // Memory is allocated first: a file that was opened must not be lost without it.
    let place = PoolBox::new(Opened::<D> { handlers: handlers.clone(), file: None });
    let opened = place.and_then(|mut place| {
        place.file = Some(device.open(name, FileId(call.file))?);
        Ok(place)
    });
    let status = match opened {
        Ok(opened) => {
            // SAFETY: 3. The field belongs to the driver that opens the file.
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
    let Some(call) = (unsafe { call(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: 4.
    if let Some(opened) = call.file::<D>().map(|file| unsafe { file.as_ref() })
        && let Some(file) = &opened.file
    {
        // SAFETY: `create` of this type found the handlers.
        unsafe { device_of::<D>(&opened.handlers) }.cleanup(file, FileId(call.file));
    }
    call.irp.complete(Status::SUCCESS, 0).status().0
}

unsafe extern "efiapi" fn close<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    // SAFETY: 1.
    let Some(call) = (unsafe { call(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    if let (Some(opened), Some(file)) = (call.file::<D>(), NonNull::new(call.file)) {
        // SAFETY: 3. The file has no other requests, and gets no new ones.
        unsafe { (*file.as_ptr()).FsContext = ptr::null_mut() };
        // SAFETY: 4. This was its last use.
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
/// The arguments must be those of a dispatch routine of a [`DeviceRegistration`] with a `D`.
unsafe fn dispatch<D: ControlDevice>(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
    handle: fn(&D, &D::File, Irp) -> Dispatched,
) -> NTSTATUS {
    // SAFETY: by the caller's promise.
    let Some(call) = (unsafe { call(device_object, irp) }) else {
        return Status::INVALID_PARAMETER.0;
    };
    // SAFETY: 4.
    let opened = call.file::<D>().map(|file| unsafe { file.as_ref() });
    match opened.and_then(|opened| Some((opened, opened.file.as_ref()?))) {
        Some((opened, file)) => {
            // SAFETY: `create` of this type found the handlers.
            let device = unsafe { device_of::<D>(&opened.handlers) };
            handle(device, file, call.irp).status().0
        }
        None => call.irp.complete(Status::DEVICE_NOT_READY, 0).status().0,
    }
}
