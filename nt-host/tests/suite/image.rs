//! A driver that is an image: what it may do, as on Windows, and the violations that stop it.

use std::sync::MutexGuard;

use nt_host::image::Malformed;
use nt_host::{Driver, LoadError, Machine};
use nt_sys::io::{CTL_CODE, FILE_ANY_ACCESS, FILE_DEVICE_NETWORK, METHOD_BUFFERED};
use nt_sys::ntdef::NTSTATUS;
use nt_sys::status::STATUS_OBJECT_TYPE_MISMATCH;

use crate::machine::{boot, turn};
use crate::{child, probe};

/// The functions of the probe.
const ADD_ONE: u32 = 0;
const RELOCATED: u32 = 1;
const LEVELS: u32 = 2;
const LARGE_FRAME: u32 = 3;
const MEMORY: u32 = 4;
const THREAD: u32 = 5;
const THREAD_OF_ANOTHER_TYPE: u32 = 6;
const READ_AT: u32 = 7;
const READ_GS: u32 = 8;
const DISABLE_INTERRUPTS: u32 = 9;
const WRITE_CODE: u32 = 10;
const BUGCHECK: u32 = 11;
const LOWER_WITH_LOCK: u32 = 12;
const ENDLESS: u32 = 13;
const CONTROL_REGION: u32 = 14;

struct Loaded {
    machine: Machine,
    driver: Driver,
    _turn: MutexGuard<'static, ()>,
}

impl Loaded {
    /// The probe; none if the compiler cannot build it.
    fn new() -> Option<Self> {
        let path = probe::path()?;
        let turn = turn();
        let machine = boot();
        let driver = machine.load_image(path).expect("the image loads");
        Some(Self { machine, driver, _turn: turn })
    }

    /// Unloads it, and removes the file that was written for perf.
    fn unload(self) {
        self.driver.unload();
        let _ = std::fs::remove_file(perf_map());
    }

    fn call(&self, function: u32, argument: u64) -> Result<u64, NTSTATUS> {
        let code =
            CTL_CODE(FILE_DEVICE_NETWORK, 0x800 + function, METHOD_BUFFERED, FILE_ANY_ACCESS);
        let device = self.machine.open(r"\Device\Probe", 0)?;
        let mut output = [0; 8];
        match device.ioctl(code, &argument.to_le_bytes(), &mut output) {
            (0, 8) => Ok(u64::from_le_bytes(output)),
            (status, _) => Err(status),
        }
    }
}

fn perf_map() -> String {
    format!("/tmp/perf-{}.map", std::process::id())
}

#[test]
fn an_image_runs_as_on_windows() {
    let Some(loaded) = Loaded::new() else { return };
    assert_eq!(loaded.call(ADD_ONE, 41), Ok(42));
    let sum = |text: &[u8]| text.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    assert_eq!(loaded.call(RELOCATED, 0), Ok(sum(b"relocated")));
    assert_eq!(loaded.call(RELOCATED, 1), Ok(sum(b"twice")));
    // PASSIVE_LEVEL, DISPATCH_LEVEL, PASSIVE_LEVEL, each as read from cr8 and from the kernel.
    assert_eq!(loaded.call(LEVELS, 0), Ok(0x0000_0202_0000));
    assert_eq!(loaded.call(LARGE_FRAME, 3), Ok(3600));
    assert_eq!(loaded.call(MEMORY, 0), Ok(3));
    assert_eq!(loaded.call(CONTROL_REGION, 0), Ok(3));
    assert_eq!(loaded.call(THREAD, 0), Ok(0));
    assert_eq!(loaded.call(THREAD_OF_ANOTHER_TYPE, 0), Err(STATUS_OBJECT_TYPE_MISMATCH));
    loaded.unload();
}

