//! Devices and their names.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, DO_DEVICE_INITIALIZING, DRIVER_DISPATCH, DRIVER_OBJECT, FILE_DEVICE_NETWORK,
    IO_TYPE_DEVICE, IRP_MJ_COUNT,
};
use nt_sys::ntdef::{
    APC_LEVEL, BOOLEAN, DEVICE_TYPE, NTSTATUS, PASSIVE_LEVEL, ULONG, UNICODE_STRING, USHORT,
};
use nt_sys::status::{
    STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
};

use crate::irql;
use crate::loaded;
use crate::ob;
use crate::pool;
use crate::rtl::string;
use crate::stack;
use crate::violation::{Rule, stop};

/// Dispatch routines, by major function code.
pub type MajorFunctions = [Option<DRIVER_DISPATCH>; IRP_MJ_COUNT];

/// A device object with the host's data for it. The object comes first.
#[repr(C)]
struct Device {
    object: DEVICE_OBJECT,
    extension: Vec<u128>,
    /// The routines that NDIS was given for the device. They stay until its last file is closed.
    routines: Option<MajorFunctions>,
}

struct Entry {
    /// In lower case: names of devices are not case-sensitive.
    name: Option<String>,
    /// The device's own dispatch routines; none if its driver's are used.
    major_functions: Option<MajorFunctions>,
}

#[derive(Default)]
struct Devices {
    by_address: BTreeMap<usize, Entry>,
    /// From symbolic links to names, both in lower case.
    links: BTreeMap<String, String>,
}

static DEVICES: Mutex<Devices> =
    Mutex::new(Devices { by_address: BTreeMap::new(), links: BTreeMap::new() });

/// Creates a device with dispatch routines of its own, as NdisRegisterDeviceEx does, for the driver
/// that was loaded last.
///
/// # Errors
/// STATUS_OBJECT_NAME_COLLISION when one of the names is taken; STATUS_INSUFFICIENT_RESOURCES in
/// low-resources simulation.
pub fn create(
    name: &str,
    symbolic_link: Option<&str>,
    major_functions: &MajorFunctions,
    extension_bytes: usize,
) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    let _host = stack::leave_driver_code();
    let new = New {
        driver: loaded::current_object(),
        name: Some(name),
        kind: FILE_DEVICE_NETWORK,
        major_functions: Some(*major_functions),
        routines: None,
        extension_bytes,
    };
    add_linked(&new, name, symbolic_link)
}

/// Creates a device whose requests go to the driver's routines, which pass them on to NDIS, which
/// has these for it.
pub(crate) fn create_registered(
    driver: *mut DRIVER_OBJECT,
    name: &str,
    symbolic_link: Option<&str>,
    routines: &MajorFunctions,
) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    let new = New {
        driver,
        name: Some(name),
        kind: FILE_DEVICE_NETWORK,
        major_functions: None,
        routines: Some(*routines),
        extension_bytes: 0,
    };
    add_linked(&new, name, symbolic_link)
}

/// Adds a device and its symbolic link, and lets it be opened.
fn add_linked(
    new: &New<'_>,
    name: &str,
    symbolic_link: Option<&str>,
) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    let device = add(new)?;
    if let Some(link) = symbolic_link
        && let Err(status) = add_link(link, name)
    {
        delete(device);
        return Err(status);
    }
    // SAFETY: the device was just made.
    unsafe { (*device).Flags &= !DO_DEVICE_INITIALIZING };
    Ok(device)
}

/// The routines of a device of [`create_registered`].
///
/// # Safety
/// The caller has a reference to the device.
pub(crate) unsafe fn registered_routines(device: *mut DEVICE_OBJECT) -> Option<MajorFunctions> {
    // SAFETY: all devices are made by `make`, and as the caller promises.
    unsafe { (*device.cast::<Device>()).routines }
}

