//! Devices of a driver that are not adapters: NdisRegisterDeviceEx (ndis.h), and who may open them.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, FILE_DEVICE_SECURE_OPEN, GENERIC_READ, GENERIC_WRITE, IRP_MJ_COUNT, IRP_MJ_PNP,
    IRP_MJ_POWER,
};
use nt_sys::ndis::{
    NDIS_DEVICE_OBJECT_ATTRIBUTES, NDIS_HANDLE, NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES,
    NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1, NDIS_STATUS, NDIS_STATUS_SUCCESS,
};
use nt_sys::ntdef::{ACCESS_MASK, NTSTATUS, PASSIVE_LEVEL, PVOID};
use nt_sys::status::STATUS_ACCESS_DENIED;

use super::driver::Registration;
use crate::io::{device, devnode};
use crate::irql;
use crate::ob;
use crate::pool::{self, Owner, Request};
use crate::rtl::string::text;
use crate::violation::{Rule, stop};

/// The default security descriptor of NDIS: SYSTEM and administrators.
const DEFAULT_SDDL: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)";

/// 'NDdx': the tag of the extensions of devices.
const EXTENSION_TAG: u32 = u32::from_le_bytes(*b"NDdx");

/// A registered device.
struct Registered {
    device: usize,
    name: String,
    symbolic_link: String,
    sddl: String,
}

static DEVICES: Mutex<Vec<Registered>> = Mutex::new(Vec::new());

/// Checks the security descriptor of a device for an open by an administrator or by another user.
pub(crate) fn check_access(
    path: &str,
    access: ACCESS_MASK,
    administrator: bool,
) -> Result<(), NTSTATUS> {
    let (device, file) = device::find(path)?;
    // SAFETY: `find` returned a reference.
    let is_secure_open = unsafe { (*device).Characteristics } & FILE_DEVICE_SECURE_OPEN != 0;
    let sddl = if devnode::of(device).is_some() { None } else { registered(device.addr()) };
    // SAFETY: the reference of `find`.
    unsafe { ob::dereference("open", device.cast()) };
    // The driver guards the names of files on a device, unless it leaves that to the system
    // (windows-driver-docs, "Controlling Device Namespace Access").
    let is_checked = file.is_empty() || is_secure_open;
    if is_checked && sddl.is_some_and(|sddl| !allows(&sddl, access, administrator)) {
        return Err(STATUS_ACCESS_DENIED);
    }
    Ok(())
}

/// The security descriptor of a registered device, by its name or symbolic link.
#[must_use]
pub fn sddl(path: &str) -> Option<String> {
    let wanted = last_part(path);
    devices()
        .iter()
        .find(|device| {
            last_part(&device.name).eq_ignore_ascii_case(wanted)
                || last_part(&device.symbolic_link).eq_ignore_ascii_case(wanted)
        })
        .map(|device| device.sddl.clone())
}

/// The security descriptor of the registered device at an address.
fn registered(device: usize) -> Option<String> {
    devices().iter().find(|known| known.device == device).map(|known| known.sddl.clone())
}

/// Whether a security descriptor grants the access to an administrator, or to another user.
///
/// Supports what device objects use (windows-driver-docs, "SDDL for Device Objects"): a DACL of
/// access-allowed entries with generic rights, for well-known groups. Any other entry grants
/// nothing.
fn allows(sddl: &str, access: ACCESS_MASK, administrator: bool) -> bool {
    let mut granted = 0;
    for entry in sddl.split('(').skip(1).filter_map(|entry| entry.split(')').next()) {
        let mut fields = entry.split(';');
        let (kind, rights, trustee) = (fields.next(), fields.nth(1), fields.nth(2));
        let is_meant = match trustee {
            // Everyone, authenticated users, users, the interactive user.
            Some("WD" | "AU" | "BU" | "IU") => true,
            Some("BA") => administrator,
            _ => false,
        };
        if kind == Some("A") && is_meant {
            granted |= generic_rights(rights.unwrap_or_default());
        }
    }
    // A user without any right cannot open the device, not even for no access.
    granted != 0 && access & !granted == 0
}

/// The generic rights of an entry: two letters each.
fn generic_rights(letters: &str) -> ACCESS_MASK {
    let right = |pair: &[u8]| match pair {
        b"GA" => GENERIC_READ | GENERIC_WRITE,
        b"GR" => GENERIC_READ,
        b"GW" => GENERIC_WRITE,
        _ => 0,
    };
    letters.as_bytes().chunks(2).map(right).fold(0, |rights, right| rights | right)
}

fn devices() -> MutexGuard<'static, Vec<Registered>> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn last_part(path: &str) -> &str {
    path.rsplit('\\').next().unwrap_or(path)
}