/// perf reads the names of code that is in no file from `/tmp/perf-PID.map`: start, size and name,
/// in hexadecimal.
#[test]
fn perf_finds_the_names_of_functions() {
    let Some(loaded) = Loaded::new() else { return };
    // SAFETY: the driver is loaded.
    let object = unsafe { &*loaded.driver.object() };
    let image = object.DriverStart.addr()..object.DriverStart.addr() + object.DriverSize as usize;
    let map = std::fs::read_to_string(perf_map()).expect("the names are written");
    let number = |word: Option<&str>| word.and_then(|word| usize::from_str_radix(word, 16).ok());
    let found = map.lines().any(|line| {
        let mut words = line.splitn(3, ' ');
        let (start, bytes) = (number(words.next()), number(words.next()));
        start.is_some_and(|start| image.contains(&start))
            && bytes.is_some_and(|bytes| bytes > 0)
            && words.next().is_some_and(|name| name.ends_with("::large_frame"))
    });
    assert!(found, "{image:x?}: {map}");
    loaded.unload();
}

#[test]
fn an_image_is_loaded_and_unloaded_again_and_again() {
    for _ in 0..50 {
        let Some(loaded) = Loaded::new() else { return };
        let object = loaded.driver.object();
        // SAFETY: the driver is loaded.
        let object = unsafe { &*object };
        assert!(!object.DriverStart.is_null() && object.DriverSize != 0);
        assert_eq!(loaded.call(ADD_ONE, 1), Ok(2));
        loaded.unload();
    }
}

#[test]
fn a_file_that_is_no_image_is_refused() {
    let _turn = turn();
    let machine = boot();
    let missing = machine.load_image("/nonexistent/driver.sys".as_ref());
    assert!(matches!(missing, Err(LoadError::Unreadable(_))), "{missing:?}");
    let program = std::env::current_exe().expect("the test has a file");
    let elf = machine.load_image(&program);
    assert!(matches!(elf, Err(LoadError::Malformed(Malformed::Format(_)))), "{elf:?}");
}

/// Makes the probe do something in a child process that must stop with this rule. Returns the
/// report; none if the compiler cannot build the probe.
fn stops(test: &str, rule: &str, breaking: fn(Loaded)) -> Option<(String, Vec<String>)> {
    let image = probe::path()?;
    Some(stops_in_child(test, rule, image, || {
        breaking(Loaded::new().expect("the parent has compiled it"));
    }))
}

/// As [`stops`], for what is done in the child.
fn stops_in_child(
    test: &str,
    rule: &str,
    image: impl AsRef<std::ffi::OsStr>,
    breaking: impl FnOnce(),
) -> (String, Vec<String>) {
    let (code, errors) =
        child::run(&format!("image::{test}"), Some((probe::IMAGE, image.as_ref())), breaking);
    assert_eq!(code, Some(nt_host::violation::EXIT_CODE), "{errors}");
    let start = format!("nt-host: STOP {rule}: ");
    let mut lines = errors.lines().skip_while(|line| !line.contains(&start)).map(str::to_owned);
    let line = lines.next().unwrap_or_else(|| panic!("no {start} in {errors}"));
    (line, lines.collect())
}

/// Requires frames of these functions, in this order.
fn assert_frames(frames: &[String], functions: &[&str]) {
    for (frame, function) in frames.iter().zip(functions) {
        assert!(frame.contains("probe.sys+0x") && frame.contains(function), "{frames:?}");
    }
    assert!(frames.len() >= functions.len(), "{frames:?}");
}

#[test]
fn an_access_to_nothing_is_told_with_its_function() {
    let stopped =
        stops("an_access_to_nothing_is_told_with_its_function", "ACCESS VIOLATION", |it| {
            let _ = it.call(READ_AT, 0x10);
        });
    let Some((line, frames)) = stopped else { return };
    assert!(line.contains("nothing is at 0x10, by probe.sys+0x"), "{line}");
    assert_frames(&frames, &["::read_at+", "::run+", "::control+"]);
}

#[test]
fn what_is_the_kernels_own_in_the_processor_control_region_is_not_there() {
    let stopped = stops(
        "what_is_the_kernels_own_in_the_processor_control_region_is_not_there",
        "ACCESS VIOLATION",
        |it| {
            let _ = it.call(READ_GS, 0);
        },
    );
    let Some((line, _)) = stopped else { return };
    assert!(line.contains("nothing is at 0x60 through GS"), "{line}");
}