/// Creates the physical device object of a devnode.
pub(crate) fn make_physical(kind: DEVICE_TYPE) -> *mut DEVICE_OBJECT {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!(r"\Device\{:08x}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let device = make(&New { name: Some(&name), ..New::unnamed(ptr::null_mut(), kind) });
    // SAFETY: the device was just made.
    unsafe { (*device).Flags &= !DO_DEVICE_INITIALIZING };
    device
}

/// Creates the functional device object that NDIS attaches.
pub(crate) fn make_functional(
    driver: *mut DRIVER_OBJECT,
    kind: DEVICE_TYPE,
    extension_bytes: usize,
) -> *mut DEVICE_OBJECT {
    make(&New { extension_bytes, ..New::unnamed(driver, kind) })
}

/// The name of a device; empty for none.
pub(crate) fn name_of(device: *mut DEVICE_OBJECT) -> String {
    let devices = lock();
    devices.by_address.get(&device.addr()).and_then(|entry| entry.name.clone()).unwrap_or_default()
}

/// Deletes a device and its symbolic links. The object stays until its last file is closed.
///
/// Any pointer may be passed: one that is no device's stops.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "only a pointer found in the table is used")]
pub fn delete(device: *mut DEVICE_OBJECT) {
    let _host = stack::leave_driver_code();
    let mut devices = lock();
    let Some(entry) = devices.by_address.remove(&device.addr()) else {
        drop(devices);
        stop(Rule::BAD_OBJECT, "IoDeleteDevice", format_args!("there is no device at {device:p}"));
    };
    if let Some(name) = entry.name {
        devices.links.retain(|_, target| *target != name);
    }
    drop(devices);
    // SAFETY: the device was just removed from the table, whose reference keeps it.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: a device's driver is loaded.
    unsafe { unlink(driver, device) };
    // SAFETY: the table's reference.
    unsafe { ob::dereference("IoDeleteDevice", device.cast()) };
}

/// Finds the device at the beginning of a path. Returns a reference to it, and the rest of the
/// path.
pub(crate) fn find(path: &str) -> Result<(*mut DEVICE_OBJECT, String), NTSTATUS> {
    let devices = lock();
    let lower = normalized(path);
    // The longest match wins. A link is replaced by its target, with the rest of the path appended.
    let link = devices.links.iter().filter(|(link, _)| is_prefix(link, &lower));
    let resolved = match link.max_by_key(|(link, _)| link.len()) {
        Some((link, target)) => (target.len(), format!("{target}{}", &lower[link.len()..])),
        None => (0, lower.clone()),
    };
    let found = devices
        .by_address
        .iter()
        .filter_map(|(address, entry)| Some((address, entry.name.as_ref()?)))
        .filter(|(_, name)| is_prefix(name, &resolved.1))
        .max_by_key(|(_, name)| name.len());
    let Some((address, name)) = found else { return Err(STATUS_OBJECT_NAME_NOT_FOUND) };
    // The rest with its original case: the same number of bytes at the end of the path.
    let rest_bytes = resolved.1.len() - name.len();
    let start = lower.len() - rest_bytes;
    let rest = original_end(path, lower.len() - start);
    let device = ptr::with_exposed_provenance_mut::<DEVICE_OBJECT>(*address);
    // SAFETY: the table has a reference, and is locked.
    unsafe { ob::reference("open", device.cast()) };
    Ok((device, rest))
}

/// The dispatch routine of a device for a major function code.
pub(crate) fn dispatch_routine(device: *mut DEVICE_OBJECT, major: u8) -> Option<DRIVER_DISPATCH> {
    let own = lock().by_address.get(&device.addr()).and_then(|entry| entry.major_functions);
    if let Some(table) = own {
        return table.get(usize::from(major)).copied().flatten();
    }
    // SAFETY: the caller has a reference to the device.
    let driver = unsafe { (*device).DriverObject };
    // SAFETY: null, or the driver of a device, which is loaded.
    let driver = unsafe { driver.as_ref() }?;
    driver.MajorFunction.get(usize::from(major)).copied().flatten()
}

/// Lists the devices that are not deleted, one line each.
pub(crate) fn left() -> Vec<String> {
    let devices = lock();
    devices
        .by_address
        .values()
        .map(|entry| format!("device {} not deleted", entry.name.as_deref().unwrap_or("(no name)")))
        .chain(devices.links.keys().map(|link| format!("symbolic link {link} not deleted")))
        .collect()
}

export! { "ntoskrnl.exe";
    /// wdm.h, IoCreateDevice.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// The pointers are valid; `device_name` may be null.
    pub unsafe fn IoCreateDevice(
        driver_object: *mut DRIVER_OBJECT,
        device_extension_size: ULONG,
        device_name: *mut UNICODE_STRING,
        device_type: DEVICE_TYPE,
        characteristics: ULONG,
        _exclusive: BOOLEAN,
        device_object: *mut *mut DEVICE_OBJECT,
    ) -> NTSTATUS {
        irql::require_at_most("IoCreateDevice", APC_LEVEL);
        // SAFETY: as the caller promises.
        let name = unsafe { device_name.as_ref() };
        // SAFETY: as the caller promises.
        let name = name.map(|name| unsafe { string::to_string(name) });
        let bytes = device_extension_size as usize;
        let new = New {
            name: name.as_deref(),
            extension_bytes: bytes,
            ..New::unnamed(driver_object, device_type)
        };
        match add(&new) {
            Ok(device) => {
                // SAFETY: the device was just made.
                unsafe { (*device).Characteristics = characteristics };
                // SAFETY: as the caller promises.
                unsafe { device_object.write(device) };
                STATUS_SUCCESS
            }
            Err(status) => status,
        }
    }

    /// wdm.h, IoDeleteDevice.
    ///
    /// # IRQL
    /// <= APC_LEVEL.
    ///
    /// # Safety
    /// The driver does not use the device any more.
    pub unsafe fn IoDeleteDevice(device_object: *mut DEVICE_OBJECT) {
        irql::require_at_most("IoDeleteDevice", APC_LEVEL);
        delete(device_object);
    }

    /// wdm.h, IoCreateSymbolicLink.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// Both strings are readable.
    pub unsafe fn IoCreateSymbolicLink(
        symbolic_link_name: *mut UNICODE_STRING,
        device_name: *mut UNICODE_STRING,
    ) -> NTSTATUS {
        irql::require_exactly("IoCreateSymbolicLink", PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        let link = unsafe { &*symbolic_link_name };
        // SAFETY: as the caller promises.
        let link = unsafe { string::to_string(link) };
        // SAFETY: as the caller promises.
        let name = unsafe { &*device_name };
        // SAFETY: as the caller promises.
        let name = unsafe { string::to_string(name) };
        add_link(&link, &name).err().unwrap_or(STATUS_SUCCESS)
    }

    /// wdm.h, IoDeleteSymbolicLink.
    ///
    /// # IRQL
    /// PASSIVE_LEVEL.
    ///
    /// # Safety
    /// The string is readable.
    pub unsafe fn IoDeleteSymbolicLink(symbolic_link_name: *mut UNICODE_STRING) -> NTSTATUS {
        irql::require_exactly("IoDeleteSymbolicLink", PASSIVE_LEVEL);
        // SAFETY: as the caller promises.
        let link = unsafe { &*symbolic_link_name };
        // SAFETY: as the caller promises.
        let link = unsafe { string::to_string(link) };
        if remove_link(&link) { STATUS_SUCCESS } else { STATUS_OBJECT_NAME_NOT_FOUND }
    }
}

/// A device to be made.
struct New<'a> {
    driver: *mut DRIVER_OBJECT,
    name: Option<&'a str>,
    kind: DEVICE_TYPE,
    major_functions: Option<MajorFunctions>,
    routines: Option<MajorFunctions>,
    extension_bytes: usize,
}

impl New<'_> {
    fn unnamed(driver: *mut DRIVER_OBJECT, kind: DEVICE_TYPE) -> Self {
        Self { driver, name: None, kind, major_functions: None, routines: None, extension_bytes: 0 }
    }
}

