//! Devnodes: devices that the PnP manager knows, their stacks, and their removal.
//!
//! A devnode has a physical device object, of its bus, and above it the functional device object
//! that its driver attaches. Files are opened on the first by its device interfaces, and go to the
//! top of the stack. The PnP manager's requests are IRP_MJ_PNP.

use core::ptr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, DO_DEVICE_INITIALIZING, FILE_DEVICE_SECURE_OPEN, FILE_DEVICE_UNKNOWN,
    IRP_MN_CANCEL_REMOVE_DEVICE, IRP_MN_QUERY_REMOVE_DEVICE, IRP_MN_REMOVE_DEVICE,
    IRP_MN_START_DEVICE, IRP_MN_SURPRISE_REMOVAL,
};
use nt_sys::ntdef::{ACCESS_MASK, NT_SUCCESS, NTSTATUS};
use nt_sys::status::{STATUS_ACCESS_DENIED, STATUS_NO_SUCH_DEVICE};

use super::device;
use super::interface;
use super::request::Request;
use crate::ob;
use crate::se::{Token, sddl};
use crate::violation::{Rule, stop};

/// How a devnode is made, and what user mode finds in it.
#[derive(Clone, Debug)]
pub struct DevnodeOptions {
    /// Its enumerator: `SWD\Tunic` for a software device of that name.
    pub enumerator: String,
    /// Its instance ID.
    pub instance: String,
    /// Its hardware ID.
    pub hardware_id: String,
    /// The security descriptor of its device objects, in SDDL: that of its class, or the value
    /// `Security` of its INF.
    pub sddl: String,
    /// Whether its device objects have FILE_DEVICE_SECURE_OPEN. Without it, the driver guards the
    /// files that are opened by a name.
    pub is_secure_open: bool,
    /// The values of its driver key that user mode reads.
    pub driver_key: Vec<(String, String)>,
}

impl DevnodeOptions {
    /// A software device that everybody may open, as network adapters are.
    #[must_use]
    pub fn software(name: &str, instance: &str) -> Self {
        Self {
            enumerator: format!(r"SWD\{name}"),
            instance: instance.to_owned(),
            hardware_id: name.to_owned(),
            sddl: "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GRGWGX;;;WD)(A;;GRGX;;;RC)".to_owned(),
            is_secure_open: false,
            driver_key: Vec::new(),
        }
    }

    fn instance_id(&self) -> String {
        format!(r"{}\{}", self.enumerator, self.instance)
    }
}

/// A property of a device: the GUID and number of its key, and a string.
pub(crate) type Properties = BTreeMap<(u128, u32), String>;

/// A devnode.
pub(crate) struct Devnode {
    pub(crate) options: DevnodeOptions,
    /// The address of the physical device object.
    pdo: usize,
    state: Mutex<State>,
    pub(crate) properties: Mutex<Properties>,
}

struct State {
    phase: Phase,
    /// Open files.
    files: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NotStarted,
    Started,
    RemovePending,
    SurpriseRemoved,
    Removed,
}

/// Devnodes that are not removed.
static DEVNODES: Mutex<Vec<Arc<Devnode>>> = Mutex::new(Vec::new());

impl Devnode {
    /// Creates a devnode with a physical device object. If there is one of that name, it gets
    /// another.
    pub(crate) fn create(mut options: DevnodeOptions) -> Arc<Self> {
        let mut devnodes = lock(&DEVNODES);
        let instance = options.instance.clone();
        for number in 1.. {
            let id = options.instance_id();
            if !devnodes.iter().any(|known| known.instance_id().eq_ignore_ascii_case(&id)) {
                break;
            }
            options.instance = format!("{instance}&{number}");
        }
        let pdo = device::make_physical(FILE_DEVICE_UNKNOWN);
        if options.is_secure_open {
            // SAFETY: the device was just made.
            unsafe { (*pdo).Characteristics |= FILE_DEVICE_SECURE_OPEN };
        }
        let devnode = Arc::new(Self {
            options,
            pdo: pdo.expose_provenance(),
            state: Mutex::new(State { phase: Phase::NotStarted, files: 0 }),
            properties: Mutex::new(BTreeMap::new()),
        });
        devnodes.push(Arc::clone(&devnode));
        devnode
    }

    /// Its device instance ID.
    pub(crate) fn instance_id(&self) -> String {
        self.options.instance_id()
    }

    /// Its physical device object.
    pub(crate) fn physical(&self) -> *mut DEVICE_OBJECT {
        ptr::with_exposed_provenance_mut(self.pdo)
    }

    /// Whether it is started, and not being removed.
    pub(crate) fn is_started(&self) -> bool {
        lock(&self.state).phase == Phase::Started
    }

    /// Attaches a functional device object.
    pub(crate) fn attach(&self, functional: *mut DEVICE_OBJECT) {
        let physical = self.physical();
        // SAFETY: the devnode has a reference to its device.
        let below = unsafe { (*physical).StackSize };
        // SAFETY: the caller has a reference to the device.
        unsafe { (*functional).StackSize = below + 1 };
        // SAFETY: the caller has a reference to the device.
        unsafe { (*functional).Flags &= !DO_DEVICE_INITIALIZING };
        // SAFETY: the devnode has a reference to its device.
        unsafe { (*physical).AttachedDevice = functional };
    }

