//! The driver on nt-host, within the process of a test: adapters under capturing edges, driven by
//! their IOCTLs.
//!
//! One process is one NT machine with one set of the driver's statics. So each test runs in a
//! process of its own ([`alone`]), which also bounds its time and lets nobody else disturb it.

mod channel;
pub mod dco;
mod end;
mod memory;
mod packet;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nt_host::handle::Handle;
use nt_host::heap::DriverHeap;
use nt_host::ndis::{self, MiniportDriver};
use nt_host::{Driver, DriverSource, LoadError, Machine, MachineOptions, pool};
use nt_sys::io::{GENERIC_READ, GENERIC_WRITE};
use nt_sys::ntdef::NTSTATUS;

pub use self::channel::{Channel, Refused, TestKeys, multi_peer, peer_at};
pub use host_transport::HostFile;

pub use self::end::{End, Setup, add, add_as, connect, guid, open, path};
pub use self::memory::{every_allocation, every_allocation_until};
pub use self::packet::Step;
use crate::{command, image};

/// Memory that the driver's Rust code allocates counts as its own: it can run out, and be leaked.
#[global_allocator]
static HEAP: DriverHeap = DriverHeap;

/// The limit of waits for what has to happen; generous, as the machine may be busy.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The MTU of every adapter, in bytes.
pub const MTU_BYTES: usize = 1420;

/// Says which test a child process runs.
const CHILD: &str = "TUNIC_TEST_ALONE";

/// Runs a test's body in a process of its own, which must end well and in time. `test` is the name
/// of the test.
///
/// # Panics
/// When it does not, with all that it said.
pub fn alone(test: &str, timeout: Duration, body: impl FnOnce()) {
    alone_with(test, timeout, &[], body);
}

/// As [`alone`], in an environment with these variables.
///
/// # Panics
/// As [`alone`].
pub fn alone_with(test: &str, timeout: Duration, variables: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var(CHILD).as_deref() == Ok(test) {
        body();
        return;
    }
    let program = std::env::current_exe().expect("a test has a file");
    let path = path_of(&program, test);
    let arguments = [&*path, "--exact", "--nocapture", "--test-threads=1"];
    let mut child = Command::new(program);
    child.args(arguments).env(CHILD, test).envs(variables.iter().copied());
    let output = command::run(&mut child, b"", timeout)
        .and_then(command::Output::success)
        .unwrap_or_else(|error| panic!("{error:#}"));
    assert!(output.contains("1 passed"), "no test {test} ran: {output}");
    println!("{output}");
}

/// The path of a test by which libtest knows it: its modules and its name.
fn path_of(program: &Path, test: &str) -> String {
    let is_path = |path: &str| path == test || path.ends_with(&format!("::{test}"));
    // libtest gives threads the names of their tests, but with --test-threads=1 it makes none.
    let current = std::thread::current();
    if let Some(path) = current.name().filter(|name| is_path(name)) {
        return path.to_owned();
    }
    let mut list = Command::new(program);
    let list = command::run(list.args(["--list", "--format", "terse"]), b"", TIMEOUT)
        .and_then(command::Output::success)
        .unwrap_or_else(|error| panic!("{error:#}"));
    let mut paths = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let path = paths.find(|path| is_path(path));
    path.unwrap_or_else(|| panic!("no test {test}: {list}")).to_owned()
}

/// Boots the machine, with all that it can check: guard pages around pool memory, the order of
/// locks, verification of packets.
#[must_use]
pub fn boot() -> Machine {
    boot_with(MachineOptions { guard_pages: true, lock_order: true, ..MachineOptions::default() })
}

/// Boots the machine with other options.
#[must_use]
pub fn boot_with(options: MachineOptions) -> Machine {
    ndis::set_verification(true);
    Machine::boot(options)
}

/// The driver, loaded.
pub struct Loaded {
    machine: Machine,
    driver: Driver,
    miniport: MiniportDriver,
}

impl Loaded {
    /// Loads the driver: the [`image`], or the one that is linked with the test.
    ///
    /// # Errors
    /// The status of its entry point.
    ///
    /// # Panics
    /// When the image is broken.
    pub fn load(machine: Machine) -> Result<Self, NTSTATUS> {
        Self::load_from(machine, &image::source())
    }

    /// Loads another driver of the miniport.
    ///
    /// # Errors
    /// As [`Loaded::load`].
    ///
    /// # Panics
    /// As [`Loaded::load`].
    pub fn load_from(machine: Machine, source: &DriverSource) -> Result<Self, NTSTATUS> {
        let driver = match machine.load(source) {
            Err(LoadError::Entry(status)) => return Err(status),
            loaded => loaded.unwrap_or_else(|error| panic!("{source:?}: {error}")),
        };
        let miniport = MiniportDriver::of(driver.object()).expect("it is a miniport driver");
        Ok(Self { machine, driver, miniport })
    }

    /// The machine that it is on.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// What NDIS knows of it.
    #[must_use]
    pub fn miniport(&self) -> MiniportDriver {
        self.miniport.clone()
    }

    /// Opens an adapter by its name or GUID, or for an empty one the driver itself, for reading and
    /// writing.
    ///
    /// # Errors
    /// The status of the driver.
    pub fn open(&self, name: &str) -> Result<Handle, NTSTATUS> {
        self.machine.open(&format!(r"\Device\Tunic\{name}"), GENERIC_READ | GENERIC_WRITE)
    }

    /// Unloads it; the process stops when it leaves anything.
    pub fn unload(self) {
        self.driver.unload();
    }
}

/// Waits until the driver has no more blocks of memory than this.
///
/// # Panics
/// When it still has after [`TIMEOUT`].
pub fn wait_for_blocks(most: usize) {
    let is_done = || pool::usage().0 <= most;
    wait_until(is_done, || format!("{:?}, and not {most} blocks", pool::usage()));
}

/// Waits until something is so.
///
/// # Panics
/// When it is not so after [`TIMEOUT`], with what there is instead.
pub fn wait_until(mut is_done: impl FnMut() -> bool, explain: impl FnOnce() -> String) {
    let deadline = Instant::now() + TIMEOUT;
    while !is_done() {
        assert!(Instant::now() < deadline, "{}", explain());
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