/// Makes a device, for a driver's call.
fn add(new: &New<'_>) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
    if !pool::admit() {
        return Err(STATUS_INSUFFICIENT_RESOURCES);
    }
    let name = new.name.map(normalized);
    if name.is_some() && lock().by_address.values().any(|entry| entry.name == name) {
        return Err(STATUS_OBJECT_NAME_COLLISION);
    }
    Ok(make(new))
}

fn make(new: &New<'_>) -> *mut DEVICE_OBJECT {
    let New { driver, name, kind, major_functions, routines, extension_bytes } = *new;
    let name = name.map(normalized);
    let mut devices = lock();
    // SAFETY: all zeros is a value of this type.
    let mut object: DEVICE_OBJECT = unsafe { core::mem::zeroed() };
    object.Type = IO_TYPE_DEVICE;
    object.Size = size_of::<DEVICE_OBJECT>() as USHORT;
    object.DriverObject = driver;
    object.DeviceType = kind;
    object.StackSize = 1;
    object.Flags = DO_DEVICE_INITIALIZING;
    let mut extension = vec![0_u128; extension_bytes.div_ceil(16)];
    if extension_bytes != 0 {
        object.DeviceExtension = extension.as_mut_ptr().cast::<c_void>();
    }
    // SAFETY: null, or the driver's own object.
    if let Some(driver) = unsafe { driver.as_mut() } {
        object.NextDevice = driver.DeviceObject;
    }
    let device =
        ob::create("device", Device { object, extension, routines }).cast::<DEVICE_OBJECT>();
    // SAFETY: null, or the driver's own object.
    if let Some(driver) = unsafe { driver.as_mut() } {
        driver.DeviceObject = device;
    }
    devices.by_address.insert(device.expose_provenance(), Entry { name, major_functions });
    device
}

