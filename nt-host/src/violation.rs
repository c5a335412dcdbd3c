//! What happens when a driver breaks a rule: one line that names it, and the end.

use core::fmt::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a process that [`stop`] ended.
pub const EXIT_CODE: i32 = 86;

/// A rule that a driver can break, by the name that is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(pub &'static str);

impl Rule {
    /// A function was called at an IRQL at which it must not be, or a callback returned at another
    /// than its own.
    pub const WRONG_IRQL: Self = Self("WRONG IRQL");
    /// A wait that can block, at DISPATCH_LEVEL or above.
    pub const WAIT_AT_DISPATCH: Self = Self("WAIT AT DISPATCH");
    /// A spin lock was acquired by the thread that holds it.
    pub const SPIN_LOCK_RECURSION: Self = Self("SPIN LOCK RECURSION");
    /// A spin lock was released by a thread that does not hold it.
    pub const SPIN_LOCK_NOT_OWNED: Self = Self("SPIN LOCK NOT OWNED");
    /// A spin lock was still held when the IRQL sank or a callback returned.
    pub const SPIN_LOCK_HELD: Self = Self("SPIN LOCK HELD");
    /// Locks were acquired in an order and in the opposite one.
    pub const LOCK_ORDER: Self = Self("LOCK ORDER");
    /// Pool memory was left at unload.
    pub const POOL_LEAK: Self = Self("POOL LEAK");
    /// Pool memory was freed twice.
    pub const DOUBLE_FREE: Self = Self("DOUBLE FREE");
    /// Something was freed that is no pool memory.
    pub const BAD_FREE: Self = Self("BAD FREE");
    /// Pool memory was freed with another tag than its own.
    pub const WRONG_TAG: Self = Self("WRONG TAG");
    /// Pool memory was written past its end or before its beginning.
    pub const POOL_OVERRUN: Self = Self("POOL OVERRUN");
    /// Freed pool memory was touched.
    pub const USE_AFTER_FREE: Self = Self("USE AFTER FREE");
    /// A callback used more stack than a kernel thread has.
    pub const STACK_OVERRUN: Self = Self("STACK OVERRUN");
    /// An IRP was completed twice.
    pub const DOUBLE_COMPLETION: Self = Self("DOUBLE COMPLETION");
    /// An IRP was completed or dispatched against the rules of the I/O manager.
    pub const BAD_IRP: Self = Self("BAD IRP");
    /// A pended IRP was never completed.
    pub const LOST_IRP: Self = Self("LOST IRP");
    /// An object that was never initialized, or is of another kind, was used.
    pub const BAD_OBJECT: Self = Self("BAD OBJECT");
    /// An argument that the documentation rules out.
    pub const BAD_ARGUMENT: Self = Self("BAD ARGUMENT");
    /// Memory with an active timer, DPC or wait in it was freed.
    pub const ACTIVE_OBJECT_FREED: Self = Self("ACTIVE OBJECT FREED");
    /// Extended processor state was not restored as it was saved.
    pub const EXTENDED_STATE: Self = Self("EXTENDED STATE");
    /// A thread, timer, device or other object was left at unload.
    pub const LEFT_AT_UNLOAD: Self = Self("LEFT AT UNLOAD");
    /// The driver ran after its unload.
    pub const CALL_AFTER_UNLOAD: Self = Self("CALL AFTER UNLOAD");
    /// Memory was touched that is not there.
    pub const ACCESS_VIOLATION: Self = Self("ACCESS VIOLATION");
    /// An instruction that drivers cannot execute, or none.
    pub const ILLEGAL_INSTRUCTION: Self = Self("ILLEGAL INSTRUCTION");
    /// The driver called KeBugCheckEx.
    pub const BUGCHECK: Self = Self("BUGCHECK");
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Prints the frames of images in a report. Registered by the module that loads images, so that
/// this module depends on no other.
pub(crate) struct FramePrinter {
    /// Prints the frames that called the host.
    pub(crate) callers: fn(),
    /// Prints the frames of a thread that faulted in an image.
    pub(crate) faulting: fn(&mut libc::ucontext_t),
}

static FRAMES: OnceLock<FramePrinter> = OnceLock::new();

/// Runs a report on a stack that has room for it.
type ReportStack = fn(&mut dyn FnMut());

static REPORT_STACK: OnceLock<ReportStack> = OnceLock::new();

/// Registers the printer of frames. Later registrations have no effect.
pub(crate) fn set_frame_printer(printer: FramePrinter) {
    let _ = FRAMES.set(printer);
}

/// Registers the function that leaves the driver's stack. Later registrations have no effect.
pub(crate) fn set_report_stack(on_host: ReportStack) {
    let _ = REPORT_STACK.set(on_host);
}

/// Ends the process: prints `nt-host: STOP <RULE>: <function>: <detail>` and exits with
/// [`EXIT_CODE`].
///
/// Where an image called, its frames follow, one a line. With `RUST_BACKTRACE` set it prints the
/// stack, too.
#[cold]
pub fn stop(rule: Rule, function: &str, detail: fmt::Arguments<'_>) -> ! {
    let mut report = || {
        print(rule, function, detail);
        if let Some(frames) = FRAMES.get() {
            (frames.callers)();
        }
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
        }
    };
    match REPORT_STACK.get() {
        Some(on_host) => on_host(&mut report),
        None => report(),
    }
    exit()
}

/// As [`stop`], from a signal handler: neither allocates nor locks.
#[cold]
pub(crate) fn stop_in_signal(rule: Rule, function: &str, detail: fmt::Arguments<'_>) -> ! {
    print(rule, function, detail);
    exit()
}

/// As [`stop_in_signal`], for a thread whose instruction lies in an image: its frames follow. That
/// thread was not in the allocator, so they can be named.
#[cold]
pub(crate) fn stop_in_image(
    rule: Rule,
    function: &str,
    context: &mut libc::ucontext_t,
    detail: fmt::Arguments<'_>,
) -> ! {
    print(rule, function, detail);
    if let Some(frames) = FRAMES.get() {
        (frames.faulting)(context);
    }
    exit()
}

fn print(rule: Rule, function: &str, detail: fmt::Arguments<'_>) {
    static STOPPED: AtomicBool = AtomicBool::new(false);
    if STOPPED.swap(true, Ordering::SeqCst) {
        // Another thread is printing and about to end the process.
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    let mut line = Line { bytes: [0; 1024], used: 0 };
    // A line that is too long is cut.
    let _ = writeln!(line, "nt-host: STOP {rule}: {function}: {detail}");
    line.write_out();
}

fn exit() -> ! {
    // SAFETY: has no conditions.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// One line of text in memory of its own.
struct Line {
    bytes: [u8; 1024],
    used: usize,
}

impl Line {
    fn write_out(&self) {
        let bytes = self.bytes.get(..self.used).unwrap_or_default();
        // SAFETY: the range is one live slice.
        let _ = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.used..).unwrap_or_default();
        let length = text.len().min(room.len());
        let (Some(to), Some(from)) = (room.get_mut(..length), text.as_bytes().get(..length)) else {
            return Err(fmt::Error);
        };
        to.copy_from_slice(from);
        self.used += length;
        if length < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}
