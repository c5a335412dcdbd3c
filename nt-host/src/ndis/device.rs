//! Devices of a driver that are no adapters: NdisRegisterDeviceEx (ndis.h).

use nt_sys::io::{DEVICE_OBJECT, IRP};
use nt_sys::ntdef::NTSTATUS;

/// What NDIS puts into `DRIVER_OBJECT::MajorFunction`.
pub(super) unsafe extern "system" fn dispatch(
    device_object: *mut DEVICE_OBJECT,
    irp: *mut IRP,
) -> NTSTATUS {
    let _ = (device_object, irp);
    0
}
