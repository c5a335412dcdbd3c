//! Device controls: how buffers are passed, pending requests and their cancellation.

use core::mem::MaybeUninit;
use core::ptr;
use core::time::Duration;
use std::sync::Mutex;

use nt_host::{CompletionPort, Operation, pool};
use nt_sys::io::{
    CTL_CODE, DO_BUFFERED_IO, DO_DIRECT_IO, FILE_ANY_ACCESS, FILE_DEVICE_NETWORK, FILE_READ_ACCESS,
    FILE_WRITE_ACCESS, GENERIC_READ, GENERIC_WRITE, IO_CSQ, IO_STACK_DEVICE_IO_CONTROL,
    IO_STACK_READ_WRITE, IRP, IRP_MJ_READ, IoAllocateIrp, IoAllocateMdl, IoCsqInitialize,
    IoCsqInsertIrp, IoCsqRemoveNextIrp, IoFreeIrp, IoFreeMdl, METHOD_BUFFERED, METHOD_IN_DIRECT,
    METHOD_NEITHER, METHOD_OUT_DIRECT,
};
use nt_sys::mm::{MmCached, MmMapLockedPagesSpecifyCache, NormalPagePriority};
use nt_sys::ntdef::{KIRQL, NTSTATUS, PVOID};
use nt_sys::status::{
    STATUS_ACCESS_DENIED, STATUS_BUFFER_OVERFLOW, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_OBJECT_NAME_NOT_FOUND, STATUS_PENDING, STATUS_SUCCESS,
};

use crate::driver::{DEVICE_NAME, Routines, complete, load, location};
use crate::machine::{options, turn};

const fn code(function: u32, method: u32) -> u32 {
    CTL_CODE(FILE_DEVICE_NETWORK, 0x800 + function, method, FILE_ANY_ACCESS)
}

fn parameters(irp: *mut IRP) -> IO_STACK_DEVICE_IO_CONTROL {
    let location = location(irp);
    // SAFETY: the dispatch routine owns the location.
    let parameters = unsafe { &raw const (*location).Parameters };
    // SAFETY: the major function is a device control.
    unsafe { *parameters.cast::<IO_STACK_DEVICE_IO_CONTROL>() }
}

fn system_buffer(irp: *mut IRP) -> *mut u8 {
    // SAFETY: the dispatch routine owns the IRP.
    let associated = unsafe { &raw const (*irp).AssociatedIrp };
    // SAFETY: of a device control, it is this member.
    unsafe { *associated.cast::<*mut u8>() }
}

/// Adds 1 to each byte of the input, whatever the method, and returns the result.
fn add_one(irp: *mut IRP) -> NTSTATUS {
    let control = parameters(irp);
    let (input_bytes, output_bytes) =
        (control.InputBufferLength as usize, control.OutputBufferLength as usize);
    let (input, output) = match control.IoControlCode & 3 {
        METHOD_BUFFERED => (system_buffer(irp), system_buffer(irp)),
        METHOD_NEITHER => {
            // SAFETY: the dispatch routine owns the IRP.
            (control.Type3InputBuffer.cast::<u8>(), unsafe { (*irp).UserBuffer }.cast::<u8>())
        }
        _ => {
            // SAFETY: the dispatch routine owns the IRP.
            let mdl = unsafe { (*irp).MdlAddress };
            // SAFETY: the MDL of a direct method is locked.
            let output = unsafe {
                MmMapLockedPagesSpecifyCache(
                    mdl,
                    0,
                    MmCached,
                    ptr::null_mut(),
                    0,
                    NormalPagePriority,
                )
            };
            (system_buffer(irp), output.cast::<u8>())
        }
    };
    if output_bytes < input_bytes {
        return complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
    }
    for index in 0..input_bytes {
        // SAFETY: within the input.
        let byte = unsafe { *input.wrapping_add(index) };
        // SAFETY: within the output.
        unsafe { *output.wrapping_add(index) = byte + 1 };
    }
    complete(irp, STATUS_SUCCESS, input_bytes)
}

