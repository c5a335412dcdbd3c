//! Loading and unloading a driver.

use core::ptr;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use nt_sys::io::{DRIVER_INITIALIZE, DRIVER_OBJECT, IO_TYPE_DRIVER};
use nt_sys::ntdef::{CSHORT, NT_SUCCESS, NTSTATUS, PASSIVE_LEVEL, ULONG, UNICODE_STRING};

use crate::callback;
use crate::handle;
use crate::heap;
use crate::image::{Image, LoadError};
use crate::io::{device, request};
use crate::irql;
use crate::ke::{dpc, lock_order, timer};
use crate::loaded;
use crate::ndis::MiniportDriver;
use crate::ob;
use crate::pool;
use crate::ps::thread;
use crate::retained;
use crate::rtl::string::OwnedString;
use crate::violation::{Rule, stop};

/// The number of loaded drivers.
static COUNT: Mutex<usize> = Mutex::new(0);

/// How long the object of a thread may outlive the last code that the driver can observe.
const SETTLE: Duration = Duration::from_secs(2);

/// A loaded driver. It stays loaded when this is dropped without [`Driver::unload`].
#[derive(Debug)]
pub struct Driver {
    object: *mut DRIVER_OBJECT,
    name: String,
    image: Option<Image>,
}

// SAFETY: the object belongs to this handle and to the driver, which is called from any thread.
unsafe impl Send for Driver {}

/// The result of an unload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnloadReport {
    /// What the driver left, one line each. Empty if it left nothing.
    pub leaks: Vec<String>,
}

/// A driver object and the data that it points to. The object comes first.
#[repr(C)]
struct Memory {
    object: DRIVER_OBJECT,
    name: OwnedString,
    registry_path: OwnedString,
    hardware_database: OwnedString,
    hardware: UNICODE_STRING,
}

/// The number of unloaded drivers whose objects are kept, so that a driver that runs after its
/// unload is reported and does not crash.
const KEPT: usize = 8;

/// The objects of unloaded drivers, in the order of their unloads.
static UNLOADED_OBJECTS: Mutex<VecDeque<Retired>> = Mutex::new(VecDeque::new());

