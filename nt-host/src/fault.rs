//! Memory faults: which rule was broken by an access to memory that is not there.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use std::sync::OnceLock;

use crate::ndis;
use crate::pool;
use crate::stack;
use crate::violation::{Rule, stop_in_signal};

static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler of SIGSEGV and SIGBUS. Faults that are not the driver's go where they went before.
pub(crate) fn install() {
    let mut action = zeroed();
    action.sa_sigaction =
        (handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as *const ()).addr();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let mut before = zeroed();
    // SAFETY: the handler has the signature that SA_SIGINFO asks for.
    let failed = unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, &raw mut before) };
    assert_eq!(failed, 0, "the handler of SIGSEGV cannot be installed");
    // SAFETY: as above.
    unsafe { libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut()) };
    let _ = BEFORE.set(before);
}

extern "C" fn handle(signal: c_int, information: *mut libc::siginfo_t, _context: *mut c_void) {
    // SAFETY: SA_SIGINFO gives this.
    let information = unsafe { &*information };
    // SAFETY: the signal is one of a fault, which has an address.
    let address = unsafe { information.si_addr() }.addr();
    if let Some(caller) = stack::guard_hit(address) {
        match caller {
            Some(caller) => stop_in_signal(
                Rule::STACK_OVERRUN,
                "callback",
                format_args!(
                    "used more than the {} KiB of a kernel stack (called from {caller})",
                    stack::STACK_BYTES / 1024
                ),
            ),
            None => stop_in_signal(Rule::STACK_OVERRUN, "callback", format_args!("")),
        }
    }
    if let Some((rule, explanation)) = pool::explain(address) {
        stop_in_signal(rule, "access", format_args!("{explanation}"));
    }
    if let Some((list, offset)) = ndis::guard::explain(address) {
        stop_in_signal(
            Rule::NBL_TOUCHED_AFTER_COMPLETION,
            "access",
            format_args!(
                "byte {offset} of the NET_BUFFER_LIST at {list:#x} and what belongs to it"
            ),
        );
    }
    if stack::in_driver() {
        stop_in_signal(
            Rule::ACCESS_VIOLATION,
            "access",
            format_args!("nothing is at {address:#x}"),
        );
    }
    // Not the driver's: as if there were no handler here. The access faults again.
    let mut default = zeroed();
    default.sa_sigaction = libc::SIG_DFL;
    let before = BEFORE.get().copied().unwrap_or(default);
    // SAFETY: what was installed before, or the default.
    unsafe { libc::sigaction(signal, &raw const before, ptr::null_mut()) };
}

fn zeroed() -> libc::sigaction {
    // SAFETY: all zeros is a value of this type: the default action.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
