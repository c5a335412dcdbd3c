//! The device of an adapter that NDIS makes, and device interfaces with reference strings on it.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};

use nt_sys::io::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DO_DIRECT_IO, GUID_DEVINTERFACE_NET, IoRegisterDeviceInterface,
    IoSetDeviceInterfaceState,
};
use nt_sys::ndis::{NDIS_HANDLE, NdisMGetDeviceProperty};
use nt_sys::ntdef::{FALSE, TRUE, UNICODE_STRING};
use nt_sys::rtl::RtlFreeUnicodeString;

use crate::status::{Result, Status};

/// Identifies a device object. The pointer is only compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DeviceId(pub(crate) *mut DEVICE_OBJECT);

// SAFETY: the pointer is never dereferenced.
unsafe impl Send for DeviceId {}
// SAFETY: the pointer is never dereferenced.
unsafe impl Sync for DeviceId {}

/// The device objects of an adapter: of its bus, and of NDIS above it.
pub struct AdapterDevice {
    physical: *mut DEVICE_OBJECT,
    functional: *mut DEVICE_OBJECT,
}

impl AdapterDevice {
    /// # Safety
    /// The handle must be that of an adapter, before the end of MiniportHaltEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) unsafe fn of(adapter: NDIS_HANDLE) -> Self {
        let mut device = Self { physical: ptr::null_mut(), functional: ptr::null_mut() };
        // SAFETY: by the caller's promise; the pointers are to the stack, or null.
        unsafe {
            NdisMGetDeviceProperty(
                adapter,
                &raw mut device.physical,
                &raw mut device.functional,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
        }
        device
    }

    /// NDIS's device, to which requests on the adapter's devnode go.
    pub fn id(&self) -> DeviceId {
        DeviceId(self.functional)
    }

    /// Whether reads and writes bring their buffer in an MDL, or a system buffer. With neither,
    /// they bring an address of the caller's, whose access can raise an exception.
    pub fn has_kernel_buffers(&self) -> bool {
        // SAFETY: the device of NDIS exists until MiniportHaltEx has returned.
        let flags = unsafe { (*self.functional).Flags };
        flags & (DO_BUFFERED_IO | DO_DIRECT_IO) != 0
    }

    /// Registers an interface of network adapters with this reference string. It is not enabled.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub fn register_interface(&self, reference: &[u16]) -> Result<DeviceInterface> {
        let bytes =
            u16::try_from(size_of_val(reference)).map_err(|_| Status::OBJECT_NAME_INVALID)?;
        let mut reference = UNICODE_STRING {
            Length: bytes,
            MaximumLength: bytes,
            Buffer: reference.as_ptr().cast_mut(),
        };
        let mut name = UNICODE_STRING { Length: 0, MaximumLength: 0, Buffer: ptr::null_mut() };
        let class = GUID_DEVINTERFACE_NET;
        // SAFETY: the physical device is that of the adapter; all else is on the stack, and only
        // read but for the name.
        let status = unsafe {
            IoRegisterDeviceInterface(
                self.physical,
                &raw const class,
                &raw mut reference,
                &raw mut name,
            )
        };
        // STATUS_OBJECT_NAME_EXISTS is a success: registrations outlive the device.
        Status(status).ok()?;
        Ok(DeviceInterface { name, is_enabled: AtomicBool::new(false) })
    }
}

/// A registered device interface. Dropping it disables it.
///
/// # IRQL
/// `PASSIVE_LEVEL`, for dropping as well
pub struct DeviceInterface {
    /// The kernel's memory, which `RtlFreeUnicodeString` frees.
    name: UNICODE_STRING,
    is_enabled: AtomicBool,
}

impl DeviceInterface {
    /// Enables it: programs can open files by it.
    pub fn enable(&self) -> Result<()> {
        let mut name = self.name;
        // SAFETY: the name is that of a registered interface.
        Status(unsafe { IoSetDeviceInterfaceState(&raw mut name, TRUE) }).ok()?;
        self.is_enabled.store(true, Ordering::Release);
        Ok(())
    }

    /// Disables it, if nobody has done so. A driver must not disable an interface twice
    /// (IoSetDeviceInterfaceState, wdm.h).
    pub fn disable(&self) {
        if self.is_enabled.swap(false, Ordering::AcqRel) {
            let mut name = self.name;
            // SAFETY: the name is that of an enabled interface. A failure leaves nothing to do.
            let _ = unsafe { IoSetDeviceInterfaceState(&raw mut name, FALSE) };
        }
    }
}

impl Drop for DeviceInterface {
    fn drop(&mut self) {
        self.disable();
        // SAFETY: IoRegisterDeviceInterface allocated the name, which is freed once.
        unsafe { RtlFreeUnicodeString(&raw mut self.name) };
    }
}

// SAFETY: the name is only read until it is freed.
unsafe impl Send for DeviceInterface {}
// SAFETY: the name is only read until it is freed.
unsafe impl Sync for DeviceInterface {}

impl DeviceId {
    pub(crate) fn address(self) -> *mut c_void {
        self.0.cast()
    }
}
