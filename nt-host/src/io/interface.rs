//! Device interfaces: the names by which user mode finds and opens devices (wdm.h).

use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::io::DEVICE_OBJECT;
use nt_sys::ntdef::{BOOLEAN, GUID, NTSTATUS, PASSIVE_LEVEL, UNICODE_STRING};
use nt_sys::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_DEVICE_REQUEST, STATUS_OBJECT_NAME_EXISTS,
    STATUS_OBJECT_NAME_NOT_FOUND, STATUS_SUCCESS,
};

use super::{device, devnode};
use crate::irql;
use crate::pool;
use crate::rtl::string;
use crate::violation::{Rule, stop};

/// A registered interface. A registration outlives its device.
struct Interface {
    instance_id: String,
    class: GUID,
    /// `\??\INSTANCE#{class}`, and the reference string.
    path: String,
    /// The path on the device: its name and the reference string.
    target: String,
    pdo: usize,
    is_enabled: bool,
}

static INTERFACES: Mutex<Vec<Interface>> = Mutex::new(Vec::new());

/// Registers an interface of a devnode. Returns its path, and whether it was registered before.
pub(crate) fn register(
    physical: *mut DEVICE_OBJECT,
    class: &GUID,
    reference: &str,
) -> Result<(String, bool), NTSTATUS> {
    let devnode = devnode::of(physical).ok_or(STATUS_INVALID_DEVICE_REQUEST)?;
    if reference.contains(['\\', '/']) {
        return Err(STATUS_INVALID_DEVICE_REQUEST);
    }
    let instance_id = devnode.instance_id();
    let separator = if reference.is_empty() { "" } else { r"\" };
    let class_text = guid_text(class);
    let path =
        format!(r"\??\{}#{class_text}{separator}{reference}", instance_id.replace('\\', "#"));
    let target = format!("{}{separator}{reference}", device::name_of(physical));
    let mut interfaces = lock();
    let known = interfaces.iter_mut().find(|known| known.path.eq_ignore_ascii_case(&path));
    let existed = known.is_some();
    match known {
        Some(known) => {
            known.target = target;
            known.pdo = physical.addr();
        }
        None => interfaces.push(Interface {
            instance_id,
            class: *class,
            path: path.clone(),
            target,
            pdo: physical.addr(),
            is_enabled: false,
        }),
    }
    Ok((path, existed))
}

/// Enables or disables an interface. The status is that of IoSetDeviceInterfaceState.
pub(crate) fn set_enabled(path: &str, enable: bool) -> NTSTATUS {
    let mut interfaces = lock();
    let known = interfaces.iter_mut().find(|known| known.path.eq_ignore_ascii_case(path));
    let Some(interface) = known else { return STATUS_OBJECT_NAME_NOT_FOUND };
    if interface.is_enabled == enable {
        return if enable { STATUS_OBJECT_NAME_EXISTS } else { STATUS_OBJECT_NAME_NOT_FOUND };
    }
    if enable {
        if let Err(status) = device::add_link(&interface.path, &interface.target) {
            return status;
        }
    } else {
        device::remove_link(&interface.path);
    }
    interface.is_enabled = enable;
    STATUS_SUCCESS
}

/// Disables the interfaces of a device that is removed.
pub(crate) fn disable_all(pdo: usize) {
    for interface in lock().iter_mut().filter(|known| known.pdo == pdo && known.is_enabled) {
        device::remove_link(&interface.path);
        interface.is_enabled = false;
    }
}

/// The paths of the enabled interfaces of a class that a device has, as user mode gets them.
pub(crate) fn enabled(class: &GUID, instance_id: &str) -> Vec<String> {
    lock()
        .iter()
        .filter(|known| known.is_enabled && known.class == *class)
        .filter(|known| known.instance_id.eq_ignore_ascii_case(instance_id))
        .map(|known| known.path.replacen(r"\??\", r"\\?\", 1))
        .collect()
}

/// A GUID as text, in braces.
pub(crate) fn guid_text(guid: &GUID) -> String {
    let tail = |range: core::ops::Range<usize>| -> String {
        guid.Data4[range].iter().map(|byte| format!("{byte:02x}")).collect()
    };
    format!(
        "{{{:08x}-{:04x}-{:04x}-{}-{}}}",
        guid.Data1,
        guid.Data2,
        guid.Data3,
        tail(0..2),
        tail(2..8)
    )
}

fn lock() -> MutexGuard<'static, Vec<Interface>> {
    INTERFACES.lock().unwrap_or_else(PoisonError::into_inner)
}

export! { "ntoskrnl.exe";
    /// wdm.h, IoRegisterDeviceInterface.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The pointers are valid; the reference string may be null.
    pub unsafe fn IoRegisterDeviceInterface(
        physical_device_object: *mut DEVICE_OBJECT,
        interface_class_guid: *const GUID,
        reference_string: *mut UNICODE_STRING,
        symbolic_link_name: *mut UNICODE_STRING,
    ) -> NTSTATUS {
        irql::require_exactly("IoRegisterDeviceInterface", PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        let reference = unsafe { string::text(reference_string) };
        // SAFETY: as the caller promises.
        let class = unsafe { *interface_class_guid };
        if !pool::admit() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        let (path, existed) = match register(physical_device_object, &class, &reference) {
            Ok(registered) => registered,
            Err(status) => return status,
        };
        let Some(name) = string::allocate(&path) else { return STATUS_INSUFFICIENT_RESOURCES };
        // SAFETY: as the caller promises.
        unsafe { symbolic_link_name.write(name) };
        if existed { STATUS_OBJECT_NAME_EXISTS } else { STATUS_SUCCESS }
    }

    /// wdm.h, IoSetDeviceInterfaceState. An interface that is not enabled must not be disabled:
    /// the removal of the device disables it, or the driver did so before.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The string is readable.
    pub unsafe fn IoSetDeviceInterfaceState(
        symbolic_link_name: *mut UNICODE_STRING,
        enable: BOOLEAN,
    ) -> NTSTATUS {
        const FUNCTION: &str = "IoSetDeviceInterfaceState";
        irql::require_exactly(FUNCTION, PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        let path = unsafe { string::text(symbolic_link_name) };
        if enable != 0 && !pool::admit() {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        let status = set_enabled(&path, enable != 0);
        if status == STATUS_OBJECT_NAME_NOT_FOUND {
            stop(
                Rule::BAD_ARGUMENT,
                FUNCTION,
                format_args!("the interface {path:?} is not registered, or not enabled"),
            );
        }
        status
    }
}
