//! Violations: a driver that breaks a rule is reported in one line, and the process ends.

use core::fmt::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit code of a process that was ended by [`stop`].
pub const EXIT_CODE: i32 = 86;

/// A rule that a driver can break, with its name in reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(pub &'static str);

impl Rule {
    /// A function was called at the wrong IRQL, or a callback returned at another IRQL than it was
    /// called at.
    pub const WRONG_IRQL: Self = Self("WRONG IRQL");
    /// A wait that can block was begun at DISPATCH_LEVEL or above.
    pub const WAIT_AT_DISPATCH: Self = Self("WAIT AT DISPATCH");
    /// A spin lock was acquired by the thread that holds it.
    pub const SPIN_LOCK_RECURSION: Self = Self("SPIN LOCK RECURSION");
    /// A spin lock was released by a thread that does not hold it.
    pub const SPIN_LOCK_NOT_OWNED: Self = Self("SPIN LOCK NOT OWNED");
    /// A spin lock or a push lock was still held when the IRQL was lowered or a callback returned.
    pub const SPIN_LOCK_HELD: Self = Self("SPIN LOCK HELD");
    /// Two locks were acquired in opposite orders.
    pub const LOCK_ORDER: Self = Self("LOCK ORDER");
    /// Pool memory was left at unload.
    pub const POOL_LEAK: Self = Self("POOL LEAK");
    /// Pool memory was freed twice.
    pub const DOUBLE_FREE: Self = Self("DOUBLE FREE");
    /// A pointer was freed that is not the start of a pool block.
    pub const BAD_FREE: Self = Self("BAD FREE");
    /// Pool memory was freed with a wrong tag.
    pub const WRONG_TAG: Self = Self("WRONG TAG");
    /// Pool memory was written past its end or before its beginning.
    pub const POOL_OVERRUN: Self = Self("POOL OVERRUN");
    /// Freed pool memory was accessed.
    pub const USE_AFTER_FREE: Self = Self("USE AFTER FREE");
    /// A callback used more stack than a kernel thread has.
    pub const STACK_OVERRUN: Self = Self("STACK OVERRUN");
    /// An IRP was completed twice.
    pub const DOUBLE_COMPLETION: Self = Self("DOUBLE COMPLETION");
    /// An IRP was completed or dispatched against the rules of the I/O manager.
    pub const BAD_IRP: Self = Self("BAD IRP");
    /// An IRP that was marked pending was never completed.
    pub const LOST_IRP: Self = Self("LOST IRP");
    /// An object was used that is not initialized, or of another type.
    pub const BAD_OBJECT: Self = Self("BAD OBJECT");
    /// An argument is not allowed by the documentation.
    pub const BAD_ARGUMENT: Self = Self("BAD ARGUMENT");
    /// Memory that holds an active timer, DPC or wait was freed.
    pub const ACTIVE_OBJECT_FREED: Self = Self("ACTIVE OBJECT FREED");
    /// Extended processor state was not restored in the order in which it was saved.
    pub const EXTENDED_STATE: Self = Self("EXTENDED STATE");
    /// A thread, timer, device or other object was left at unload.
    pub const LEFT_AT_UNLOAD: Self = Self("LEFT AT UNLOAD");
    /// The driver ran after its unload.
    pub const CALL_AFTER_UNLOAD: Self = Self("CALL AFTER UNLOAD");
    /// Memory was accessed at an address where there is none.
    pub const ACCESS_VIOLATION: Self = Self("ACCESS VIOLATION");
    /// An illegal instruction, or one that drivers cannot execute, was executed.
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
/// If the call came from an image, its frames follow, one a line. With `RUST_BACKTRACE` set, the
/// host's backtrace follows, too.
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

/// As [`stop`], from a signal handler. Does not allocate and takes no lock.
#[cold]
pub(crate) fn stop_in_signal(rule: Rule, function: &str, detail: fmt::Arguments<'_>) -> ! {
    print(rule, function, detail);
    exit()
}

/// As [`stop_in_signal`], for a thread that faulted in an image. The image's frames follow, with
/// their names: the thread was not in the allocator, so that allocation is safe.
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
        // Another thread is already reporting, and will end the process.
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
    }
    let mut line = Line { bytes: [0; 1024], used: 0 };
    // A line that is too long is truncated.
    let _ = writeln!(line, "nt-host: STOP {rule}: {function}: {detail}");
    line.write_out();
}

fn exit() -> ! {
    // SAFETY: has no conditions.
    unsafe { libc::_exit(EXIT_CODE) }
}

/// A line of text in a buffer of fixed size.
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
