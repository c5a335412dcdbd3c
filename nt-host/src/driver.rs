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
use crate::ob;
use crate::pool;
use crate::ps::thread;
use crate::retained;
use crate::rtl::string::OwnedString;
use crate::violation::{Rule, stop};

/// How many drivers are loaded.
static COUNT: Mutex<usize> = Mutex::new(0);

/// How long a thread that has ended, for all the driver can know, may take to be gone.
const SETTLE: Duration = Duration::from_secs(2);

/// A loaded driver. It stays loaded when this is dropped without [`Driver::unload`].
#[derive(Debug)]
pub struct Driver {
    object: *mut DRIVER_OBJECT,
    name: String,
    image: Option<Image>,
}

// SAFETY: the object belongs to this and to the driver, which is called from any thread.
unsafe impl Send for Driver {}

/// What was found at an unload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnloadReport {
    /// What the driver left, one line for each; empty when all is well.
    pub leaks: Vec<String>,
}

/// A driver object with what it points to. The object comes first.
#[repr(C)]
struct Memory {
    object: DRIVER_OBJECT,
    name: OwnedString,
    registry_path: OwnedString,
    hardware_database: OwnedString,
    hardware: UNICODE_STRING,
}

/// How many drivers keep their objects after their unload: one that runs after it shall be told so,
/// and not crash.
const KEPT: usize = 8;

/// The objects of drivers that were unloaded, the latest last.
static UNLOADED_OBJECTS: Mutex<VecDeque<Retired>> = Mutex::new(VecDeque::new());

struct Retired(#[expect(dead_code, reason = "only kept")] Box<Memory>);

// SAFETY: nothing is done with it but to drop it.
unsafe impl Send for Retired {}

impl Driver {
    /// Loads a driver that is linked.
    pub(crate) fn load(name: &str, entry: DRIVER_INITIALIZE) -> Result<Self, NTSTATUS> {
        Self::start(name, entry, None)
    }

    /// Loads a driver that is an image.
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
            // SAFETY: the driver's entry point, with what the documentation says it gets.
            unsafe { entry(object, &raw mut registry_path) }
        });
        let driver = Self { object, name: name.to_owned(), image };
        if NT_SUCCESS(status) {
            return Ok(driver);
        }
        // A driver that fails to load has to have taken everything back.
        require_nothing(&format!("{name}: DriverEntry"), &driver.leave());
        driver.take_away();
        Err(status)
    }

    /// The driver's object.
    #[must_use]
    pub fn object(&self) -> *mut DRIVER_OBJECT {
        self.object
    }

    /// Unloads the driver, and stops with what it left, if anything.
    pub fn unload(self) -> UnloadReport {
        let function = format!("{}: DriverUnload", self.name);
        let leaks = self.unload_and_look();
        require_nothing(&function, &leaks);
        self.take_away();
        UnloadReport::default()
    }

    /// Unloads the driver, and reports what it left.
    pub fn unload_reporting(self) -> UnloadReport {
        let leaks = self.unload_and_look();
        self.take_away();
        UnloadReport { leaks: leaks.into_iter().map(|(_, line)| line).collect() }
    }

    /// The driver's object goes from memory in the end, and what is an image at once.
    fn take_away(self) {
        if let Some(image) = self.image {
            image.retire();
        }
        // SAFETY: made by `Box::into_raw` of this, and given up here.
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

    /// Looks for what is left; from then on, the driver is gone.
    fn leave(&self) -> Vec<(Rule, String)> {
        dpc::flush();
        let mut count = COUNT.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        // What is left can't be told apart while another driver is loaded.
        if *count != 0 {
            return Vec::new();
        }
        let deadline = Instant::now() + SETTLE;
        let leaks = loop {
            let leaks = left();
            // The end of a thread is told before its object is gone.
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

/// Everything that is left of the drivers.
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
