//! The stack of driver code: as small as a kernel thread's, with a guard page below.
//!
//! A kernel stack on 64-bit Windows has 24 KiB ("Using the Kernel Stack", windows-driver-docs). A
//! callback that the host makes runs on such a stack; what the host does in a function called from
//! there and what needs more runs on the thread's own ([`on_host`]). A callback made from inside
//! such a function goes on where the driver was, as on Windows.

use core::cell::Cell;
use core::ops::Range;
use core::panic::Location;
use core::ptr;

use crate::pages::Pages;
use crate::violation::{self, Rule, stop};

/// Bytes of a driver's stack. Code that is not optimized needs more, which says nothing of what
/// ships.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 96 * 1024 } else { 24 * 1024 };

/// Bytes below the stack that end the process when touched.
const GUARD_BYTES: usize = 16 * 1024;

/// What stays free below a stack pointer that was left: the frames of the switch, and the red zone.
const LEFT_FREE: usize = 1024;

/// Where this thread runs.
#[derive(Clone, Copy)]
enum Position {
    /// On its own stack, and no driver code is below.
    Host,
    /// On the driver stack; the host's goes on below `host`.
    Driver { host: usize },
    /// On its own stack, called from driver code whose stack goes on below `driver`.
    HostCall { driver: usize },
}

thread_local! {
    static POSITION: Cell<Position> = const { Cell::new(Position::Host) };
    /// Whether this thread is in code of the driver's own, and not in a function of the host that
    /// it called.
    static IN_DRIVER_CODE: Cell<bool> = const { Cell::new(false) };
    static CALLER: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    static STACK: Stack = Stack::new();
}

/// Runs driver code on this thread's driver stack. [`callback`](crate::callback) checks what the
/// code leaves behind.
#[track_caller]
pub(crate) fn on_driver_stack<R>(f: impl FnOnce() -> R) -> R {
    let caller = CALLER.replace(Some(Location::caller()));
    let position = POSITION.get();
    let was_driver_code = IN_DRIVER_CODE.replace(true);
    let result = match position {
        Position::Driver { .. } => f(),
        Position::Host => {
            let (base, top) = STACK.with(|stack| (stack.base(), stack.top()));
            call_on(base, top, f, |here| Position::Driver { host: here })
        }
        Position::HostCall { driver } => {
            let base = STACK.with(Stack::base);
            call_on(base, below(driver), f, |here| Position::Driver { host: here })
        }
    };
    IN_DRIVER_CODE.set(was_driver_code);
    POSITION.set(position);
    CALLER.set(caller);
    result
}

/// Leaves the driver's stack for host work that needs more.
pub fn on_host<R>(f: impl FnOnce() -> R) -> R {
    let position = POSITION.get();
    let Position::Driver { host } = position else {
        return f();
    };
    let top = below(host);
    // The base is not read: what is there is the thread's own stack with its own guard.
    let result =
        call_on(top.saturating_sub(64 * 1024), top, f, |here| Position::HostCall { driver: here });
    POSITION.set(position);
    result
}

/// Whether this thread runs driver code, or a host function called from it.
#[inline]
#[must_use]
pub fn in_driver() -> bool {
    !matches!(POSITION.get(), Position::Host)
}

/// Whether this thread is in code of the driver's own, and not in a function of the host that it
/// called.
#[inline]
pub(crate) fn in_driver_code() -> bool {
    IN_DRIVER_CODE.get()
}

/// The driver calls a function of the host, until this is dropped.
#[inline]
#[must_use]
pub(crate) fn leave_driver_code() -> HostCode {
    HostCode { was_driver_code: IN_DRIVER_CODE.replace(false) }
}

/// See [`leave_driver_code`].
pub(crate) struct HostCode {
    was_driver_code: bool,
}

impl Drop for HostCode {
    #[inline]
    fn drop(&mut self) {
        IN_DRIVER_CODE.set(self.was_driver_code);
    }
}