#[test]
fn a_privileged_instruction_is_told() {
    let stopped = stops("a_privileged_instruction_is_told", "ILLEGAL INSTRUCTION", |it| {
        let _ = it.call(DISABLE_INTERRUPTS, 0);
    });
    let Some((line, _)) = stopped else { return };
    assert!(line.contains("at probe.sys+0x"), "{line}");
}

#[test]
fn code_cannot_be_written() {
    let stopped = stops("code_cannot_be_written", "ACCESS VIOLATION", |it| {
        let _ = it.call(WRITE_CODE, 0);
    });
    let Some((line, frames)) = stopped else { return };
    assert!(line.contains("by probe.sys+0x"), "{line}");
    assert_frames(&frames, &["::run+", "::control+"]);
}

#[test]
fn a_broken_rule_is_told_with_who_called() {
    let stopped = stops("a_broken_rule_is_told_with_who_called", "BUGCHECK", |it| {
        let _ = it.call(BUGCHECK, 7);
    });
    let Some((line, frames)) = stopped else { return };
    // 100 times 7.
    assert!(line.contains("KeBugCheckEx: 0x000000e2 (0x2bc,"), "{line}");
    assert_frames(&frames, &["::break_inner+", "::break_outer+", "::run+", "::control+"]);
}

/// The driver that ships, if `cargo xtask driver` has built it: its functions are named by the map
/// beside it.
#[test]
fn functions_of_the_driver_that_ships_are_named() {
    let test = "functions_of_the_driver_that_ships_are_named";
    let image = require::DRIVER_IMAGE;
    if !require::all(test, &[require::Need::DriverImage]) {
        return;
    }
    let (line, frames) = stops_in_child(test, "BAD ARGUMENT", image, || {
        let driver = boot().load_image(image.as_ref()).expect("the image loads");
        let object = driver.object();
        // SAFETY: the driver is loaded.
        let entry = unsafe { (*object).DriverInit }.expect("it has an entry point");
        // SAFETY: without a path to its key, which the host has to find.
        nt_host::callback::enter_driver(|| unsafe { entry(object, std::ptr::null_mut()) });
    });
    assert!(line.contains("NdisMRegisterMiniportDriver: "), "{line}");
    // The last act of this function is a jump to the other one, unless that is inlined.
    let is_named = |frame: &str| {
        ["DriverEntry", "nt::miniport::entry"].iter().any(|name| frame.contains(name))
    };
    let is_entry = |frame: &String| frame.contains("tunic.sys+0x") && is_named(frame);
    assert!(frames.first().is_some_and(|frame| frame.contains("tunic.sys+0x")), "{frames:?}");
    assert!(frames.iter().any(is_entry), "{frames:?}");
}

#[test]
fn cr8_obeys_the_rules_of_the_irql() {
    let stopped = stops("cr8_obeys_the_rules_of_the_irql", "SPIN LOCK HELD", |it| {
        let _ = it.call(LOWER_WITH_LOCK, 0);
    });
    let Some((line, _)) = stopped else { return };
    assert!(line.contains("mov cr8: lowers to PASSIVE_LEVEL with 1 spin locks held"), "{line}");
}

#[test]
fn a_stack_that_is_used_up_is_told() {
    let stopped = stops("a_stack_that_is_used_up_is_told", "STACK OVERRUN", |it| {
        let _ = it.call(ENDLESS, 0);
    });
    let Some((_, frames)) = stopped else { return };
    assert_frames(&frames, &["::endless+", "::endless+"]);
}

#[test]
fn a_call_after_the_unload_is_told() {
    let stopped = stops("a_call_after_the_unload_is_told", "CALL AFTER UNLOAD", |it| {
        let object = it.driver.object();
        // SAFETY: the driver is loaded.
        let dispatch = unsafe { (*object).MajorFunction[0] }.expect("it has a routine");
        it.driver.unload();
        // SAFETY: what is broken is what the host has to find.
        unsafe { dispatch(std::ptr::null_mut(), std::ptr::null_mut()) };
    });
    let Some((line, _)) = stopped else { return };
    assert!(line.contains("call: probe.sys+0x"), "{line}");
}
