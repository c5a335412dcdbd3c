//! A driver that is an image: each of its device controls is one thing that an image may do, or
//! must not.
//!
//! Not a part of the tests' program: `probe::path` compiles it for Windows.
#![no_std]
#![no_main]

use core::arch::asm;
use core::ffi::c_void;
use core::hint::black_box;
use core::panic::PanicInfo;
use core::ptr;

use nt_sys::io::{
    DEVICE_OBJECT, DRIVER_OBJECT, IO_STACK_DEVICE_IO_CONTROL, IRP, IRP_MJ_CLEANUP, IRP_MJ_CLOSE,
    IRP_MJ_CREATE, IRP_MJ_DEVICE_CONTROL, IRP_TAIL_OVERLAY, IoCreateDevice, IoDeleteDevice,
    IofCompleteRequest,
};
use nt_sys::ke::{
    KSPIN_LOCK, KeAcquireSpinLockRaiseToDpc, KeBugCheckEx, KeGetCurrentIrql,
    KeQueryActiveProcessorCountEx,
};
use nt_sys::ntdef::{NTSTATUS, OBJECT_TYPE, ULONG, UNICODE_STRING};
use nt_sys::ps::{PsCreateSystemThread, PsGetCurrentThread, PsThreadType, THREAD_ALL_ACCESS};
use nt_sys::status::{STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS};

// nt-sys has none, as the driver has no frame that needs it.
#[link(name = "ntoskrnl.exe", kind = "raw-dylib", modifiers = "+verbatim")]
unsafe extern "C" {
    fn __chkstk();
}

/// What a device control gives out.
type Answer = Result<u64, NTSTATUS>;

/// `\Device\Probe`
static NAME: [u16; 13] = {
    let text = b"\\Device\\Probe";
    let mut units = [0; 13];
    let mut index = 0;
    while index < 13 {
        units[index] = text[index] as u16;
        index += 1;
    }
    units
};

/// A constant with an address in it, which has to be relocated.
static TEXT: [&[u8]; 2] = [b"relocated", b"twice"];

#[unsafe(export_name = "DriverEntry")]
unsafe extern "efiapi" fn driver_entry(
    driver: *mut DRIVER_OBJECT,
    _registry_path: *mut UNICODE_STRING,
) -> NTSTATUS {
    let mut name =
        UNICODE_STRING { Length: 26, MaximumLength: 26, Buffer: NAME.as_ptr().cast_mut() };
    let mut device: *mut DEVICE_OBJECT = ptr::null_mut();
    let status = unsafe { IoCreateDevice(driver, 0, &raw mut name, 0x12, 0, 0, &raw mut device) };
    if status != STATUS_SUCCESS {
        return status;
    }
    let driver = unsafe { &mut *driver };
    // DO_DEVICE_INITIALIZING is cleared by the I/O manager for devices that DriverEntry makes.
    driver.DriverUnload = Some(unload);
    for major in [IRP_MJ_CREATE, IRP_MJ_CLEANUP, IRP_MJ_CLOSE] {
        driver.MajorFunction[usize::from(major)] = Some(plain);
    }
    driver.MajorFunction[usize::from(IRP_MJ_DEVICE_CONTROL)] = Some(control);
    STATUS_SUCCESS
}

unsafe extern "efiapi" fn unload(driver: *mut DRIVER_OBJECT) {
    unsafe { IoDeleteDevice((*driver).DeviceObject) };
}

unsafe extern "efiapi" fn plain(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    unsafe { complete(irp, STATUS_SUCCESS, 0) }
}

unsafe extern "efiapi" fn control(_device: *mut DEVICE_OBJECT, irp: *mut IRP) -> NTSTATUS {
    let overlay = unsafe { (&raw const (*irp).Tail).cast::<IRP_TAIL_OVERLAY>() };
    let location = unsafe { (*overlay).CurrentStackLocation };
    let parameters =
        unsafe { *(&raw const (*location).Parameters).cast::<IO_STACK_DEVICE_IO_CONTROL>() };
    let buffer = unsafe { *(&raw const (*irp).AssociatedIrp).cast::<*mut u64>() };
    match run(parameters.IoControlCode >> 2 & 0x7ff, unsafe { buffer.read_unaligned() }) {
        Ok(answer) => {
            unsafe { buffer.write_unaligned(answer) };
            unsafe { complete(irp, STATUS_SUCCESS, 8) }
        }
        Err(status) => unsafe { complete(irp, status, 0) },
    }
}

unsafe fn complete(irp: *mut IRP, status: NTSTATUS, information: usize) -> NTSTATUS {
    unsafe { (*irp).IoStatus.Status = status };
    unsafe { (*irp).IoStatus.Information = information };
    unsafe { IofCompleteRequest(irp, 0) };
    status
}

#[inline(never)]
fn run(function: ULONG, argument: u64) -> Answer {
    match function {
        0 => Ok(argument + 1),
        1 => Ok(TEXT[(argument & 1) as usize].iter().fold(0, |sum, byte| sum + u64::from(*byte))),
        2 => Ok(levels()),
        3 => Ok(large_frame(argument)),
        4 => Ok(memory()),
        5 => thread_of_type(unsafe { PsThreadType }),
        6 => thread_of_type(ptr::without_provenance_mut(8)),
        14 => Ok(control_region()),
        // What must not be, from here on.
        7 => Ok(read_at(argument)),
        8 => {
            let mut word: u64;
            unsafe { asm!("mov {}, gs:[0x60]", out(reg) word) };
            Ok(word)
        }
        9 => {
            unsafe { asm!("cli") };
            Ok(0)
        }
        10 => {
            let place = run as fn(ULONG, u64) -> Answer as *mut u8;
            unsafe { place.write_volatile(0xc3) };
            Ok(0)
        }
        11 => break_outer(argument),
        12 => {
            let mut lock: KSPIN_LOCK = 0;
            unsafe { KeAcquireSpinLockRaiseToDpc(&raw mut lock) };
            unsafe { asm!("mov cr8, {}", in(reg) 0_u64) };
            Ok(0)
        }
        13 => Ok(endless(argument)),
        _ => Err(STATUS_INVALID_DEVICE_REQUEST),
    }
}