#[test]
fn buffers_are_passed_by_every_method() {
    let _turn = turn();
    let (machine, driver) = load(options(), Routines { control: add_one, ..Routines::idle() });
    let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
    for method in [METHOD_BUFFERED, METHOD_IN_DIRECT, METHOD_OUT_DIRECT, METHOD_NEITHER] {
        let mut output = [9; 5];
        let result = handle.ioctl(code(0, method), &[1, 2, 3], &mut output);
        assert_eq!((result, output), ((STATUS_SUCCESS, 3), [2, 3, 4, 9, 9]), "method {method}");
        // Nothing is copied for an error.
        let mut output = [9; 1];
        let result = handle.ioctl(code(0, method), &[1, 2, 3], &mut output);
        assert_eq!((result, output), ((STATUS_BUFFER_TOO_SMALL, 0), [9]), "method {method}");
    }
    drop(handle);
    driver.unload();
}

#[test]
fn a_warning_copies_output() {
    let _turn = turn();
    let control: fn(*mut IRP) -> NTSTATUS = |irp| {
        // SAFETY: the buffer has 2 bytes.
        unsafe { system_buffer(irp).write(7) };
        complete(irp, STATUS_BUFFER_OVERFLOW, 1)
    };
    let (machine, driver) = load(options(), Routines { control, ..Routines::idle() });
    let handle = machine.open(r"\\.\test", 0).expect("the link opens");
    let mut output = [9; 2];
    let result = handle.ioctl(code(0, METHOD_BUFFERED), &[], &mut output);
    assert_eq!((result, output), ((STATUS_BUFFER_OVERFLOW, 1), [7, 9]));
    drop(handle);
    driver.unload();
}

#[test]
fn names_and_access() {
    let _turn = turn();
    let (machine, driver) = load(options(), Routines::idle());
    assert_eq!(machine.open(r"\Device\Tes", 0).err(), Some(STATUS_OBJECT_NAME_NOT_FOUND));
    assert_eq!(machine.open(r"\Device\Tests", 0).err(), Some(STATUS_OBJECT_NAME_NOT_FOUND));
    let handle = machine.open(r"\device\TEST\Some\File", GENERIC_READ).expect("a file opens");
    // SAFETY: the file is open.
    let name = unsafe { &raw const (*handle.file_object()).FileName };
    // SAFETY: the name lives as long as the open file.
    let name = unsafe { &*name };
    // SAFETY: the buffer of the name lives as long as the open file.
    assert_eq!(unsafe { nt_host::rtl::string::to_string(name) }, r"\Some\File");
    let read = CTL_CODE(FILE_DEVICE_NETWORK, 0x800, METHOD_BUFFERED, FILE_READ_ACCESS);
    let write = CTL_CODE(FILE_DEVICE_NETWORK, 0x800, METHOD_BUFFERED, FILE_WRITE_ACCESS);
    assert_eq!(handle.ioctl(read, &[], &mut []).0, STATUS_SUCCESS);
    assert_eq!(handle.ioctl(write, &[], &mut []).0, STATUS_ACCESS_DENIED);
    drop(handle);
    driver.unload();
}

/// A cancel-safe queue over one list.
struct Queue {
    csq: IO_CSQ,
    irps: Vec<*mut IRP>,
    lock: nt_sys::ke::KSPIN_LOCK,
}

struct QueueAddress(*mut Queue);

// SAFETY: the lock of the queue guards every access to its list.
unsafe impl Send for QueueAddress {}

static QUEUE: Mutex<QueueAddress> = Mutex::new(QueueAddress(ptr::null_mut()));

fn queue() -> *mut Queue {
    QUEUE.lock().expect("no test panics with it").0
}

unsafe extern "efiapi" fn insert(_csq: *mut IO_CSQ, irp: *mut IRP) {
    // SAFETY: called with the lock held.
    let irps = unsafe { &raw mut (*queue()).irps };
    // SAFETY: no other reference exists while the lock is held.
    unsafe { &mut *irps }.push(irp);
}

