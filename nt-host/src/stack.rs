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

use nt_sys::ntdef::KIRQL;

use crate::driver;
use crate::ex::push_lock;
use crate::irql::{self, Name};
use crate::ke::spin_lock;
use crate::ke::xstate;
use crate::pages::Pages;
use crate::violation::{Rule, stop};

/// Bytes of a driver's stack. Code that is not optimized needs more, which says nothing of what
/// ships.
pub const STACK_BYTES: usize = if cfg!(debug_assertions) { 96 * 1024 } else { 24 * 1024 };

/// Bytes below the stack that end the process when touched.
const GUARD_BYTES: usize = 16 * 1024;

/// What stays free below a stack pointer that was left: the frames of the switch, and the red zone.
const LEFT_FREE: usize = 1024;

/// Where this thread runs.
#[derive(Clone, Copy)]
enum Place {
    /// On its own stack, and no driver code is below.
    Host,
    /// On the driver stack; the host's goes on below `host`.
    Driver { host: usize },
    /// On its own stack, called from driver code whose stack goes on below `driver`.
    HostCall { driver: usize },
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place::Host) };
    /// Whether this thread is in code of the driver's own, and not in a function of the host that
    /// it called.
    static IN_DRIVER_CODE: Cell<bool> = const { Cell::new(false) };
    static CALLER: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    static STACK: Stack = Stack::new();
}

/// Calls driver code on a driver's stack, and checks that it left the IRQL, the spin locks and the
/// extended state of the processor as they were.
#[track_caller]
pub fn enter_driver<R>(f: impl FnOnce() -> R) -> R {
    enter(f, |entry| entry)
}

/// What a callback must leave as it was.
#[derive(Clone, Copy)]
struct Entry {
    level: KIRQL,
    held: usize,
    push_locks: u32,
    saved: usize,
}

/// Calls driver code; `expect` tells from what was at the call what must be at the return.
#[track_caller]
fn enter<R>(f: impl FnOnce() -> R, expect: impl FnOnce(Entry) -> Entry) -> R {
    driver::require_loaded_for_callback();
    let caller = CALLER.replace(Some(Location::caller()));
    let entry = Entry {
        level: irql::current(),
        held: spin_lock::held(),
        push_locks: push_lock::held(),
        saved: xstate::depth(),
    };
    let place = PLACE.get();
    let was_driver_code = IN_DRIVER_CODE.replace(true);
    let result = match place {
        Place::Driver { .. } => f(),
        Place::Host => {
            let (base, top) = STACK.with(|stack| (stack.base(), stack.top()));
            call_on(base, top, f, |here| Place::Driver { host: here })
        }
        Place::HostCall { driver } => {
            let base = STACK.with(Stack::base);
            call_on(base, below(driver), f, |here| Place::Driver { host: here })
        }
    };
    IN_DRIVER_CODE.set(was_driver_code);
    PLACE.set(place);
    CALLER.set(caller);
    require_left_as(&expect(entry), Location::caller());
    result
}

fn require_left_as(entry: &Entry, caller: &Location<'_>) {
    if irql::current() != entry.level {
        stop(
            Rule::WRONG_IRQL,
            "callback",
            format_args!(
                "called at {}, returned at {} (called from {caller})",
                Name(entry.level),
                Name(irql::current()),
            ),
        );
    }
    if spin_lock::held() != entry.held {
        stop(
            Rule::SPIN_LOCK_HELD,
            "callback",
            format_args!(
                "called with {} spin locks held, returned with {} (called from {caller})",
                entry.held,
                spin_lock::held()
            ),
        );
    }
    if push_lock::held() != entry.push_locks {
        stop(
            Rule::SPIN_LOCK_HELD,
            "callback",
            format_args!("returned with a push lock held (called from {caller})"),
        );
    }
    if xstate::depth() != entry.saved {
        stop(
            Rule::EXTENDED_STATE,
            "callback",
            format_args!("returned without a restore (called from {caller})"),
        );
    }
}

/// As [`enter_driver`], for a callback that is called with the cancel spin lock held and gives it
/// back: returns the IRQL that it left, which should be `lowered`.
pub(crate) fn enter_driver_lowering(lowered: KIRQL, f: impl FnOnce()) -> KIRQL {
    let mut after = lowered;
    enter(f, |entry| {
        after = irql::current();
        Entry { level: after, held: entry.held - 1, ..entry }
    });
    after
}

/// Leaves the driver's stack for host work that needs more.
pub fn on_host<R>(f: impl FnOnce() -> R) -> R {
    let place = PLACE.get();
    let Place::Driver { host } = place else {
        return f();
    };
    let top = below(host);
    // The base is not read: what is there is the thread's own stack with its own guard.
    let result =
        call_on(top.saturating_sub(64 * 1024), top, f, |here| Place::HostCall { driver: here });
    PLACE.set(place);
    result
}

/// Whether this thread runs driver code, or a host function called from it.
#[inline]
#[must_use]
pub fn in_driver() -> bool {
    !matches!(PLACE.get(), Place::Host)
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
    PLACE.set(Place::Host);
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

/// Runs `f` on the stack from `top` down to `base`; `place` tells from the stack pointer that is
/// left where that is.
fn call_on<R>(base: usize, top: usize, f: impl FnOnce() -> R, place: fn(usize) -> Place) -> R {
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
    switch(base, top, place, &mut || result = f.take().map(|f| f()));
    let Some(result) = result else { unreachable!("the closure ran to its end") };
    result
}

/// The switch itself, with a small frame whatever the closure holds: what lies between `here` and
/// the stack pointer at the switch must be less than [`LEFT_FREE`].
#[inline(never)]
fn switch(base: usize, top: usize, place: fn(usize) -> Place, f: &mut dyn FnMut()) {
    let here = psm::stack_pointer().addr();
    PLACE.set(place(here));
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
