//! Handles of files on devices, as a process in user mode has them.

use core::ffi::c_void;
use core::fmt;
use core::ptr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, FILE_OBJECT, FILE_READ_DATA, FILE_WRITE_DATA, IO_SECURITY_CONTEXT,
    IO_STACK_CREATE, IO_STACK_PARAMETERS, IO_TYPE_FILE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE,
    IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_MJ_READ, IRP_MJ_WRITE,
};
use nt_sys::ntdef::{ACCESS_MASK, BOOLEAN, CSHORT, NT_SUCCESS, NTSTATUS};
use nt_sys::status::{STATUS_ACCESS_DENIED, STATUS_CANCELLED};

use crate::io::device;
use crate::io::devnode::{self, Devnode};
use crate::io::request::{self, Finished, Request, Target};
use crate::ob;
use crate::port::{Completed, CompletionPort};
use crate::rtl::string::OwnedString;
use crate::se::{Token, sddl, token};

/// `FILE_OPEN` as the disposition of a create (the upper byte of its options).
const FILE_OPEN: u32 = 1;

/// The cleanup timeout in a process that has not booted a machine.
pub(crate) const DEFAULT_CLEANUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the IRPs of a file may be pending after its cleanup. Set from the machine's options.
static CLEANUP_TIMEOUT: OnceLock<Duration> = OnceLock::new();

/// Sets the time after which a pending IRP of a closed file counts as lost. Later calls have no
/// effect.
pub(crate) fn set_cleanup_timeout(timeout: Duration) {
    let _ = CLEANUP_TIMEOUT.set(timeout);
}

fn cleanup_timeout() -> Duration {
    CLEANUP_TIMEOUT.get().copied().unwrap_or(DEFAULT_CLEANUP_TIMEOUT)
}

/// Paths of open files, by their file objects.
static OPEN: Mutex<BTreeMap<usize, String>> = Mutex::new(BTreeMap::new());

/// An open file on a device. Dropping it sends IRP_MJ_CLEANUP, waits for the pending IRPs, and
/// sends IRP_MJ_CLOSE.
#[derive(Clone, Debug)]
pub struct Handle {
    file: Arc<File>,
}

/// An operation on a file.
#[derive(Clone, Copy, Debug)]
pub enum Operation<'a> {
    /// A device control request.
    Ioctl {
        /// The control code.
        code: u32,
        /// The input buffer.
        input: &'a [u8],
        /// The initial content of the output buffer. With METHOD_IN_DIRECT, the driver reads it.
        output: &'a [u8],
    },
    /// A read request.
    Read {
        /// The size of the buffer in bytes.
        bytes: usize,
    },
    /// A write request.
    Write {
        /// The bytes to write.
        data: &'a [u8],
    },
}

/// A request that was sent. It does not keep the file open: a close makes the driver complete what
/// is pending.
#[derive(Debug)]
pub struct PendingRequest {
    outcome: Result<Arc<Request>, NTSTATUS>,
}

struct File {
    object: *mut FILE_OBJECT,
    /// The device that was opened.
    device: *mut DEVICE_OBJECT,
    /// The top of its stack, which gets the requests.
    top: *mut DEVICE_OBJECT,
    /// The devnode of the device, if it has one.
    devnode: Option<Arc<Devnode>>,
    access: ACCESS_MASK,
    /// Of the process that opened it, and sends all requests.
    token: Token,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("object", &self.object).finish_non_exhaustive()
    }
}

// SAFETY: the host only reads the pointers; what they point to is the driver's to guard.
unsafe impl Send for File {}
// SAFETY: the host only reads the pointers; what they point to is the driver's to guard.
unsafe impl Sync for File {}

/// A file object with the text of its name. The object comes first.
#[repr(C)]
struct FileWithName {
    object: FILE_OBJECT,
    name: OwnedString,
}

impl Handle {
    pub(crate) fn open(path: &str, access: ACCESS_MASK, token: &Token) -> Result<Self, NTSTATUS> {
        let (device, rest) = device::find(path)?;
        let devnode = devnode::of(device);
        let checked = match &devnode {
            Some(devnode) => {
                devnode::check_access(devnode, &rest, access, token).and_then(|()| devnode.open())
            }
            None => {
                // SAFETY: `find` returned a reference.
                unsafe { ob::reference("open", device.cast()) };
                Ok(device)
            }
        };
        let top = match checked {
            Ok(top) => top,
            Err(status) => {
                // SAFETY: the reference of `find`.
                unsafe { ob::dereference("open", device.cast()) };
                return Err(status);
            }
        };
        let access = specific(access);
        // SAFETY: all zeros is a value of this type.
        let mut object: FILE_OBJECT = unsafe { core::mem::zeroed() };
        object.Type = IO_TYPE_FILE;
        object.Size = size_of::<FILE_OBJECT>() as CSHORT;
        object.DeviceObject = device;
        object.ReadAccess = BOOLEAN::from(access & FILE_READ_DATA != 0);
        object.WriteAccess = BOOLEAN::from(access & FILE_WRITE_DATA != 0);
        let mut name = OwnedString::new(&rest);
        object.FileName = name.view();
        let object = ob::create("file", FileWithName { object, name }).cast::<FILE_OBJECT>();
        let mut security = IO_SECURITY_CONTEXT {
            SecurityQos: ptr::null_mut(),
            AccessState: ptr::null_mut(),
            DesiredAccess: access,
            FullCreateOptions: 0,
        };
        let create = IO_STACK_CREATE {
            SecurityContext: &raw mut security,
            Options: FILE_OPEN << 24,
            _pad0: 0,
            FileAttributes: 0,
            ShareAccess: 0,
            _pad1: 0,
            EaLength: 0,
            _pad2: 0,
        };
        let token = token.clone();
        let file = File { object, device, top, devnode, access, token };
        let target = Target { device: top, file: object, major: IRP_MJ_CREATE };
        let sent = file.send_plain(&target, IO_STACK_PARAMETERS { Create: create });
        let status = sent.map_or_else(|status| status, |request| finished(&request).status);
        if !NT_SUCCESS(status) {
            // The driver gets no cleanup and no close for it.
            file.release();
            core::mem::forget(file);
            return Err(status);
        }
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(object.addr(), path.to_owned());
        Ok(Self { file: Arc::new(file) })
    }

