//! A driver for tests, whose routines the test sets.

use std::sync::Mutex;

use nt_host::io::device::{self, MajorFunctions};
use nt_host::{Driver, Machine, MachineOptions};
use nt_sys::io::{
    DEVICE_OBJECT, DRIVER_OBJECT, IO_STACK_LOCATION, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE,
    IRP_MJ_COUNT, IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_READ, IRP_MJ_WRITE,
    IofCompleteRequest,
};
use nt_sys::ntdef::{NTSTATUS, UNICODE_STRING};
use nt_sys::status::STATUS_SUCCESS;

/// The routines of the driver, which run on the driver's stack.
#[derive(Clone, Copy)]
pub(crate) struct Routines {
    pub(crate) entry: fn(),
    pub(crate) unload: fn(),
    /// Device controls, reads and writes.
    pub(crate) control: fn(*mut IRP) -> NTSTATUS,
    pub(crate) cleanup: fn(),
}

impl Routines {
    /// A driver that only completes its requests.
    pub(crate) const fn idle() -> Self {
        Self {
            entry: || {},
            unload: || {},
            control: |irp| complete(irp, STATUS_SUCCESS, 0),
            cleanup: || {},
        }
    }
}

static ROUTINES: Mutex<Routines> = Mutex::new(Routines::idle());
static DEVICE: Mutex<usize> = Mutex::new(0);

/// The device's name.
pub(crate) const DEVICE_NAME: &str = r"\Device\Test";

/// Boots the machine and loads the driver.
pub(crate) fn load(options: MachineOptions, routines: Routines) -> (Machine, Driver) {
    *ROUTINES.lock().expect("no test panics with it") = routines;
    let machine = Machine::boot(options);
    let driver = machine.load_linked("test", driver_entry).expect("the entry point succeeds");
    (machine, driver)
}

/// Completes an IRP.
pub(crate) fn complete(irp: *mut IRP, status: NTSTATUS, information: usize) -> NTSTATUS {
    // SAFETY: the dispatch routine owns the IRP.
    unsafe { (*irp).IoStatus.Status = status };
    // SAFETY: the dispatch routine owns the IRP until it completes it.
    unsafe { (*irp).IoStatus.Information = information };
    // SAFETY: the dispatch routine owns the IRP, and does not use it afterwards.
    unsafe { IofCompleteRequest(irp, 0) };
    status
}

/// `IoGetCurrentIrpStackLocation`.
pub(crate) fn location(irp: *mut IRP) -> *mut IO_STACK_LOCATION {
    // SAFETY: the dispatch routine owns the IRP.
    let overlay = unsafe { &raw const (*irp).Tail };
    // SAFETY: this part of the union is the drivers'.
    unsafe { (*overlay.cast::<nt_sys::io::IRP_TAIL_OVERLAY>()).CurrentStackLocation }
}

fn routines() -> Routines {
    *ROUTINES.lock().expect("no test panics with it")
}

unsafe extern "efiapi" fn driver_entry(
    driver: *mut DRIVER_OBJECT,
    _registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    // SAFETY: the object of this driver.
    unsafe { (*driver).DriverUnload = Some(driver_unload) };
    let mut table: MajorFunctions = [None; IRP_MJ_COUNT];
    for (major, routine) in [
        (IRP_MJ_CREATE, plain as nt_sys::io::DRIVER_DISPATCH),
        (IRP_MJ_CLOSE, plain),
        (IRP_MJ_CLEANUP, cleanup),
        (IRP_MJ_DEVICE_CONTROL, control),
        (IRP_MJ_READ, control),
        (IRP_MJ_WRITE, control),
    ] {
        table[usize::from(major)] = Some(routine);
    }
    let device = match device::create(DEVICE_NAME, Some(r"\DosDevices\Test"), &table, 32) {
        Ok(device) => device,
        Err(status) => return status,
    };
    *DEVICE.lock().expect("no test panics with it") = device.expose_provenance();
    (routines().entry)();
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn driver_unload(_driver: *mut DRIVER_OBJECT) {
    (routines().unload)();
    let device = *DEVICE.lock().expect("no test panics with it");
    device::delete(core::ptr::with_exposed_provenance_mut(device));
}

unsafe extern "efiapi" fn plain(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    complete(irp, STATUS_SUCCESS, 0)
}

unsafe extern "efiapi" fn cleanup(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    (routines().cleanup)();
    complete(irp, STATUS_SUCCESS, 0)
}

unsafe extern "efiapi" fn control(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    (routines().control)(irp)
}
