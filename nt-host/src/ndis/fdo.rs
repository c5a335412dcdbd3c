//! The functional device objects that NDIS makes for adapters, and the dispatch routine that it
//! puts into the driver object for all major functions.
//!
//! A driver may have replaced entries of its dispatch table. What it passes on comes here: PnP
//! requests, which start, halt and remove the adapter; the files that others opened on the device,
//! which carry a context of NDIS's; and the requests of devices of NdisRegisterDeviceEx, which
//! NDIS passes to the routines that these have.

use std::collections::BTreeMap;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DO_DIRECT_IO, FILE_DEVICE_PHYSICAL_NETCARD, FILE_OBJECT,
    FILE_OPENED, GUID_DEVINTERFACE_NET, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE, IRP_MJ_CREATE,
    IRP_MJ_DEVICE_CONTROL, IRP_MJ_PNP, IRP_MJ_READ, IRP_MJ_WRITE, IRP_MN_CANCEL_REMOVE_DEVICE,
    IRP_MN_QUERY_REMOVE_DEVICE, IRP_MN_REMOVE_DEVICE, IRP_MN_START_DEVICE, IRP_MN_SURPRISE_REMOVAL,
};
use nt_sys::ndis::{NDIS_HANDLE, NdisDevicePnPEventQueryRemoved};
use nt_sys::ntdef::{NTSTATUS, PASSIVE_LEVEL, PVOID};
use nt_sys::status::{
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};

use super::miniport_adapter::MiniportAdapter;
use super::tuning::DeviceBuffers;
use crate::callback;
use crate::io::complete::IofCompleteRequest;
use crate::io::{device, interface, irp as irps};
use crate::irql;
use crate::loaded;
use crate::stack;
use crate::violation::{Rule, stop};

/// Bytes of the extension of NDIS's device objects, which is NDIS's.
const EXTENSION_BYTES: usize = 64;
const EXTENSION_BYTE: u8 = 0x4e;

/// Adapters by the addresses of their functional device objects.
static FDOS: Mutex<BTreeMap<usize, Arc<MiniportAdapter>>> = Mutex::new(BTreeMap::new());

/// The contexts of NDIS's files, by their file objects.
static FILES: Mutex<BTreeMap<usize, Box<u64>>> = Mutex::new(BTreeMap::new());

impl MiniportAdapter {
    /// AddDevice: makes the functional device object and attaches it.
    pub(super) fn add_device(self: &Arc<Self>) {
        loaded::at_unload(files_left);
        let driver = self.driver.driver_object();
        let fdo = device::make_functional(driver, FILE_DEVICE_PHYSICAL_NETCARD, EXTENSION_BYTES);
        let flags = match self.tuning.device_buffers {
            DeviceBuffers::Direct => DO_DIRECT_IO,
            DeviceBuffers::Buffered => DO_BUFFERED_IO,
            DeviceBuffers::Neither => 0,
        };
        // SAFETY: the device was just made.
        let object = unsafe { &mut *fdo };
        object.Flags |= flags;
        // SAFETY: the extension has these bytes.
        unsafe { object.DeviceExtension.cast::<u8>().write_bytes(EXTENSION_BYTE, EXTENSION_BYTES) };
        lock(&FDOS).insert(fdo.expose_provenance(), Arc::clone(self));
        self.set_fdo(fdo);
        self.devnode.attach(fdo);
    }

    /// Reverses [`MiniportAdapter::add_device`].
    fn delete_device(&self) {
        let fdo = self.fdo();
        lock(&FDOS).remove(&fdo.addr());
        // SAFETY: the device has its extension until it is deleted.
        let extension = unsafe { (*fdo).DeviceExtension }.cast::<u8>();
        // SAFETY: the extension has these bytes.
        let extension = unsafe { std::slice::from_raw_parts(extension, EXTENSION_BYTES) };
        if extension.iter().any(|byte| *byte != EXTENSION_BYTE) {
            stop(
                Rule::NOT_NDIS_FILE,
                "IRP_MN_REMOVE_DEVICE",
                format_args!("the driver wrote to the extension of NDIS's device"),
            );
        }
        self.devnode.detach();
        device::delete(fdo);
    }
}