/// Forgets that this thread was in a driver, for a thread that left it without return.
pub(crate) fn abandon() {
    IN_DRIVER_CODE.set(false);
    POSITION.set(Position::Host);
    CALLER.set(None);
}

/// Whether `address` lies in the guard of this thread's driver stack, and which line of the host
/// called the driver.
pub(crate) fn guard_hit(address: usize) -> Option<Option<&'static Location<'static>>> {
    let base = GUARD_TOP.get();
    (base != 0 && address < base && address >= base - GUARD_BYTES).then(|| CALLER.get())
}

/// This thread's driver stack.
pub(crate) fn driver_stack() -> Option<Range<usize>> {
    let base = GUARD_TOP.get();
    (base != 0).then(|| base..base + STACK_BYTES)
}

thread_local! {
    /// Of this thread's driver stack, for the signal handler: no destructor, so always readable.
    static GUARD_TOP: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f` on the stack from `top` down to `base`; `position` tells from the stack pointer that is
/// left where that is.
fn call_on<R>(
    base: usize,
    top: usize,
    f: impl FnOnce() -> R,
    position: fn(usize) -> Position,
) -> R {
    // Less is no stack. Rather than fault outside of the guard, say so.
    if top < base + 1024 {
        stop(
            Rule::STACK_OVERRUN,
            "callback",
            format_args!("no stack is left for a nested callback"),
        );
    }
    let mut f = Some(f);
    let mut result = None;
    switch(base, top, position, &mut || result = f.take().map(|f| f()));
    let Some(result) = result else { unreachable!("the closure ran to its end") };
    result
}

/// The switch itself, with a small frame whatever the closure holds: what lies between `here` and
/// the stack pointer at the switch must be less than [`LEFT_FREE`].
#[inline(never)]
fn switch(base: usize, top: usize, position: fn(usize) -> Position, f: &mut dyn FnMut()) {
    let here = psm::stack_pointer().addr();
    POSITION.set(position(here));
    // SAFETY: `base..top` is stack memory of this thread that nothing uses: the driver's, or what
    // is free of its own.
    unsafe { psm::on_stack(ptr::with_exposed_provenance_mut(base), top - base, f) }
}

/// The aligned top of what is free below a stack pointer that was left.
fn below(stack_pointer: usize) -> usize {
    (stack_pointer - LEFT_FREE) & !63
}

/// A mapped stack with a guard, and a signal stack on which its overrun can be told.
struct Stack {
    pages: Pages,
    _signal_stack: Pages,
}

const SIGNAL_STACK_BYTES: usize = 64 * 1024;

impl Stack {
    fn new() -> Self {
        // A thread without a driver stack reports on the stack that it has.
        violation::set_report_stack(|report| on_host(report));
        let pages = Pages::new(GUARD_BYTES + STACK_BYTES).expect("memory for a stack");
        let guard = ptr::with_exposed_provenance_mut(pages.address());
        // SAFETY: the range is the lower end of the new pages.
        let protected = unsafe { libc::mprotect(guard, GUARD_BYTES, libc::PROT_NONE) };
        assert_eq!(protected, 0, "the guard of a stack cannot be protected");
        let signal_stack = Pages::new(SIGNAL_STACK_BYTES).expect("memory for a signal stack");
        let alternate = libc::stack_t {
            ss_sp: ptr::with_exposed_provenance_mut(signal_stack.address()),
            ss_flags: 0,
            ss_size: SIGNAL_STACK_BYTES,
        };
        // SAFETY: the memory stays mapped until the stack is taken back in `drop`.
        unsafe { libc::sigaltstack(&raw const alternate, ptr::null_mut()) };
        GUARD_TOP.set(pages.address() + GUARD_BYTES);
        Self { pages, _signal_stack: signal_stack }
    }

    fn base(&self) -> usize {
        self.pages.address() + GUARD_BYTES
    }

    fn top(&self) -> usize {
        self.base() + STACK_BYTES
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        GUARD_TOP.set(0);
        let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
        // SAFETY: no signal stack is a valid state.
        unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
    }
}