unsafe extern "efiapi" fn remove(_csq: *mut IO_CSQ, irp: *mut IRP) {
    // SAFETY: called with the lock held.
    let irps = unsafe { &raw mut (*queue()).irps };
    // SAFETY: no other reference exists while the lock is held.
    unsafe { &mut *irps }.retain(|queued| *queued != irp);
}

unsafe extern "efiapi" fn peek(_csq: *mut IO_CSQ, irp: *mut IRP, _context: PVOID) -> *mut IRP {
    // SAFETY: called with the lock held.
    let irps = unsafe { &raw const (*queue()).irps };
    // SAFETY: the vector does not change while the lock is held.
    let irps = unsafe { &*irps };
    let after = irps.iter().position(|queued| *queued == irp).map_or(0, |index| index + 1);
    irps.get(after).copied().unwrap_or(ptr::null_mut())
}

unsafe extern "efiapi" fn lock(_csq: *mut IO_CSQ, irql: *mut KIRQL) {
    // SAFETY: the queue lives as long as the test.
    let lock = unsafe { &raw mut (*queue()).lock };
    // SAFETY: the lock is initialized.
    let before = unsafe { nt_sys::ke::KeAcquireSpinLockRaiseToDpc(lock) };
    // SAFETY: writable.
    unsafe { irql.write(before) };
}

unsafe extern "efiapi" fn unlock(_csq: *mut IO_CSQ, irql: KIRQL) {
    // SAFETY: the queue lives as long as the test.
    let lock = unsafe { &raw mut (*queue()).lock };
    // SAFETY: the lock is held.
    unsafe { nt_sys::ke::KeReleaseSpinLock(lock, irql) };
}

unsafe extern "efiapi" fn cancelled(_csq: *mut IO_CSQ, irp: *mut IRP) {
    complete(irp, STATUS_CANCELLED, 0);
}

fn csq() -> *mut IO_CSQ {
    // SAFETY: the queue lives as long as the test.
    unsafe { &raw mut (*queue()).csq }
}

fn pend(irp: *mut IRP) -> NTSTATUS {
    match parameters(irp).IoControlCode {
        PEND => {
            // SAFETY: the queue is initialized.
            unsafe { IoCsqInsertIrp(csq(), irp, ptr::null_mut()) };
            STATUS_PENDING
        }
        RELEASE => {
            // SAFETY: the queue is initialized.
            let next = unsafe { IoCsqRemoveNextIrp(csq(), ptr::null_mut()) };
            if next.is_null() {
                return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
            }
            // SAFETY: the output has 1 byte.
            unsafe { system_buffer(next).write(42) };
            complete(next, STATUS_SUCCESS, 1);
            complete(irp, STATUS_SUCCESS, 0)
        }
        _ => complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0),
    }
}

/// Fills the buffer of a read with 7; counts the ones in a write.
fn transfer(irp: *mut IRP) -> NTSTATUS {
    let location = location(irp);
    // SAFETY: the dispatch routine owns the location.
    let major = unsafe { (*location).MajorFunction };
    // SAFETY: the dispatch routine owns the location.
    let parameters = unsafe { &raw const (*location).Parameters };
    // SAFETY: the major function is a read or a write.
    let bytes = unsafe { *parameters.cast::<IO_STACK_READ_WRITE>() }.Length as usize;
    // SAFETY: the dispatch routine owns the location.
    let device = unsafe { (*location).DeviceObject };
    // SAFETY: the device exists while it has an IRP.
    let flags = unsafe { (*device).Flags };
    // SAFETY: the dispatch routine owns the IRP.
    let fields = unsafe { &*irp };
    let (mdl, user) = (fields.MdlAddress, fields.UserBuffer);
    let buffer = if flags & DO_BUFFERED_IO != 0 {
        assert!(mdl.is_null());
        system_buffer(irp)
    } else if flags & DO_DIRECT_IO != 0 {
        assert!(system_buffer(irp).is_null());
        // SAFETY: the MDL of direct I/O is locked.
        let mapped = unsafe {
            MmMapLockedPagesSpecifyCache(mdl, 0, MmCached, ptr::null_mut(), 0, NormalPagePriority)
        };
        mapped.cast()
    } else {
        assert!(mdl.is_null() && system_buffer(irp).is_null());
        user.cast()
    };
    if major == IRP_MJ_READ {
        // SAFETY: the buffer has so many bytes.
        unsafe { ptr::write_bytes(buffer, 7, bytes) };
        return complete(irp, STATUS_SUCCESS, bytes - 1);
    }
    // SAFETY: the buffer has `bytes` initialized bytes.
    let data = unsafe { core::slice::from_raw_parts(buffer, bytes) };
    complete(irp, STATUS_SUCCESS, data.iter().filter(|&&byte| byte == 1).count())
}