/// The dispatch routine that NDIS puts into `DRIVER_OBJECT::MajorFunction`.
pub(super) unsafe extern "efiapi" fn dispatch(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    let _host = stack::leave_driver_code();
    irql::require_exactly("NDIS's dispatch routine", PASSIVE_LEVEL);
    // SAFETY: a dispatch routine owns its IRP.
    unsafe { irps::require("NDIS's dispatch routine", irp) };
    // SAFETY: a dispatch routine owns its IRP.
    let location = unsafe { irps::overlay(irp).CurrentStackLocation };
    // SAFETY: the current location of an IRP that the driver owns.
    let location = unsafe { &*location };
    if location.DeviceObject != device_object {
        stop(
            Rule::BAD_IRP,
            "NDIS's dispatch routine",
            format_args!("the IRP is for {:p}, not for {device_object:p}", location.DeviceObject),
        );
    }
    // SAFETY: the sender of the IRP has a reference to the device.
    if let Some(routines) = unsafe { device::registered_routines(device_object) } {
        let routine = routines.get(usize::from(location.MajorFunction)).copied().flatten();
        let Some(routine) = routine else { return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0) };
        return callback::enter_driver(|| {
            // SAFETY: the routine that the driver registered for the device.
            unsafe { routine(device_object, irp) }
        });
    }
    let adapter = lock(&FDOS).get(&device_object.addr()).cloned();
    let Some(adapter) = adapter else { return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0) };
    let (major, minor, file) =
        (location.MajorFunction, location.MinorFunction, location.FileObject);
    let (status, information) = stack::on_host(|| match major {
        IRP_MJ_PNP => (pnp(&adapter, minor), 0),
        IRP_MJ_CREATE => match create(file) {
            Ok(()) => (STATUS_SUCCESS, FILE_OPENED),
            Err(status) => (status, 0),
        },
        IRP_MJ_CLEANUP => {
            require_own("IRP_MJ_CLEANUP", file);
            (STATUS_SUCCESS, 0)
        }
        IRP_MJ_CLOSE => {
            close(file);
            (STATUS_SUCCESS, 0)
        }
        IRP_MJ_READ | IRP_MJ_WRITE | IRP_MJ_DEVICE_CONTROL => {
            require_own("NDIS's dispatch routine", file);
            (STATUS_INVALID_DEVICE_REQUEST, 0)
        }
        _ => (STATUS_NOT_SUPPORTED, 0),
    });
    complete(irp, status, information)
}

/// Handles a PnP request.
fn pnp(adapter: &MiniportAdapter, minor: u8) -> NTSTATUS {
    match minor {
        IRP_MN_START_DEVICE => {
            if let Err(status) = adapter.initialize() {
                return status;
            }
            set_interface(adapter, true);
            STATUS_SUCCESS
        }
        IRP_MN_QUERY_REMOVE_DEVICE => {
            adapter.pnp_event(NdisDevicePnPEventQueryRemoved);
            STATUS_SUCCESS
        }
        IRP_MN_CANCEL_REMOVE_DEVICE => STATUS_SUCCESS,
        IRP_MN_SURPRISE_REMOVAL => {
            set_interface(adapter, false);
            adapter.end(true);
            STATUS_SUCCESS
        }
        IRP_MN_REMOVE_DEVICE => {
            adapter.end(false);
            adapter.delete_device();
            STATUS_SUCCESS
        }
        _ => STATUS_NOT_SUPPORTED,
    }
}

