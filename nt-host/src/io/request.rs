//! Requests from user mode: an IRP with its buffers, from its dispatch to its completion.

use core::ffi::c_void;
use core::ptr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nt_sys::io::{
    DEVICE_OBJECT, DO_BUFFERED_IO, DO_DIRECT_IO, FILE_OBJECT, IO_STACK_DEVICE_IO_CONTROL,
    IO_STACK_LOCATION, IO_STACK_OTHERS, IO_STACK_PARAMETERS, IO_STACK_READ_WRITE, IRP,
    IRP_MJ_DEVICE_CONTROL, IRP_MJ_PNP, IRP_MJ_READ, METHOD_BUFFERED, METHOD_IN_DIRECT,
    METHOD_NEITHER, METHOD_OUT_DIRECT,
};
use nt_sys::mm::MDL;
use nt_sys::ntdef::{KernelMode, NTSTATUS, PASSIVE_LEVEL, UserMode};
use nt_sys::status::{STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED};
use zeroize::Zeroizing;

use crate::io::cancel::IoCancelIrp;
use crate::io::dispatch::{self, DispatchOutcome};
use crate::io::irp as irps;
use crate::irql;
use crate::mm::mdl;
use crate::pool::{self, Owner};
use crate::port::{Completed, CompletionPort};
use crate::violation::{Rule, stop};

/// 'IoBf': the tag of the buffers of a request.
const BUFFER_TAG: u32 = u32::from_le_bytes(*b"IoBf");

/// The target of a request.
pub(crate) struct Target {
    pub(crate) device: *mut DEVICE_OBJECT,
    pub(crate) file: *mut FILE_OBJECT,
    pub(crate) major: u8,
}

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct Request {
    file: usize,
    major: u8,
    state: Mutex<State>,
    changed: Condvar,
    /// The port that receives the completion, and the key to post it with.
    port: Option<(Arc<CompletionPort>, u64)>,
}

#[derive(Debug)]
struct State {
    /// Null once the IRP is completed and no cancel of it is in progress.
    irp: *mut IRP,
    /// The number of cancels in progress, during which the IRP stays allocated.
    cancels: usize,
    buffers: Buffers,
    finished: Option<Finished>,
}

// SAFETY: the pointers are only used with the state's lock held, or by the driver that owns the
// IRP.
unsafe impl Send for State {}

/// The buffers of a request. A buffer that the request does not have is null.
#[derive(Debug)]
struct Buffers {
    /// The user-mode buffers, copied, so that they stay while the request is pending.
    input: Memory,
    output: Memory,
    /// The system buffer.
    system: Memory,
    mdl: *mut MDL,
    method: u32,
}

#[derive(Clone, Copy, Debug)]
struct Memory {
    address: *mut u8,
    bytes: usize,
}

/// The result of a request.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) status: NTSTATUS,
    pub(crate) information: usize,
    pub(crate) output: Zeroizing<Vec<u8>>,
    pending: bool,
}

/// Open requests by their IRPs.
static OPEN: Mutex<BTreeMap<usize, Arc<Request>>> = Mutex::new(BTreeMap::new());

impl Request {
    /// Sends a request without buffers: create, cleanup, close.
    pub(crate) fn send_plain(
        target: &Target,
        parameters: IO_STACK_PARAMETERS,
    ) -> Result<Arc<Self>, NTSTATUS> {
        let buffers = Buffers::none();
        Self::send(target, parameters, buffers, None)
    }