    /// Sends a device control and waits for its completion. Returns its status and `Information`.
    /// `output` gets what the driver wrote, if anything.
    pub fn ioctl(&self, code: u32, input: &[u8], output: &mut [u8]) -> (NTSTATUS, usize) {
        let operation = Operation::Ioctl { code, input, output };
        let request = match self.send(operation, None) {
            Ok(request) => request,
            Err(status) => return (status, 0),
        };
        let finished = finished(&request);
        if finished.output.len() == output.len() {
            output.copy_from_slice(&finished.output);
        }
        (finished.status, finished.information)
    }

    /// Sends a device control with an output buffer of this size. Does not wait for its completion.
    #[must_use]
    pub fn ioctl_async(&self, code: u32, input: &[u8], output_bytes: usize) -> PendingRequest {
        self.start(Operation::Ioctl { code, input, output: &vec![0; output_bytes] })
    }

    /// Sends a request. Does not wait for its completion.
    #[must_use]
    pub fn start(&self, operation: Operation<'_>) -> PendingRequest {
        PendingRequest { outcome: self.send(operation, None) }
    }

    /// Sends a request whose completion is posted to the port with this key.
    pub fn start_on(
        &self,
        operation: Operation<'_>,
        port: &Arc<CompletionPort>,
        key: u64,
    ) -> PendingRequest {
        let outcome = self.send(operation, Some((Arc::clone(port), key)));
        if let Err(status) = outcome {
            port.post(key, Completed::failed(status));
        }
        PendingRequest { outcome }
    }

    /// The file object that the driver sees.
    #[must_use]
    pub fn file_object(&self) -> *mut FILE_OBJECT {
        self.file.object
    }

    fn send(
        &self,
        operation: Operation<'_>,
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Request>, NTSTATUS> {
        let (major, needed) = match operation {
            // Bits 14 and 15 are the access that the code requires: FILE_READ_ACCESS and
            // FILE_WRITE_ACCESS.
            Operation::Ioctl { code, .. } => (IRP_MJ_DEVICE_CONTROL, (code >> 14) & 3),
            Operation::Read { .. } => (IRP_MJ_READ, FILE_READ_DATA),
            Operation::Write { .. } => (IRP_MJ_WRITE, FILE_WRITE_DATA),
        };
        if needed & !self.file.access != 0 {
            return Err(STATUS_ACCESS_DENIED);
        }
        let target = Target { device: self.file.top, file: self.file.object, major };
        token::with(&self.file.token, || match operation {
            Operation::Ioctl { code, input, output } => {
                Request::send_control(&target, code, input, output, port)
            }
            Operation::Read { bytes } => Request::send_read(&target, bytes, port),
            Operation::Write { data } => Request::send_write(&target, data, port),
        })
    }
}

impl File {
    fn send_plain(
        &self,
        target: &Target,
        parameters: IO_STACK_PARAMETERS,
    ) -> Result<Arc<Request>, NTSTATUS> {
        token::with(&self.token, || Request::send_plain(target, parameters))
    }

    /// Releases the references to the file and its devices.
    fn release(&self) {
        for body in [self.object.cast::<c_void>(), self.top.cast(), self.device.cast()] {
            // SAFETY: the references of the open.
            unsafe { ob::dereference("close", body) };
        }
        if let Some(devnode) = &self.devnode {
            devnode.closed();
        }
    }
}

impl PendingRequest {
    /// Waits for the completion, without limit if there is no timeout. Returns none after the
    /// timeout.
    #[must_use]
    pub fn wait(&self, timeout: Option<Duration>) -> Option<Completed> {
        match &self.outcome {
            Err(status) => Some(Completed::failed(*status)),
            Ok(request) => request.wait(timeout).map(Completed::from),
        }
    }

    /// Cancels the request if it is not completed. Returns whether the driver had set a cancel
    /// routine.
    pub fn cancel(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|request| request.cancel())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let mut target = Target { device: self.top, file: self.object, major: IRP_MJ_CLEANUP };
        if let Ok(request) = self.send_plain(&target, request::no_parameters()) {
            finished(&request);
        }
        request::require_none_open(self.object, cleanup_timeout());
        target.major = IRP_MJ_CLOSE;
        if let Ok(request) = self.send_plain(&target, request::no_parameters()) {
            finished(&request);
        }
        OPEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.object.addr());
        self.release();
    }
}

/// The paths of the open files.
pub(crate) fn left() -> Vec<String> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
}

fn finished(request: &Request) -> Finished {
    // A wait without a timeout ends with the completion.
    request.wait(None).unwrap_or_else(|| Finished::new(STATUS_CANCELLED))
}

/// Maps generic access rights to those of files.
fn specific(access: ACCESS_MASK) -> ACCESS_MASK {
    sddl::map(access, &sddl::FILE_MAPPING)
}
