//! A control device.

use std::ptr;
use std::sync::atomic::Ordering;

use nt_sys::ndis::*;
use nt_sys::ntdef::NTSTATUS;

use super::{DRIVER, Utf16, adapters, header};

/// Registers a control device for the adapter of `index`.
pub(crate) fn register_device(index: usize) {
    let context = adapters()[index];
    let mut name = Utf16::new(r"\Device\Loopback");
    let mut link = Utf16::new(r"\DosDevices\Loopback");
    let mut sddl = Utf16::new("D:P(A;;GA;;;SY)(A;;GA;;;BA)");
    let (mut name, mut link, sddl) = (name.string(), link.string(), sddl.string());
    let mut functions = [None; nt_sys::io::IRP_MJ_COUNT];
    for major in [nt_sys::io::IRP_MJ_CREATE, nt_sys::io::IRP_MJ_CLEANUP, nt_sys::io::IRP_MJ_CLOSE] {
        functions[usize::from(major)] = Some(succeed as nt_sys::io::DRIVER_DISPATCH);
    }
    let attributes = NDIS_DEVICE_OBJECT_ATTRIBUTES {
        Header: header(
            NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
            NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
            NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1,
        ),
        DeviceName: &raw mut name,
        SymbolicName: &raw mut link,
        MajorFunctions: functions.as_mut_ptr(),
        ExtensionSize: 16,
        DefaultSDDLString: &raw const sddl,
        DeviceClassGuid: ptr::null(),
    };
    let (mut device, mut handle) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: live locals.
    let status = unsafe {
        NdisRegisterDeviceEx(
            DRIVER.load(Ordering::Relaxed),
            &raw const attributes,
            &raw mut device,
            &raw mut handle,
        )
    };
    assert_eq!(status, NDIS_STATUS_SUCCESS);
    // SAFETY: the new device.
    assert!(!unsafe { NdisGetDeviceReservedExtension(device) }.is_null());
    context.device.store(handle, Ordering::Relaxed);
}

pub(crate) unsafe extern "efiapi" fn succeed(
    _: *mut nt_sys::io::DEVICE_OBJECT,
    irp: *mut nt_sys::io::IRP,
) -> NTSTATUS {
    // SAFETY: a dispatch routine owns its IRP.
    unsafe { (*irp).IoStatus.Status = 0 };
    // SAFETY: a dispatch routine owns its IRP, and does not use it after completion.
    unsafe { nt_sys::io::IofCompleteRequest(irp, 0) };
    0
}