export! { "ndis.sys";
    /// ndis.h, NdisRegisterDeviceEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The pointers are valid; `MajorFunctions` has `IRP_MJ_MAXIMUM_FUNCTION + 1` entries.
    pub unsafe fn NdisRegisterDeviceEx(
        ndis_handle: NDIS_HANDLE,
        device_object_attributes: *const NDIS_DEVICE_OBJECT_ATTRIBUTES,
        device_object: *mut *mut DEVICE_OBJECT,
        ndis_device_handle: *mut NDIS_HANDLE,
    ) -> NDIS_STATUS {
        const FUNCTION: &str = "NdisRegisterDeviceEx";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let registration = Registration::of(FUNCTION, ndis_handle);
        // SAFETY: as the driver promises.
        let attributes = unsafe { &*device_object_attributes };
        if attributes.Header.Type != NDIS_OBJECT_TYPE_DEVICE_OBJECT_ATTRIBUTES
            || attributes.Header.Revision == 0
            || attributes.Header.Size < NDIS_SIZEOF_DEVICE_OBJECT_ATTRIBUTES_REVISION_1
            || attributes.MajorFunctions.is_null()
        {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("the attributes begin with {:?}", attributes.Header),
            );
        }
        // SAFETY: as the driver promises.
        let functions = unsafe { *attributes.MajorFunctions.cast::<[Option<_>; IRP_MJ_COUNT]>() };
        let has = |major: u8| functions.get(usize::from(major)).is_some_and(Option::is_some);
        if has(IRP_MJ_PNP) || has(IRP_MJ_POWER) {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("a device that is not physical gets no PnP and power IRPs"),
            );
        }
        // SAFETY: as the driver promises.
        let name = unsafe { text(attributes.DeviceName) };
        // SAFETY: as the driver promises.
        let symbolic_link = unsafe { text(attributes.SymbolicName) };
        // SAFETY: as the driver promises.
        let sddl = unsafe { text(attributes.DefaultSDDLString) };
        // SAFETY: as the driver promises.
        unsafe { device_object.write(ptr::null_mut()) };
        let link = (!symbolic_link.is_empty()).then_some(symbolic_link.as_str());
        let driver = ptr::with_exposed_provenance_mut(registration.driver_object);
        let device = match device::create_registered(driver, &name, link, &functions) {
            Ok(device) => device,
            Err(status) => return status,
        };
        let bytes = attributes.ExtensionSize as usize;
        if bytes != 0 {
            let request =
                Request { owner: Owner::Host, tag: EXTENSION_TAG, zeroed: true, alignment: 16 };
            // SAFETY: the device was just made.
            unsafe { (*device).DeviceExtension = pool::allocate(bytes, request).cast() };
        }
        let sddl = if sddl.is_empty() { DEFAULT_SDDL.to_owned() } else { sddl };
        devices().push(Registered { device: device.addr(), name, symbolic_link, sddl });
        // SAFETY: as the driver promises.
        unsafe { device_object.write(device) };
        // SAFETY: as the driver promises.
        unsafe { ndis_device_handle.write(device.cast()) };
        NDIS_STATUS_SUCCESS
    }

    /// ndis.h, NdisDeregisterDeviceEx.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Safety
    /// The handle is not used again.
    pub unsafe fn NdisDeregisterDeviceEx(ndis_device_handle: NDIS_HANDLE) {
        const FUNCTION: &str = "NdisDeregisterDeviceEx";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        let mut devices = devices();
        let address = ndis_device_handle.addr();
        let Some(index) = devices.iter().position(|known| known.device == address) else {
            drop(devices);
            stop(
                Rule::BAD_NDIS_HANDLE,
                FUNCTION,
                format_args!("{ndis_device_handle:p} is not a device handle"),
            );
        };
        devices.remove(index);
        drop(devices);
        let device = ndis_device_handle.cast::<DEVICE_OBJECT>();
        // SAFETY: the device exists until it is deleted.
        let extension = unsafe { (*device).DeviceExtension };
        if !extension.is_null() {
            // SAFETY: the driver gives it back with the device, whose files may still be open.
            unsafe { pool::free(FUNCTION, extension.cast(), EXTENSION_TAG) };
        }
        device::delete(device);
    }

    /// ndis.h, NdisGetDeviceReservedExtension.
    ///
    /// # IRQL
    /// Any.
    ///
    /// # Safety
    /// `device_object` was created by NdisRegisterDeviceEx.
    pub unsafe fn NdisGetDeviceReservedExtension(device_object: *mut DEVICE_OBJECT) -> PVOID {
        if registered(device_object.addr()).is_none() {
            stop(
                Rule::USE_AFTER_FREE,
                "NdisGetDeviceReservedExtension",
                format_args!("{device_object:p} is not registered, or not any more"),
            );
        }
        // SAFETY: as the driver promises.
        unsafe { (*device_object).DeviceExtension }
    }
}
