//! The machine, which is booted once in a process. It loads drivers and opens their devices.

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
use crate::se::Token;

/// Options of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineOptions {
    /// Whether each pool block ends at a guard page and becomes inaccessible when it is freed.
    /// Slow, and exact.
    pub guard_pages: bool,
    /// The number of processors that the driver sees. The default is the number of CPUs of the
    /// process.
    pub processors: Option<usize>,
    /// The highest level of the driver's debug output that is printed: 0 errors, 1 warnings, 2
    /// trace, 3 information.
    pub debug_level: u32,
    /// How long the IRPs of a file may be pending after its cleanup.
    pub cleanup_timeout: Duration,
    /// Whether locks that are acquired in opposite orders are reported, as by Driver Verifier's
    /// Deadlock Detection. The locks of a linked driver are watched only if the global allocator of
    /// the process is [`DriverHeap`](crate::heap::DriverHeap), which reports the memory that the
    /// driver frees.
    pub lock_order: bool,
    /// Whether the functions of images are written to `/tmp/perf-PID.map`, from which `perf` takes
    /// their names.
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

/// The source of a driver.
#[derive(Clone, Debug)]
pub enum DriverSource {
    /// The driver is linked with this process.
    Linked {
        /// Its name.
        name: &'static str,
        /// Its entry point.
        entry: DRIVER_INITIALIZE,
    },
    /// The driver is the file that Windows loads.
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

/// The machine, which is the process.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    _booted: (),
}

impl Machine {
    /// Boots the machine.
    ///
    /// # Panics
    /// Panics if it was booted before with other options: a process is one machine.
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

    /// Loads a driver from its source.
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

    /// Loads a linked driver: calls its entry point with a new driver object and the path
    /// `\Registry\Machine\System\CurrentControlSet\Services\<name>`.
    ///
    /// # Errors
    /// The status of the entry point.
    pub fn load_linked(&self, name: &str, entry: DRIVER_INITIALIZE) -> Result<Driver, NTSTATUS> {
        Driver::load(name, entry)
    }

    /// Loads a driver from the file that Windows loads. Its name is that of the file without the
    /// extension. Once loaded, it is used as a linked driver.
    ///
    /// # Errors
    /// The error in the file, or the status of its entry point.
    pub fn load_image(&self, path: &Path) -> Result<Driver, LoadError> {
        let image = Image::load(path)?;
        if OPTIONS.get().is_some_and(|options| options.perf_map) {
            image.write_perf_map();
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        Driver::load_image(&name, image)
    }

    /// Opens a device by its path, as CreateFile does: `\Device\Name` or a symbolic link
    /// (`\??\Name`, `\\.\Name`), optionally followed by the name of a file (`\Device\Name\file`).
    ///
    /// # Errors
    /// STATUS_OBJECT_NAME_NOT_FOUND if there is no such device; otherwise the status of the driver.
    pub fn open(&self, path: &str, access: ACCESS_MASK) -> Result<Handle, NTSTATUS> {
        Handle::open(path, access, &Token::administrator())
    }

    /// Opens a device as an administrator or as another user. The security descriptor of the
    /// device, which NDIS registered or whose devnode has one, is checked first. Requests of the
    /// file are sent by the same user.
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
        let token = if administrator { Token::administrator() } else { Token::user() };
        self.open_by(path, access, &token)
    }

    /// As [`Machine::open_as`], by somebody with this token.
    ///
    /// # Errors
    /// As [`Machine::open_as`].
    pub fn open_by(
        &self,
        path: &str,
        access: ACCESS_MASK,
        token: &Token,
    ) -> Result<Handle, NTSTATUS> {
        ndis::device::check_access(path, access, token.is_administrator())?;
        Handle::open(path, access, token)
    }
}
