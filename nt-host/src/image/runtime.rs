//! The C run-time functions that compiled code calls implicitly.
//!
//! The functions have Rust names here, because the C names belong to the process.

use core::arch::naked_asm;
use core::ffi::c_void;
use core::ptr;

use crate::export::{Export, Exports};
use crate::violation::{Rule, stop};

pub(crate) const EXPORTS: Exports = Exports {
    module: "ntoskrnl.exe",
    exports: &[
        Export { name: "memcpy", address: copy as *const () },
        Export { name: "memmove", address: copy as *const () },
        Export { name: "memset", address: set as *const () },
        Export { name: "memcmp", address: compare as *const () },
        Export { name: "__chkstk", address: touch_stack as *const () },
        Export { name: "__C_specific_handler", address: handle_exception as *const () },
    ],
};

/// string.h, memmove and memcpy.
///
/// # IRQL
/// Any.
///
/// # Safety
/// The ranges are readable and writable.
unsafe extern "efiapi" fn copy(to: *mut c_void, from: *const c_void, bytes: usize) -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { ptr::copy(from.cast::<u8>(), to.cast(), bytes) };
    to
}

/// string.h, memset.
///
/// # IRQL
/// Any.
///
/// # Safety
/// The range is writable.
unsafe extern "efiapi" fn set(to: *mut c_void, value: i32, bytes: usize) -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { ptr::write_bytes(to.cast::<u8>(), value as u8, bytes) };
    to
}

/// string.h, memcmp.
///
/// # IRQL
/// Any.
///
/// # Safety
/// The ranges are readable.
unsafe extern "efiapi" fn compare(left: *const c_void, right: *const c_void, bytes: usize) -> i32 {
    // SAFETY: as the caller promises.
    unsafe { libc::memcmp(left, right, bytes) }
}

/// The function that the compiler calls before it allocates a frame of more than a page ("Prolog
/// and epilog", x64). It touches each page of the `rax` bytes below, so that no frame can skip the
/// guard. It preserves all registers.
#[unsafe(naked)]
unsafe extern "efiapi" fn touch_stack() {
    naked_asm!(
        "push rcx",
        "push rax",
        // The caller's stack pointer.
        "lea rcx, [rsp + 24]",
        "2:",
        "cmp rax, 4096",
        "jb 3f",
        "sub rcx, 4096",
        "test [rcx], ecx",
        "sub rax, 4096",
        "jmp 2b",
        "3:",
        "sub rcx, rax",
        "test [rcx], ecx",
        "pop rax",
        "pop rcx",
        "ret",
    )
}

/// The handler that the unwind data of functions with `__try` names. No exception is ever raised
/// here, so it is never called.
unsafe extern "efiapi" fn handle_exception() {
    stop(Rule::BUGCHECK, "__C_specific_handler", format_args!("no exception was raised"));
}
