//! The machine: boots once in a process, loads drivers, opens their devices.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nt_sys::io::DRIVER_INITIALIZE;
use nt_sys::ntdef::{ACCESS_MASK, NTSTATUS};

use crate::driver::Driver;
use crate::fault;
use crate::handle::{self, Handle};
use crate::image::{Image, LoadError};
use crate::ke::{lock_order, processor};
use crate::ndis;
use crate::pool;
use crate::rtl::debug_print;

/// How a machine is booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOptions {
    /// Whether pool memory lies before guard pages, and vanishes when it is freed. Slow, and exact.
    pub guard_pages: bool,
    /// Processors that the driver sees; none is as many as the process may use.
    pub processors: Option<usize>,
    /// What the driver prints is shown up to this level: 0 errors, 1 warnings, 2 trace, 3
    /// information.
    pub debug_level: u32,
    /// How long after the cleanup of a file its IRPs may be pending.
    pub cleanup_timeout: Duration,
    /// Whether locks that are acquired in one order and in the opposite one are told, as Driver
    /// Verifier's Deadlock Detection does. Those of a linked driver are only watched where the
    /// process's allocator is [`DriverHeap`](crate::heap::DriverHeap), which knows what memory the
    /// driver frees.
    pub lock_order: bool,
    /// Whether the functions of images are written down in `/tmp/perf-PID.map`, where `perf` looks
    /// for their names.
    pub perf_map: bool,
}

impl Default for MachineOptions {
    fn default() -> Self {
        Self {
            guard_pages: false,
            processors: None,
            debug_level: 1,
            cleanup_timeout: handle::DEFAULT_CLEANUP_TIMEOUT,
            lock_order: false,
            perf_map: false,
        }
    }
}

/// Where a driver comes from.
#[derive(Clone, Debug)]
pub enum DriverSource {
    /// It is linked with this process.
    Linked {
        /// Its name.
        name: &'static str,
        /// Its entry point.
        entry: DRIVER_INITIALIZE,
    },
    /// It is the file that Windows loads.
    Image(PathBuf),
}

impl fmt::Display for DriverSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linked { name, .. } => write!(f, "the linked driver {name}"),
            Self::Image(path) => write!(f, "the image {}", path.display()),
        }
    }
}

static OPTIONS: OnceLock<MachineOptions> = OnceLock::new();

/// The machine that this process is.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    _booted: (),
}

impl Machine {
    /// Boots the machine.
    ///
    /// # Panics
    /// When it was booted before with other options: one process is one machine.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "callers make the options in place")]
    pub fn boot(options: MachineOptions) -> Self {
        let booted = OPTIONS.get_or_init(|| {
            if let Some(processors) = options.processors {
                processor::set_count(processors);
            }
            pool::guard_pages(options.guard_pages);
            lock_order::want(options.lock_order);
            debug_print::set_level(options.debug_level);
            handle::set_cleanup_timeout(options.cleanup_timeout);
            fault::install();
            options.clone()
        });
        assert_eq!(*booted, options, "the machine was booted with other options");
        Self { _booted: () }
    }

    /// Loads a driver from where it is.
    ///
    /// # Errors
    /// As of [`Machine::load_linked`] and [`Machine::load_image`].
    pub fn load(&self, source: &DriverSource) -> Result<Driver, LoadError> {
        match source {
            DriverSource::Linked { name, entry } => {
                self.load_linked(name, *entry).map_err(LoadError::Entry)
            }
            DriverSource::Image(path) => self.load_image(path),
        }
    }

    /// Loads a driver that is linked with this process: calls its entry point with a new driver
    /// object and the path `\Registry\Machine\System\CurrentControlSet\Services\<name>`.
    ///
    /// # Errors
    /// The status of the entry point.
    pub fn load_linked(&self, name: &str, entry: DRIVER_INITIALIZE) -> Result<Driver, NTSTATUS> {
        Driver::load(name, entry)
    }

    /// Loads a driver from the file that Windows loads, under the name of the file without its
    /// extension. From then on it is as one that is linked.
    ///
    /// # Errors
    /// What is wrong with the file, or the status of its entry point.
    pub fn load_image(&self, path: &Path) -> Result<Driver, LoadError> {
        let image = Image::load(path)?;
        if OPTIONS.get().is_some_and(|options| options.perf_map) {
            image.write_perf_map();
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Driver::load_image(&name, image)
    }

    /// Opens a device by its path, as CreateFile does: `\Device\Name`, a symbolic link (`\??\Name`,
    /// `\\.\Name`), each with a file's name behind (`\Device\Name\file`).
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_NOT_FOUND when there is no such device; else the status of the driver.
    pub fn open(&self, path: &str, access: ACCESS_MASK) -> Result<Handle, NTSTATUS> {
        Handle::open(path, access)
    }

    /// Opens a device that NDIS registered, as an administrator or as another user. The device's
    /// security descriptor is checked first.
    ///
    /// # Errors
    /// STATUS_ACCESS_DENIED when the descriptor does not grant the access; else those of
    /// [`Machine::open`].
    pub fn open_as(
        &self,
        path: &str,
        access: ACCESS_MASK,
        administrator: bool,
    ) -> Result<Handle, NTSTATUS> {
        ndis::device::check_access(path, access, administrator)?;
        self.open(path, access)
    }
}
