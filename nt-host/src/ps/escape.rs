//! A nonlocal return, by which PsTerminateSystemThread leaves a thread's routine.

use core::arch::naked_asm;
use core::ffi::c_void;

/// Calls `f(argument)`. Before the call, writes to `place` the stack pointer that [`leave`] needs.
///
/// # Safety
/// `place` is writable, and `f` may be called with `argument`.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn call(
    place: *mut usize,
    f: unsafe extern "sysv64" fn(*mut c_void),
    argument: *mut c_void,
) {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdi], rsp",
        "mov rdi, rdx",
        "call rsi",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Returns from the [`call`] that wrote `place`.
///
/// # Safety
/// That call is still active on this thread, and no frame above it has cleanup to do.
#[unsafe(naked)]
pub(super) unsafe extern "sysv64" fn leave(place: usize) -> ! {
    naked_asm!(
        "mov rsp, rdi",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}
