//! The stack of driver code: of the size of a kernel thread's stack, with a guard below.
//!
//! A kernel stack on 64-bit Windows has 24 KiB ("Using the Kernel Stack", windows-driver-docs).
//! Callbacks run on such a stack. Functions of the host that need more leave it for the thread's
//! own stack ([`on_host`]). A callback from inside of such a function continues on the driver's
//! stack where the driver had left it, as on Windows.

use core::cell::Cell;
use core::ops::Range;
use core::panic::Location;
use core::ptr;

use crate::pages::Pages;
use crate::violation::{self, Rule, stop};

/// The size of a driver's stack in bytes. Unoptimized code needs more; its frames are not those
/// that ship.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 96 * 1024 } else { 24 * 1024 };

/// The size of the guard below the stack. An access to it ends the process.
const GUARD_BYTES: usize = 16 * 1024;

/// Bytes that stay unused below a saved stack pointer: the frames of the switch, and the red zone.
const LEFT_FREE: usize = 1024;

/// The stack that this thread runs on.
#[derive(Clone, Copy)]
enum Position {
    /// Its own stack, with no driver code below.
    Host,
    /// The driver's stack. The thread's own continues below `host`.
    Driver { host: usize },
    /// Its own stack, in a call from driver code. The driver's stack continues below `driver`.
    HostCall { driver: usize },
}

thread_local! {
    static POSITION: Cell<Position> = const { Cell::new(Position::Host) };
    /// Whether this thread executes the driver's own code, as opposed to a function of the host
    /// that the driver called.
    static IN_DRIVER_CODE: Cell<bool> = const { Cell::new(false) };
    static CALLER: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    static STACK: Stack = Stack::new();
}

/// Runs driver code on this thread's driver stack. [`callback`](crate::callback) checks the state
/// of the thread at the return.
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

/// Runs `f` on the thread's own stack, for host work that needs more than the driver's stack has.
pub fn on_host<R>(f: impl FnOnce() -> R) -> R {
    let position = POSITION.get();
    let Position::Driver { host } = position else {
        return f();
    };
    let top = below(host);
    // The base is never accessed: the thread's own stack has its own guard.
    let result =
        call_on(top.saturating_sub(64 * 1024), top, f, |here| Position::HostCall { driver: here });
    POSITION.set(position);
    result
}

/// Whether this thread runs driver code, or a host function that driver code called.
#[inline]
#[must_use]
pub fn in_driver() -> bool {
    !matches!(POSITION.get(), Position::Host)
}

/// Whether this thread executes the driver's own code, as opposed to a function of the host that
/// the driver called.
#[inline]
pub(crate) fn in_driver_code() -> bool {
    IN_DRIVER_CODE.get()
}

/// Marks the thread as executing host code until the result is dropped. For functions that the
/// driver calls.
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

/// Resets the state of a thread that leaves driver code without returning from it.
pub(crate) fn abandon() {
    IN_DRIVER_CODE.set(false);
    POSITION.set(Position::Host);
    CALLER.set(None);
}

/// Returns the host's source line that called the driver, if `address` lies in the guard of this
/// thread's driver stack.
pub(crate) fn guard_hit(address: usize) -> Option<Option<&'static Location<'static>>> {
    let base = GUARD_TOP.get();
    (base != 0 && address < base && address >= base - GUARD_BYTES).then(|| CALLER.get())
}

/// The addresses of this thread's driver stack.
pub(crate) fn driver_stack() -> Option<Range<usize>> {
    let base = GUARD_TOP.get();
    (base != 0).then(|| base..base + STACK_BYTES)
}

thread_local! {
    /// The lowest address above the guard of this thread's driver stack, for the signal handler. It
    /// has no destructor, and so can always be read.
    static GUARD_TOP: Cell<usize> = const { Cell::new(0) };
}

/// Runs `f` on the stack from `top` down to `base`. `position` makes the new position from the
/// stack pointer at the switch.
fn call_on<R>(
    base: usize,
    top: usize,
    f: impl FnOnce() -> R,
    position: fn(usize) -> Position,
) -> R {
    // Less is no usable stack. Report it here, because the overrun would miss the guard.
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

/// Switches stacks. Its frame is small whatever the closure holds: the bytes between `here` and the
/// stack pointer at the switch must be fewer than [`LEFT_FREE`].
#[inline(never)]
fn switch(base: usize, top: usize, position: fn(usize) -> Position, f: &mut dyn FnMut()) {
    let here = psm::stack_pointer().addr();
    POSITION.set(position(here));
    // SAFETY: `base..top` is unused stack memory of this thread: of the driver's stack, or below
    // the saved pointer of its own.
    unsafe { psm::on_stack(ptr::with_exposed_provenance_mut(base), top - base, f) }
}

/// The aligned top of the unused part below a saved stack pointer.
fn below(stack_pointer: usize) -> usize {
    (stack_pointer - LEFT_FREE) & !63
}

/// A mapped stack with a guard, and a signal stack on which the handler reports an overrun.
struct Stack {
    pages: Pages,
    _signal_stack: Pages,
}

const SIGNAL_STACK_BYTES: usize = 64 * 1024;

impl Stack {
    fn new() -> Self {
        // Before this, the thread reports on its own stack.
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
        // SAFETY: the memory stays mapped until `drop` disables the signal stack.
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
        // SAFETY: a thread may have no signal stack.
        unsafe { libc::sigaltstack(&raw const none, ptr::null_mut()) };
    }
}