#[test]
fn reads_and_writes_pass_their_buffer_as_the_device_wants() {
    let _turn = turn();
    for flags in [DO_BUFFERED_IO, DO_DIRECT_IO, 0] {
        let (machine, driver) = load(options(), Routines { control: transfer, ..Routines::idle() });
        let handle = machine.open(DEVICE_NAME, GENERIC_READ | GENERIC_WRITE).expect("it opens");
        // SAFETY: the handle keeps the file.
        let device = unsafe { (*handle.file_object()).DeviceObject };
        // SAFETY: the file keeps its device, which nobody else uses.
        unsafe { (*device).Flags |= flags };
        let read = handle.start(Operation::Read { bytes: 3 }).wait(None).expect("completed");
        assert_eq!((read.status, read.information), (STATUS_SUCCESS, 2));
        // Of buffered I/O, the stated number of bytes is copied.
        let expected = if flags == DO_BUFFERED_IO { vec![7, 7, 0] } else { vec![7; 3] };
        assert_eq!(*read.output, expected, "flags {flags:#x}");
        let write =
            handle.start(Operation::Write { data: &[1, 0, 1] }).wait(None).expect("completed");
        assert_eq!(
            (write.status, write.information, write.output.to_vec()),
            (STATUS_SUCCESS, 2, vec![])
        );
        let read_only = machine.open(DEVICE_NAME, GENERIC_READ).expect("it opens");
        let refused = read_only.start(Operation::Write { data: &[1] }).wait(None).expect("refused");
        assert_eq!(refused.status, STATUS_ACCESS_DENIED);
        drop((handle, read_only));
        driver.unload();
    }
}

const PEND: u32 = code(1, METHOD_BUFFERED);
const RELEASE: u32 = code(2, METHOD_BUFFERED);