    /// Sends a device control, with buffers according to the method of its code
    /// (windows-driver-docs, "Buffer Descriptions for I/O Control Codes").
    pub(crate) fn send_control(
        target: &Target,
        code: u32,
        input: &[u8],
        output: &[u8],
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Self>, NTSTATUS> {
        let (Ok(input_bytes), Ok(output_bytes)) =
            (u32::try_from(input.len()), u32::try_from(output.len()))
        else {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        };
        let buffers = Buffers::new(code & 3, input, output)?;
        let mut control = IO_STACK_DEVICE_IO_CONTROL {
            OutputBufferLength: output_bytes,
            _pad0: 0,
            InputBufferLength: input_bytes,
            _pad1: 0,
            IoControlCode: code,
            _pad2: 0,
            Type3InputBuffer: ptr::null_mut(),
        };
        if buffers.method == METHOD_NEITHER {
            control.Type3InputBuffer = buffers.input.address.cast();
        }
        Self::send(target, IO_STACK_PARAMETERS { DeviceIoControl: control }, buffers, port)
    }

    /// Sends a read, with a buffer according to the device's flags (windows-driver-docs, "Methods
    /// for Accessing Data Buffers").
    pub(crate) fn send_read(
        target: &Target,
        bytes: usize,
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Self>, NTSTATUS> {
        let method = match transfer(target.device) {
            METHOD_IN_DIRECT => METHOD_OUT_DIRECT,
            method => method,
        };
        let read = transfer_parameters(bytes)?;
        let buffers = Buffers::new(method, &[], &vec![0; bytes])?;
        Self::send(target, IO_STACK_PARAMETERS { Read: read }, buffers, port)
    }

    /// Sends a write, with a buffer according to the device's flags.
    pub(crate) fn send_write(
        target: &Target,
        data: &[u8],
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Self>, NTSTATUS> {
        let write = transfer_parameters(data.len())?;
        let buffers = match transfer(target.device) {
            METHOD_BUFFERED => Buffers::new(METHOD_BUFFERED, data, &[])?,
            method => Buffers::new(method, &[], data)?,
        };
        Self::send(target, IO_STACK_PARAMETERS { Write: write }, buffers, port)
    }

    /// Sends a PnP request to a device, and waits for its completion.
    pub(crate) fn send_pnp(device: *mut DEVICE_OBJECT, minor: u8) -> NTSTATUS {
        let target = Target { device, file: ptr::null_mut(), major: IRP_MJ_PNP };
        let sent = Self::send_minor(&target, minor, no_parameters(), Buffers::none(), None);
        let finished = sent.map(|request| request.wait(None).map(|finished| finished.status));
        match finished {
            Ok(Some(status)) | Err(status) => status,
            Ok(None) => STATUS_CANCELLED,
        }
    }

    fn send(
        target: &Target,
        parameters: IO_STACK_PARAMETERS,
        buffers: Buffers,
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Self>, NTSTATUS> {
        Self::send_minor(target, 0, parameters, buffers, port)
    }

    fn send_minor(
        target: &Target,
        minor: u8,
        parameters: IO_STACK_PARAMETERS,
        buffers: Buffers,
        port: Option<(Arc<CompletionPort>, u64)>,
    ) -> Result<Arc<Self>, NTSTATUS> {
        irql::require_exactly("I/O request", PASSIVE_LEVEL);
        // SAFETY: the file keeps its device.
        let stack_size = unsafe { (*target.device).StackSize };
        let irp = irps::allocate(stack_size, Owner::Host);
        if irp.is_null() {
            buffers.free();
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        // SAFETY: just allocated.
        let fields = unsafe { &mut *irp };
        fields.RequestorMode = UserMode;
        if target.major == IRP_MJ_PNP {
            // "Plug and Play IRPs": the initial status of a request that no driver handles.
            fields.RequestorMode = KernelMode;
            fields.IoStatus.Status = STATUS_NOT_SUPPORTED;
        }
        fields.AssociatedIrp.SystemBuffer = buffers.system.address.cast();
        fields.MdlAddress = buffers.mdl;
        fields.UserBuffer = buffers.output.address.cast();
        fields.Tail.Overlay.OriginalFileObject = target.file;
        let location = IO_STACK_LOCATION {
            MajorFunction: target.major,
            MinorFunction: minor,
            Flags: 0,
            Control: 0,
            Parameters: parameters,
            DeviceObject: target.device,
            FileObject: target.file,
            CompletionRoutine: None,
            Context: ptr::null_mut(),
        };
        // SAFETY: the IRP has this location.
        unsafe { *irps::location(irp, stack_size) = location };
        let request = Arc::new(Self {
            file: target.file.addr(),
            major: target.major,
            state: Mutex::new(State { irp, cancels: 0, buffers, finished: None }),
            changed: Condvar::new(),
            port,
        });
        lock(&OPEN).insert(irp.addr(), Arc::clone(&request));
        // SAFETY: the host owns the IRP, which is set up for the device.
        let returned = unsafe { dispatch::call("I/O request", target.device, irp) };
        dispatch::require_consistent(target.major, returned, &request.seen(stack_size));
        Ok(request)
    }

    /// Waits for the completion. Returns none after the timeout.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> Option<Finished> {
        let state = lock(&self.state);
        let state = match timeout {
            None => self
                .changed
                .wait_while(state, |state| state.finished.is_none())
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                self.changed
                    .wait_timeout_while(state, timeout, |state| state.finished.is_none())
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        };
        state.finished.clone()
    }

    /// Cancels the IRP if it is not completed. Returns whether it had a cancel routine.
    pub(crate) fn cancel(&self) -> bool {
        let irp = {
            let mut state = lock(&self.state);
            if state.finished.is_some() {
                return false;
            }
            state.cancels += 1;
            state.irp
        };
        // SAFETY: the IRP stays while a cancel is under way.
        let called = unsafe { IoCancelIrp(irp) } != 0;
        let mut state = lock(&self.state);
        state.cancels -= 1;
        state.free_if_over();
        called
    }

    fn seen(&self, stack_size: i8) -> DispatchOutcome {
        let state = lock(&self.state);
        match &state.finished {
            Some(finished) => {
                DispatchOutcome::Completed { pending: finished.pending, status: finished.status }
            }
            None => {
                let location = irps::location(state.irp, stack_size);
                // SAFETY: the IRP is not completed, and so not freed while the state is locked.
                let control = unsafe { (*location).Control };
                DispatchOutcome::Open { control }
            }
        }
    }
}

impl Finished {
    pub(crate) fn new(status: NTSTATUS) -> Self {
        Self { status, information: 0, output: Zeroizing::default(), pending: false }
    }
}

impl From<Finished> for Completed {
    fn from(finished: Finished) -> Self {
        let Finished { status, information, output, .. } = finished;
        Self { status, information, output }
    }
}

impl State {
    fn free_if_over(&mut self) {
        if self.finished.is_some() && self.cancels == 0 && !self.irp.is_null() {
            // SAFETY: the IRP is completed, and no cancel is under way.
            unsafe { pool::free("IofCompleteRequest", self.irp.cast(), irps::TAG) };
            self.irp = ptr::null_mut();
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.free_if_over();
    }
}

/// Ends the request of a completed IRP. Returns false if the IRP belongs to no request.
///
/// # Safety
/// The IRP is completed.
pub(crate) unsafe fn finish(irp: *mut IRP) -> bool {
    let Some(request) = lock(&OPEN).remove(&irp.addr()) else { return false };
    // SAFETY: as the caller promises.
    let fields = unsafe { &*irp };
    let mut state = lock(&request.state);
    let status = fields.IoStatus.Status;
    let information = fields.IoStatus.Information;
    let output = Zeroizing::new(state.buffers.output_of(request.major, status, information));
    state.buffers.free();
    let pending = fields.PendingReturned != 0;
    let finished = Finished { status, information, output, pending };
    if let Some((port, key)) = &request.port {
        port.post(*key, finished.clone().into());
    }
    state.finished = Some(finished);
    state.free_if_over();
    drop(state);
    request.changed.notify_all();
    true
}

/// Waits until no request of this file is open. A request that is still open after the timeout is
/// lost.
pub(crate) fn require_none_open(file: *mut FILE_OBJECT, timeout: Duration) {
    let deadline = std::time::Instant::now() + timeout;
    loop {
        let open = lock(&OPEN).values().find(|request| request.file == file.addr()).cloned();
        let Some(request) = open else { return };
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        if request.wait(Some(left)).is_none() {
            stop(
                Rule::LOST_IRP,
                "IRP_MJ_CLEANUP",
                format_args!(
                    "{timeout:?} after the cleanup of its file, an IRP with major function {:#x} \
                     is not completed",
                    request.major
                ),
            );
        }
    }
}

/// Lists the requests that are not completed, one line each.
pub(crate) fn left() -> Vec<String> {
    lock(&OPEN)
        .iter()
        .map(|(irp, request)| {
            format!("IRP at {irp:#x} with major function {:#x} not completed", request.major)
        })
        .collect()
}

/// How a device's reads and writes pass their buffer, as the method of a control code. Direct I/O
/// is reported as METHOD_IN_DIRECT.
fn transfer(device: *mut DEVICE_OBJECT) -> u32 {
    // SAFETY: the file keeps its device.
    let flags = unsafe { (*device).Flags };
    if flags & DO_BUFFERED_IO != 0 {
        METHOD_BUFFERED
    } else if flags & DO_DIRECT_IO != 0 {
        METHOD_IN_DIRECT
    } else {
        METHOD_NEITHER
    }
}

fn transfer_parameters(bytes: usize) -> Result<IO_STACK_READ_WRITE, NTSTATUS> {
    let length = u32::try_from(bytes).map_err(|_| STATUS_INSUFFICIENT_RESOURCES)?;
    Ok(IO_STACK_READ_WRITE { Length: length, _pad0: 0, Key: 0, Flags: 0, ByteOffset: 0 })
}

/// The parameters of a request without parameters.
pub(crate) fn no_parameters() -> IO_STACK_PARAMETERS {
    let none = ptr::null_mut::<c_void>();
    IO_STACK_PARAMETERS {
        Others: IO_STACK_OTHERS {
            Argument1: none,
            Argument2: none,
            Argument3: none,
            Argument4: none,
        },
    }
}

impl Buffers {
    fn none() -> Self {
        let none = Memory { address: ptr::null_mut(), bytes: 0 };
        Self { input: none, output: none, system: none, mdl: ptr::null_mut(), method: 0 }
    }

    fn new(method: u32, input: &[u8], output: &[u8]) -> Result<Self, NTSTATUS> {
        let mut buffers = Self::none();
        buffers.method = method;
        let made = buffers.fill(input, output);
        if made.is_none() {
            buffers.free();
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        Ok(buffers)
    }

    fn fill(&mut self, input: &[u8], output: &[u8]) -> Option<()> {
        self.input = Memory::copy_of(input, input.len())?;
        self.output = Memory::copy_of(output, output.len())?;
        match self.method {
            METHOD_BUFFERED => {
                self.system = Memory::copy_of(input, input.len().max(output.len()))?;
            }
            METHOD_NEITHER => {}
            _ => {
                self.system = Memory::copy_of(input, input.len())?;
                if !output.is_empty() {
                    let bytes = u32::try_from(output.len()).ok()?;
                    self.mdl = mdl::allocate_locked(self.output.address.cast(), bytes);
                    if self.mdl.is_null() {
                        return None;
                    }
                }
            }
        }
        Some(())
    }

    /// The content of the output buffer as user mode sees it.
    fn output_of(&self, major: u8, status: NTSTATUS, information: usize) -> Vec<u8> {
        if !matches!(major, IRP_MJ_DEVICE_CONTROL | IRP_MJ_READ) {
            return Vec::new();
        }
        // Data is copied for a success or a warning, not for an error (NT_ERROR).
        let is_error = status.cast_unsigned() >> 30 == 3;
        if self.method == METHOD_BUFFERED && !is_error {
            if information > self.output.bytes {
                stop(
                    Rule::BAD_IRP,
                    "IofCompleteRequest",
                    format_args!(
                        "Information is {information}, the output buffer has {} bytes",
                        self.output.bytes
                    ),
                );
            }
            // SAFETY: both have at least this many bytes, and don't overlap.
            unsafe {
                ptr::copy_nonoverlapping(self.system.address, self.output.address, information);
            };
        }
        if self.output.bytes == 0 {
            return Vec::new();
        }
        // SAFETY: the memory is whole and initialized.
        unsafe { core::slice::from_raw_parts(self.output.address, self.output.bytes) }.to_vec()
    }

    fn free(&self) {
        for memory in [self.input, self.output, self.system] {
            if !memory.address.is_null() {
                // SAFETY: the request is over.
                unsafe { pool::free("IofCompleteRequest", memory.address, BUFFER_TAG) };
            }
        }
        if !self.mdl.is_null() {
            // SAFETY: the request is over.
            unsafe { pool::free("IofCompleteRequest", self.mdl.cast(), mdl::TAG) };
        }
    }
}

impl Memory {
    /// Allocates `bytes` bytes that begin with a copy of `source`. The address is null for 0 bytes.
    fn copy_of(source: &[u8], bytes: usize) -> Option<Self> {
        if bytes == 0 {
            return Some(Self { address: ptr::null_mut(), bytes: 0 });
        }
        let request =
            pool::Request { owner: Owner::Host, tag: BUFFER_TAG, zeroed: false, alignment: 16 };
        let address = pool::allocate(bytes, request);
        if address.is_null() {
            return None;
        }
        // SAFETY: just allocated, with at least this many bytes.
        unsafe { ptr::copy_nonoverlapping(source.as_ptr(), address, source.len()) };
        Some(Self { address, bytes })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
