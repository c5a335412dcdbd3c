//! Memory faults and illegal instructions: which rule was broken.

use core::ffi::{c_int, c_void};
use core::fmt;
use core::mem::MaybeUninit;
use std::sync::OnceLock;

use crate::image::{self, control_region, trap};
use crate::ndis;
use crate::pool;
use crate::stack;
use crate::violation::{Rule, stop_in_image, stop_in_signal};

const SIGNALS: [c_int; 3] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL];

/// The previous action of each signal.
static BEFORE: OnceLock<[libc::sigaction; 3]> = OnceLock::new();

/// Installs the fault handler. Faults that are not the driver's are passed to the previous handler.
pub(crate) fn install() {
    let mut action = zeroed();
    action.sa_sigaction =
        (handle as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as *const ()).addr();
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let before = SIGNALS.map(|signal| {
        let mut before = zeroed();
        // SAFETY: the handler has the signature that SA_SIGINFO asks for.
        let failed = unsafe { libc::sigaction(signal, &raw const action, &raw mut before) };
        assert_eq!(failed, 0, "the handler of signal {signal} cannot be installed");
        before
    });
    let _ = BEFORE.set(before);
}

extern "C" fn handle(signal: c_int, information: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: passed by the kernel, as SA_SIGINFO asks for.
    let information = unsafe { &*information };
    // SAFETY: passed by the kernel, as SA_SIGINFO asks for.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: the signal is a fault, which has an address.
    let address = unsafe { information.si_addr() }.addr();
    let instruction = trap::instruction(context);
    let module = image::find(instruction);
    if let Some(module) = &module
        && information.si_code == SI_KERNEL
        // SAFETY: a general protection fault is raised by an instruction that was executed.
        && unsafe { trap::emulate(module, context) }
    {
        return;
    }
    if let Some(module) = &module
        && information.si_code != SI_KERNEL
        // SAFETY: the access was made by an instruction that was executed.
        && unsafe { control_region::emulate(module, context) }
    {
        return;
    }
    let fault = Fault { in_image: module.is_some(), context };
    if let Some(caller) = stack::guard_hit(address) {
        match caller {
            Some(caller) => fault.stop(
                Rule::STACK_OVERRUN,
                "callback",
                format_args!(
                    "used more than the {} KiB of a kernel stack (called from {caller})",
                    stack::STACK_BYTES / 1024
                ),
            ),
            None => fault.stop(Rule::STACK_OVERRUN, "callback", format_args!("")),
        }
    }
    if let Some((rule, explanation)) = pool::explain(address) {
        fault.stop(rule, "access", format_args!("{explanation}"));
    }
    if let Some((list, offset)) = ndis::guard::explain(address) {
        fault.stop(
            Rule::NBL_TOUCHED_AFTER_COMPLETION,
            "access",
            format_args!(
                "byte {offset} of the NET_BUFFER_LIST at {list:#x} and what belongs to it"
            ),
        );
    }
    if let Some(unloaded) = image::find(address).filter(|module| module.is_unloaded()) {
        let is_call = address == instruction;
        fault.stop(
            Rule::CALL_AFTER_UNLOAD,
            if is_call { "call" } else { "access" },
            format_args!("{} was unloaded", unloaded.locate(address)),
        );
    }
    if let Some(module) = &module {
        // SAFETY: the context is that of a faulting thread. An instruction that was not fetched
        // lies outside of the image's executable part.
        let kind = unsafe { trap::Kind::of(module, fault.context) };
        if signal == libc::SIGILL || information.si_code == SI_KERNEL {
            let place = module.locate(instruction);
            fault.stop(Rule::ILLEGAL_INSTRUCTION, "instruction", format_args!("at {place}{kind}"));
        }
        let place = module.locate(instruction);
        fault.stop(
            Rule::ACCESS_VIOLATION,
            "access",
            format_args!("nothing is at {address:#x}{kind}, by {place}"),
        );
    }
    if stack::in_driver() {
        fault.stop(Rule::ACCESS_VIOLATION, "access", format_args!("nothing is at {address:#x}"));
    }
    // Not the driver's: as if there were no handler here. The access faults again.
    let place = SIGNALS.iter().position(|known| *known == signal);
    let before = BEFORE.get().zip(place).and_then(|(before, place)| before.get(place).copied());
    let before = before.unwrap_or_else(|| {
        let mut default = zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        default
    });
    // SAFETY: what was installed before, or the default.
    unsafe { libc::sigaction(signal, &raw const before, core::ptr::null_mut()) };
}

/// The kernel's word for a fault that no address is known of (sigaction(2)).
const SI_KERNEL: c_int = 0x80;

/// Where a thread faulted.
struct Fault<'a> {
    in_image: bool,
    context: &'a mut libc::ucontext_t,
}

impl Fault<'_> {
    fn stop(self, rule: Rule, function: &str, detail: fmt::Arguments<'_>) -> ! {
        if self.in_image {
            stop_in_image(rule, function, self.context, detail)
        } else {
            stop_in_signal(rule, function, detail)
        }
    }
}

fn zeroed() -> libc::sigaction {
    // SAFETY: all zeros is a value of this type: the default action.
    unsafe { MaybeUninit::zeroed().assume_init() }
}