    /// Detaches the functional device object.
    pub(crate) fn detach(&self) {
        // SAFETY: the devnode has a reference to its device.
        unsafe { (*self.physical()).AttachedDevice = ptr::null_mut() };
    }

    /// Starts the device. A device that does not start is removed.
    pub(crate) fn start(&self) -> Result<(), NTSTATUS> {
        let status = self.send(IRP_MN_START_DEVICE);
        if !NT_SUCCESS(status) {
            self.remove();
            return Err(status);
        }
        lock(&self.state).phase = Phase::Started;
        Ok(())
    }

    /// Asks whether the device may be removed. Its driver may refuse, and files that are open veto.
    /// Then everything is as before.
    pub(crate) fn query_remove(&self) -> Result<(), usize> {
        lock(&self.state).phase = Phase::RemovePending;
        let status = self.send(IRP_MN_QUERY_REMOVE_DEVICE);
        // windows-driver-docs, "Handling an IRP_MN_QUERY_REMOVE_DEVICE Request": open handles veto.
        let files = lock(&self.state).files;
        if NT_SUCCESS(status) && files == 0 {
            return Ok(());
        }
        self.send(IRP_MN_CANCEL_REMOVE_DEVICE);
        lock(&self.state).phase = Phase::Started;
        Err(files)
    }

    /// Asks whether the device may be removed, and calls it off after `meanwhile`.
    pub(crate) fn ask_removal(&self, meanwhile: impl FnOnce()) {
        lock(&self.state).phase = Phase::RemovePending;
        self.send(IRP_MN_QUERY_REMOVE_DEVICE);
        meanwhile();
        self.send(IRP_MN_CANCEL_REMOVE_DEVICE);
        lock(&self.state).phase = Phase::Started;
    }

    /// Removes the device after a successful query, or one that did not start.
    pub(crate) fn remove(&self) {
        lock(&self.state).phase = Phase::Removed;
        self.send(IRP_MN_REMOVE_DEVICE);
        let physical = self.physical();
        // SAFETY: the devnode has a reference to its device.
        if !unsafe { (*physical).AttachedDevice }.is_null() {
            stop(
                Rule::LEFT_AT_UNLOAD,
                "IRP_MN_REMOVE_DEVICE",
                format_args!("the device of {} is still attached", self.instance_id()),
            );
        }
        interface::disable_all(self.pdo);
        lock(&DEVNODES).retain(|known| known.pdo != self.pdo);
        device::delete(physical);
    }

    /// The device is gone. Its files stay; it is removed with the last of them.
    pub(crate) fn surprise_remove(&self) {
        // No file is opened from here on.
        lock(&self.state).phase = Phase::SurpriseRemoved;
        self.send(IRP_MN_SURPRISE_REMOVAL);
        let files = lock(&self.state).files;
        if files == 0 {
            self.remove();
        }
    }

    /// The top of the device stack, with a reference, for a file that is being opened on it.
    pub(crate) fn open(&self) -> Result<*mut DEVICE_OBJECT, NTSTATUS> {
        let mut state = lock(&self.state);
        // The PnP manager fails creates until the device is started (wdm.h,
        // IoSetDeviceInterfaceState).
        if !matches!(state.phase, Phase::Started | Phase::RemovePending) {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        state.files += 1;
        let top = top(self.physical());
        // SAFETY: a device of the stack, which is not removed while the state is locked.
        unsafe { ob::reference("open", top.cast()) };
        Ok(top)
    }

    /// A file on the stack is closed.
    pub(crate) fn closed(&self) {
        let is_last = {
            let mut state = lock(&self.state);
            state.files -= 1;
            state.files == 0 && state.phase == Phase::SurpriseRemoved
        };
        if is_last {
            self.remove();
        }
    }

    /// Sends a PnP request to the top of the stack.
    fn send(&self, minor: u8) -> NTSTATUS {
        Request::send_pnp(top(self.physical()), minor)
    }
}

/// The devnode of a physical device object.
pub(crate) fn of(physical: *const DEVICE_OBJECT) -> Option<Arc<Devnode>> {
    lock(&DEVNODES).iter().find(|devnode| devnode.pdo == physical.addr()).cloned()
}

/// All devnodes, in the order of their creation.
pub(crate) fn all() -> Vec<Arc<Devnode>> {
    lock(&DEVNODES).clone()
}

/// Checks the security descriptor of a devnode for an open of its device, or of a file on it.
pub(crate) fn check_access(
    devnode: &Devnode,
    name: &str,
    access: ACCESS_MASK,
    token: &Token,
) -> Result<(), NTSTATUS> {
    // The driver guards the names of files on a device, unless it leaves that to the system
    // (windows-driver-docs, "Controlling Device Namespace Access").
    if !name.is_empty() && !devnode.options.is_secure_open {
        return Ok(());
    }
    match sddl::grants(&devnode.options.sddl, token, access) {
        Ok(true) => Ok(()),
        Ok(false) => Err(STATUS_ACCESS_DENIED),
        Err(why) => stop(Rule::BAD_ARGUMENT, "open", format_args!("{why}")),
    }
}

/// The top of the stack of a device.
fn top(device: *mut DEVICE_OBJECT) -> *mut DEVICE_OBJECT {
    let mut top = device;
    loop {
        // SAFETY: a device of a stack that is not removed.
        let next = unsafe { (*top).AttachedDevice };
        if next.is_null() {
            return top;
        }
        top = next;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