/// Enables or disables the interface that NDIS registers for each adapter.
fn set_interface(adapter: &MiniportAdapter, enable: bool) {
    let registered = interface::register(adapter.devnode.physical(), &GUID_DEVINTERFACE_NET, "");
    if let Ok((path, _)) = registered {
        interface::set_enabled(&path, enable);
    }
}

/// Opens a file of NDIS's. NDIS has no names on its devices.
fn create(file: *mut FILE_OBJECT) -> Result<(), NTSTATUS> {
    // SAFETY: null, or the file that is being opened.
    let Some(object) = (unsafe { file.as_mut() }) else { return Err(STATUS_INVALID_PARAMETER) };
    if !object.FsContext.is_null() || !object.FsContext2.is_null() {
        stop(
            Rule::NOT_NDIS_FILE,
            "IRP_MJ_CREATE",
            format_args!("the driver set the context of a file that it passes on"),
        );
    }
    if object.FileName.Length != 0 || !object.RelatedFileObject.is_null() {
        return Err(STATUS_OBJECT_NAME_NOT_FOUND);
    }
    let mut context = Box::new(0x4e44_4953_4649_4c45_u64);
    object.FsContext = ptr::from_mut(&mut *context).cast();
    lock(&FILES).insert(file.addr(), context);
    Ok(())
}

fn close(file: *mut FILE_OBJECT) {
    require_own("IRP_MJ_CLOSE", file);
    lock(&FILES).remove(&file.addr());
    // SAFETY: the file is one of NDIS's.
    unsafe { (*file).FsContext = ptr::null_mut() };
}

/// Stops unless NDIS opened the file, and nobody changed its context.
fn require_own(function: &str, file: *mut FILE_OBJECT) {
    let files = lock(&FILES);
    let context = files.get(&file.addr()).map(|context| ptr::from_ref(&**context).addr());
    // SAFETY: a file of the table is open.
    let is_own = context.is_some_and(|context| unsafe { (*file).FsContext }.addr() == context);
    drop(files);
    if !is_own {
        stop(
            Rule::NOT_NDIS_FILE,
            function,
            format_args!("NDIS did not open the file {file:p}, or its context was changed"),
        );
    }
}

fn files_left() -> Vec<String> {
    lock(&FILES).keys().map(|file| format!("NDIS's file {file:#x} is not closed")).collect()
}

fn complete(irp: *mut IRP, status: NTSTATUS, information: usize) -> NTSTATUS {
    // SAFETY: a dispatch routine owns its IRP.
    unsafe { (*irp).IoStatus.Status = status };
    // SAFETY: a dispatch routine owns its IRP.
    unsafe { (*irp).IoStatus.Information = information };
    // SAFETY: a dispatch routine owns its IRP, and does not use it any more.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

export! { "ndis.sys";
    /// ndis.h, NdisMGetDeviceProperty. A software device has no resources.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are null or writable.
    pub unsafe fn NdisMGetDeviceProperty(
        miniport_adapter_handle: NDIS_HANDLE,
        physical_device_object: *mut *mut DEVICE_OBJECT,
        functional_device_object: *mut *mut DEVICE_OBJECT,
        next_device_object: *mut *mut DEVICE_OBJECT,
        allocated_resources: *mut PVOID,
        allocated_resources_translated: *mut PVOID,
    ) {
        const FUNCTION: &str = "NdisMGetDeviceProperty";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let adapter = MiniportAdapter::of(FUNCTION, miniport_adapter_handle);
        let physical = adapter.devnode.physical();
        for (place, device) in [
            (physical_device_object, physical),
            (functional_device_object, adapter.fdo()),
            (next_device_object, physical),
        ] {
            // SAFETY: as the caller promises.
            if let Some(place) = unsafe { place.as_mut() } {
                *place = device;
            }
        }
        for place in [allocated_resources, allocated_resources_translated] {
            // SAFETY: as the caller promises.
            if let Some(place) = unsafe { place.as_mut() } {
                *place = ptr::null_mut();
            }
        }
    }
}
