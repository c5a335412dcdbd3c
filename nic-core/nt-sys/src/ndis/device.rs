//! ndis.h: device objects of an NDIS driver other than adapters.

use super::{NDIS_HANDLE, NDIS_OBJECT_HEADER, NDIS_STATUS};
use crate::io::{DEVICE_OBJECT, DRIVER_DISPATCH};
use crate::ntdef::{GUID, PVOID, UCHAR, ULONG, UNICODE_STRING, USHORT};

/// Attributes of a device for `NdisRegisterDeviceEx`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct NDIS_DEVICE_OBJECT_ATTRIBUTES {
    /// `NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES`
    pub Header: NDIS_OBJECT_HEADER,
    /// Name in `\Device`.
    pub DeviceName: *mut UNICODE_STRING,
    /// Name in `\DosDevices`.
    pub SymbolicName: *mut UNICODE_STRING,
    /// `IRP_MJ_MAXIMUM_FUNCTION + 1` dispatch routines; null if unsupported.
    pub MajorFunctions: *mut Option<DRIVER_DISPATCH>,
    /// Bytes of device extension for the driver.
    pub ExtensionSize: ULONG,
    /// Security descriptor, or null for NDIS's default.
    pub DefaultSDDLString: *const UNICODE_STRING,
    /// Device class, or null.
    pub DeviceClassGuid: *const GUID,
}

/// Of [`NDIS_DEVICE_OBJECT_ATTRIBUTES`].
pub const NDIS_DEVICE_OBJECT_ATTRIBUTES_REVISION_1: UCHAR = 1;
/// Of [`NDIS_DEVICE_OBJECT_ATTRIBUTES`].
pub const NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1: USHORT = 56;

crate::import! { "ndis.sys";
    /// Makes a device object with a symbolic link.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisRegisterDeviceEx(
        ndis_handle: NDIS_HANDLE, device_object_attributes: *const NDIS_DEVICE_OBJECT_ATTRIBUTES,
        device_object: *mut *mut DEVICE_OBJECT, ndis_device_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS;

    /// Removes a device object.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn NdisDeregisterDeviceEx(ndis_device_handle: NDIS_HANDLE);

    /// The device extension, of `ExtensionSize` bytes.
    ///
    /// # IRQL
    /// Any.
    pub fn NdisGetDeviceReservedExtension(device_object: *mut DEVICE_OBJECT) -> PVOID;
}