/// The IRQL as cr8 has it and as the kernel says, before it is raised by cr8, then, and when it was
/// lowered: a byte each.
fn levels() -> u64 {
    let mut levels = 0;
    let before: u64;
    unsafe { asm!("mov {}, cr8", out(reg) before) };
    for level in [before, 2, before] {
        let now: u64;
        unsafe { asm!("mov cr8, {}", in(reg) level) };
        // A register with a high number, which is encoded in another way.
        unsafe { asm!("mov r13, cr8", out("r13") now) };
        levels = levels << 16 | now << 8 | u64::from(unsafe { KeGetCurrentIrql() });
    }
    levels
}

/// What Microsoft's headers read inline through GS: how much of it is as the kernel's functions
/// say.
fn control_region() -> u64 {
    let (thread, again, processor): (u64, u64, u64);
    unsafe { asm!("mov {}, gs:[0x188]", out(reg) thread) };
    unsafe { asm!("mov r13, gs:[0x188]", out("r13") again) };
    unsafe { asm!("movzx {:e}, byte ptr gs:[0x184]", out(reg) processor) };
    let current = unsafe { PsGetCurrentThread() }.addr() as u64;
    let count = unsafe { KeQueryActiveProcessorCountEx(0) };
    u64::from(thread == current) + u64::from(again == current) + u64::from(processor < count.into())
}

/// Uses a frame of more than two pages, for which the compiler calls `__chkstk`.
#[inline(never)]
fn large_frame(argument: u64) -> u64 {
    let mut words = [argument; 1200];
    black_box(&mut words).iter().fold(0, |sum: u64, word| sum.wrapping_add(*word))
}

/// Moves, sets and compares memory of lengths that the compiler does not know: how many of these
/// went right.
fn memory() -> u64 {
    let mut bytes = [0_u8; 64];
    let length = black_box(40);
    bytes[..length].fill(7);
    let set = bytes[39] == 7 && bytes[40] == 0;
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = index as u8;
    }
    bytes.copy_within(0..length, 8);
    let moved = bytes[8] == 0 && bytes[47] == 39 && bytes[48] == 48;
    let mut copy = [0; 64];
    copy[..length].copy_from_slice(&bytes[..length]);
    let compared = copy[..length] == bytes[..length] && copy[..length] < bytes[8..8 + length];
    u64::from(set) + u64::from(moved) + u64::from(compared)
}

/// Starts a thread and asks for its object as one of a type.
fn thread_of_type(kind: *mut OBJECT_TYPE) -> Answer {
    let mut handle = ptr::null_mut();
    let status = unsafe {
        PsCreateSystemThread(
            &raw mut handle,
            THREAD_ALL_ACCESS,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            nothing,
            ptr::null_mut(),
        )
    };
    if status != STATUS_SUCCESS {
        return Err(status);
    }
    let mut object = ptr::null_mut();
    let status = unsafe {
        nt_sys::ob::ObReferenceObjectByHandle(
            handle,
            THREAD_ALL_ACCESS,
            kind,
            0,
            &raw mut object,
            ptr::null_mut(),
        )
    };
    if status == STATUS_SUCCESS {
        unsafe { nt_sys::ob::ObfDereferenceObject(object) };
    }
    unsafe { nt_sys::ob::ZwClose(handle) };
    if status == STATUS_SUCCESS { Ok(0) } else { Err(status) }
}

unsafe extern "efiapi" fn nothing(_context: *mut c_void) {}

#[inline(never)]
fn read_at(address: u64) -> u64 {
    black_box(unsafe { ptr::with_exposed_provenance::<u64>(address as usize).read_volatile() })
}

#[inline(never)]
fn break_outer(argument: u64) -> Answer {
    let answer = break_inner(argument);
    black_box(answer).map(|answer| answer + 1)
}

#[inline(never)]
fn break_inner(argument: u64) -> Answer {
    let words = [argument; 100];
    let sum = black_box(&words).iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
    unsafe { KeBugCheckEx(0xe2, sum as usize, 0, 0, 0) }
}

/// Never returns, and takes more and more of the stack.
#[inline(never)]
fn endless(argument: u64) -> u64 {
    let words = [argument; 100];
    let below = if argument == u64::MAX { 0 } else { endless(argument + 1) };
    black_box(&words)[(below % 100) as usize] + below
}

#[panic_handler]
fn on_panic(_panic: &PanicInfo<'_>) -> ! {
    unsafe { KeBugCheckEx(0xdead, 0, 0, 0, 0) }
}

/// Named by code that uses floating point.
#[unsafe(no_mangle)]
static _fltused: i32 = 0;

/// Named by unwind data of the compiler's own functions.
#[unsafe(no_mangle)]
extern "C" fn __CxxFrameHandler3() -> i32 {
    1
}