/// Removes a symbolic link. Returns whether there was one.
pub(crate) fn remove_link(link: &str) -> bool {
    lock().links.remove(&normalized(link)).is_some()
}

/// Adds a symbolic link to a device, or to a file on it.
pub(crate) fn add_link(link: &str, name: &str) -> Result<(), NTSTATUS> {
    let mut devices = lock();
    let link = normalized(link);
    if devices.links.contains_key(&link) {
        return Err(STATUS_OBJECT_NAME_COLLISION);
    }
    devices.links.insert(link, normalized(name));
    Ok(())
}

/// Removes a device from its driver's list.
///
/// # Safety
/// `driver` is null or valid, with its devices.
unsafe fn unlink(driver: *mut DRIVER_OBJECT, device: *mut DEVICE_OBJECT) {
    // SAFETY: as the caller promises.
    let Some(driver) = (unsafe { driver.as_mut() }) else { return };
    let mut link = &raw mut driver.DeviceObject;
    loop {
        // SAFETY: the list's head, or the link of a device on it.
        let next = unsafe { *link };
        if next.is_null() {
            return;
        }
        // SAFETY: a device on the list.
        let after = unsafe { &raw mut (*next).NextDevice };
        if next == device {
            // SAFETY: a device on the list is valid.
            let after = unsafe { *after };
            // SAFETY: a device on the list is valid.
            unsafe { *link = after };
            return;
        }
        link = after;
    }
}

/// Converts a name to lower case, with one spelling of the directory of links: `\\.\X`,
/// `\DosDevices\X` and `\GLOBAL??\X` become `\??\X`.
fn normalized(path: &str) -> String {
    let lower = path.to_lowercase();
    for other in [r"\\.\", r"\\?\", r"\dosdevices\", r"\global??\"] {
        if let Some(rest) = lower.strip_prefix(other) {
            return format!(r"\??\{rest}");
        }
    }
    lower
}

/// The last `bytes` bytes of a path. Lower case has the same length for all characters in names of
/// devices.
fn original_end(path: &str, bytes: usize) -> String {
    let start = path.len().saturating_sub(bytes);
    path.get(start..).unwrap_or_default().to_owned()
}

/// Whether `path` is `name`, or a path below it.
fn is_prefix(name: &str, path: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('\\'))
}

fn lock() -> MutexGuard<'static, Devices> {
    DEVICES.lock().unwrap_or_else(PoisonError::into_inner)
}