#[test]
fn pending_requests_are_completed_later_or_cancelled() {
    let _turn = turn();
    // SAFETY: null routines are a value of this type, which the initialization replaces.
    let empty = unsafe { MaybeUninit::<IO_CSQ>::zeroed().assume_init() };
    let made = Box::into_raw(Box::new(Queue { csq: empty, irps: Vec::new(), lock: 0 }));
    QUEUE.lock().expect("no test panics with it").0 = made;
    // SAFETY: the queue is writable.
    unsafe { IoCsqInitialize(csq(), insert, remove, peek, lock, unlock, cancelled) };
    let cleanup = || {
        // As a driver does: no request stays pending after a cleanup.
        loop {
            // SAFETY: the queue is initialized.
            let next = unsafe { IoCsqRemoveNextIrp(csq(), ptr::null_mut()) };
            if next.is_null() {
                break;
            }
            complete(next, STATUS_CANCELLED, 0);
        }
    };
    let (machine, driver) =
        load(options(), Routines { control: pend, cleanup, ..Routines::idle() });
    let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
    let (first, second) = (handle.ioctl_async(PEND, &[], 1), handle.ioctl_async(PEND, &[], 1));
    assert_eq!(first.wait(Some(Duration::from_millis(5))), None);
    assert!(first.cancel());
    assert!(!first.cancel());
    assert_eq!(first.wait(None).expect("cancelled").status, STATUS_CANCELLED);
    assert_eq!(handle.ioctl(RELEASE, &[], &mut []).0, STATUS_SUCCESS);
    let done = second.wait(None).expect("completed");
    assert_eq!(
        (done.status, done.information, done.output.to_vec()),
        (STATUS_SUCCESS, 1, vec![42])
    );
    assert!(!second.cancel());
    assert_eq!(handle.ioctl(RELEASE, &[], &mut []).0, STATUS_INVALID_DEVICE_REQUEST);
    // Cancels race with completions.
    for _ in 0..200 {
        let racing = handle.ioctl_async(PEND, &[], 1);
        let cancelled = std::thread::scope(|scope| {
            let cancel = scope.spawn(|| racing.cancel());
            let released = handle.ioctl(RELEASE, &[], &mut []).0;
            let cancelled = cancel.join().expect("the canceller ends");
            assert_ne!(cancelled, released == STATUS_SUCCESS);
            cancelled
        });
        let status = racing.wait(None).expect("completed or cancelled").status;
        assert_eq!(status, if cancelled { STATUS_CANCELLED } else { STATUS_SUCCESS });
    }
    // Completions arrive at a port in their order, including those of refused requests.
    let port = CompletionPort::new();
    let pend = Operation::Ioctl { code: PEND, input: &[], output: &[0] };
    let sent: Vec<_> = (0..2).map(|key| handle.start_on(pend, &port, key)).collect();
    handle.start_on(Operation::Write { data: &[1] }, &port, 2);
    assert!(sent[1].cancel());
    assert_eq!(handle.ioctl(RELEASE, &[], &mut []).0, STATUS_SUCCESS);
    let next = || port.wait().map(|(key, completed)| (key, completed.status));
    assert_eq!(next(), Some((2, STATUS_ACCESS_DENIED)));
    assert_eq!(next(), Some((1, STATUS_CANCELLED)));
    assert_eq!(next(), Some((0, STATUS_SUCCESS)));
    // The cleanup of a file completes the pending requests.
    handle.start_on(pend, &port, 3);
    drop(handle);
    port.close();
    assert_eq!(next(), Some((3, STATUS_CANCELLED)));
    assert_eq!(next(), None);
    driver.unload();
    // SAFETY: the driver is unloaded.
    let queue = unsafe { Box::from_raw(made) };
    assert!(queue.irps.is_empty());
}

#[test]
fn each_allocation_can_be_made_to_fail() {
    let _turn = turn();
    let control: fn(*mut IRP) -> NTSTATUS = |irp| {
        // SAFETY: has no conditions.
        let allocated = unsafe { IoAllocateIrp(1, 0) };
        // SAFETY: the memory is not touched.
        let mdl = unsafe { IoAllocateMdl(irp.cast(), 64, 0, 0, ptr::null_mut()) };
        let made = u8::from(!allocated.is_null()) + 2 * u8::from(!mdl.is_null());
        if !allocated.is_null() {
            // SAFETY: nothing uses it.
            unsafe { IoFreeIrp(allocated) };
        }
        if !mdl.is_null() {
            // SAFETY: nothing uses it.
            unsafe { IoFreeMdl(mdl) };
        }
        // SAFETY: the output has 1 byte.
        unsafe { system_buffer(irp).write(made) };
        complete(irp, STATUS_SUCCESS, 1)
    };
    let (machine, driver) = load(options(), Routines { control, ..Routines::idle() });
    let handle = machine.open(DEVICE_NAME, 0).expect("the device opens");
    let before = pool::allocation_count();
    let mut made = [0];
    for (fail, expected) in [(0, 3), (1, 2), (2, 1), (3, 3), (0, 3)] {
        pool::fail_allocation(fail);
        assert_eq!(handle.ioctl(code(0, METHOD_BUFFERED), &[], &mut made), (STATUS_SUCCESS, 1));
        assert_eq!(made, [expected], "allocation {fail} fails");
    }
    assert_eq!(pool::allocation_count() - before, 10);
    drop(handle);
    driver.unload();
}