struct Retired(#[expect(dead_code, reason = "only kept")] Box<Memory>);

// SAFETY: the value is only dropped.
unsafe impl Send for Retired {}

impl Driver {
    /// Loads a linked driver.
    pub(crate) fn load(name: &str, entry: DRIVER_INITIALIZE) -> Result<Self, NTSTATUS> {
        Self::start(name, entry, None)
    }

    /// Loads a driver from an image.
    pub(crate) fn load_image(name: &str, image: Image) -> Result<Self, LoadError> {
        Self::start(name, image.entry(), Some(image)).map_err(LoadError::Entry)
    }

    fn start(name: &str, entry: DRIVER_INITIALIZE, image: Option<Image>) -> Result<Self, NTSTATUS> {
        irql::require_exactly("load", PASSIVE_LEVEL);
        let mut memory = Memory::new(name, entry);
        let mut registry_path = memory.registry_path.view();
        if let Some(image) = &image {
            let range = image.module().range();
            memory.object.DriverStart = ptr::with_exposed_provenance_mut(range.start);
            memory.object.DriverSize = range.len() as ULONG;
        }
        let object = Box::into_raw(memory).cast::<DRIVER_OBJECT>();
        {
            let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
            if *count == 0 {
                lock_order::begin(image.is_some() || heap::is_named());
            }
            *count += 1;
            loaded::set_loaded(object);
        }
        let status = callback::enter_driver(|| {
            // SAFETY: the driver's entry point, with the documented arguments.
            unsafe { entry(object, &raw mut registry_path) }
        });
        let driver = Self { object, name: name.to_owned(), image };
        if NT_SUCCESS(status) {
            return Ok(driver);
        }
        // A driver whose DriverEntry fails must have released everything.
        require_nothing(&format!("{name}: DriverEntry"), &driver.leave());
        driver.take_away();
        Err(status)
    }

    /// The driver's object.
    #[must_use]
    pub fn object(&self) -> *mut DRIVER_OBJECT {
        self.object
    }

    /// Unloads the driver. Stops if it left anything.
    pub fn unload(self) -> UnloadReport {
        let function = format!("{}: DriverUnload", self.name);
        let leaks = self.unload_and_look();
        require_nothing(&function, &leaks);
        self.take_away();
        UnloadReport::default()
    }

    /// Unloads the driver and reports what it left.
    pub fn unload_reporting(self) -> UnloadReport {
        let leaks = self.unload_and_look();
        self.take_away();
        UnloadReport { leaks: leaks.into_iter().map(|(_, line)| line).collect() }
    }

    /// Unmaps an image at once. The driver object is freed later.
    fn take_away(self) {
        if let Some(image) = self.image {
            image.retire();
        }
        // SAFETY: created by `Box::into_raw`, and not used again.
        let memory = Retired(unsafe { Box::from_raw(self.object.cast::<Memory>()) });
        let mut unloaded = UNLOADED_OBJECTS.lock().unwrap_or_else(PoisonError::into_inner);
        unloaded.push_back(memory);
        if unloaded.len() > KEPT {
            unloaded.pop_front();
        }
    }

    fn unload_and_look(&self) -> Vec<(Rule, String)> {
        irql::require_exactly("unload", PASSIVE_LEVEL);
        let open = handle::left();
        if !open.is_empty() {
            stop(
                Rule::LEFT_AT_UNLOAD,
                "unload",
                format_args!("the host unloads a driver with files open: {}", open.join(", ")),
            );
        }
        // The I/O manager unloads a driver of PnP devices, as NDIS's are, when it has no device
        // objects left ("Unloading a driver", windows-driver-docs).
        // SAFETY: the object stays, and the driver is loaded.
        let has_devices = unsafe { !(*self.object).DeviceObject.is_null() };
        if has_devices && MiniportDriver::of(self.object).is_some() {
            let devices = device::left().join(", ");
            stop(
                Rule::LEFT_AT_UNLOAD,
                "unload",
                format_args!("device objects keep the driver from being unloaded: {devices}"),
            );
        }
        // SAFETY: the object stays, and the driver is loaded.
        let Some(unload) = (unsafe { (*self.object).DriverUnload }) else {
            stop(Rule::LEFT_AT_UNLOAD, "unload", format_args!("the driver has no DriverUnload"));
        };
        callback::enter_driver(|| {
            // SAFETY: the driver's unload routine, with its object.
            unsafe { unload(self.object) };
        });
        self.leave()
    }

    /// Lists what the driver left. From then on, the driver counts as unloaded.
    fn leave(&self) -> Vec<(Rule, String)> {
        dpc::flush();
        let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        // While another driver is loaded, its objects cannot be told from those that are left.
        if *count != 0 {
            return Vec::new();
        }
        let deadline = Instant::now() + SETTLE;
        let leaks = loop {
            let leaks = left();
            // The end of a thread is signalled before its object is released.
            let settling = leaks.iter().any(|(_, line)| line.contains(thread::SYSTEM_THREAD));
            if !settling || Instant::now() >= deadline {
                break leaks;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        loaded::set_unloaded();
        pool::check();
        pool::forget();
        lock_order::end();
        retained::release();
        leaks
    }
}

/// Everything that the drivers left.
fn left() -> Vec<(Rule, String)> {
    let objects = [
        thread::left(),
        ob::left(thread::SYSTEM_THREAD),
        ob::handles_left(),
        timer::left(),
        device::left(),
    ];
    request::left()
        .into_iter()
        .map(|line| (Rule::LOST_IRP, line))
        .chain(objects.into_iter().flatten().map(|line| (Rule::LEFT_AT_UNLOAD, line)))
        .chain(loaded::left().into_iter().map(|line| (Rule::LEFT_AT_UNLOAD, line)))
        .chain(pool::leaks().into_iter().map(|line| (Rule::POOL_LEAK, line)))
        .collect()
}

fn require_nothing(function: &str, leaks: &[(Rule, String)]) {
    if let Some((rule, _)) = leaks.first() {
        let lines: Vec<&str> = leaks.iter().map(|(_, line)| line.as_str()).collect();
        stop(*rule, function, format_args!("{}", lines.join("; ")));
    }
}

impl Memory {
    fn new(name: &str, entry: DRIVER_INITIALIZE) -> Box<Self> {
        let services = r"\Registry\Machine\System\CurrentControlSet\Services";
        let mut hardware_database =
            OwnedString::new(r"\Registry\Machine\Hardware\Description\System");
        let mut memory = Box::new(Self {
            // SAFETY: all zeros is a value of this type.
            object: unsafe { core::mem::zeroed() },
            name: OwnedString::new(&format!(r"\Driver\{name}")),
            registry_path: OwnedString::new(&format!(r"{services}\{name}")),
            hardware: hardware_database.view(),
            hardware_database,
        });
        memory.object.Type = IO_TYPE_DRIVER;
        memory.object.Size = size_of::<DRIVER_OBJECT>() as CSHORT;
        memory.object.DriverName = memory.name.view();
        memory.object.HardwareDatabase = &raw mut memory.hardware;
        memory.object.DriverInit = Some(entry);
        memory
    }
}
