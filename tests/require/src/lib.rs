//! What a test needs, and what happens where it is missing.
#![forbid(unsafe_code)]

mod scratch;
mod skipped;

use std::path::{Path, PathBuf};
use std::process::Command;

pub use self::scratch::scratch;
pub use self::skipped::Skipped;

/// Where `cargo xtask driver` puts the driver as the file that Windows loads.
pub const DRIVER_IMAGE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/driver/x64/tunic.sys");

/// Where `cargo xtask driver --preshared` puts the tests' driver.
pub const PRESHARED_IMAGE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/driver/x64/preshared.sys");

/// The programs that the guest is made with, and the Debian packages that they come from.
const GUEST_PROGRAMS: [(&str, &str); 6] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("cpio", "cpio"),
    ("modprobe", "kmod"),
    ("xz", "xz-utils"),
    ("apt-get", "apt: Debian, or a system like it"),
];

/// Something that a test can't do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// The right to make namespaces and interfaces.
    Root,
    /// A program on the path, and the Debian package or crate that it comes from.
    Program(&'static str, &'static str),
    /// The Rust compiler's standard library for a target.
    RustTarget(&'static str),
    /// The driver as the file that Windows loads, where the build of it puts it.
    DriverImage,
    /// The tests' driver with the small protocol as such a file.
    PresharedImage,
    /// What boots Debian's kernel in a virtual machine (`tests/guest/boot.sh`).
    Guest,
}

/// Whether a missing need is an error rather than a reason to skip: true in CI.
pub fn is_strict() -> bool {
    std::env::var_os("TUNIC_REQUIRE_ALL").is_some_and(|value| value == "1")
}

/// How long a timed test runs: in CI, and outside CI, where a shorter run of the same will do.
pub fn seconds(in_ci: u32, at_a_desk: u32) -> u32 {
    if is_strict() { in_ci } else { at_a_desk }
}

/// Returns true if all needs are met. If one isn't, reports the test as skipped.
///
/// # Panics
///
/// When a need is missing and `TUNIC_REQUIRE_ALL=1`, unless all that is missing is programs whose
/// sources no archive gives (`tests/windows/programs.sh`).
pub fn all(test: &str, needs: &[Need]) -> bool {
    let missing: Vec<Need> = needs.iter().filter_map(|need| missing(*need)).collect();
    if missing.is_empty() {
        return true;
    }
    let reasons: Vec<String> = missing.iter().map(|need| need.reason()).collect();
    let remedies: Vec<String> = missing.iter().map(|need| need.remedy()).collect();
    if missing.iter().all(|need| need.is_unobtainable()) {
        skipped::record(test, &reasons.join("; "), &remedies);
    } else {
        skip(test, &reasons.join("; "), &remedies);
    }
    false
}

/// Reports a test as skipped that has found out for itself that it can't run here.
///
/// # Panics
///
/// When `TUNIC_REQUIRE_ALL=1`.
pub fn skip(test: &str, reason: &str, remedies: &[String]) {
    assert!(!is_strict(), "{test} can't be skipped (TUNIC_REQUIRE_ALL=1): {reason}");
    skipped::record(test, reason, remedies);
}

impl Need {
    /// Why a test without it is skipped.
    fn reason(self) -> String {
        match self {
            Self::Root => "needs root to make network namespaces".into(),
            Self::Program(name, source) => format!("needs {name} ({source})"),
            Self::RustTarget(target) => format!("needs Rust's target {target}"),
            Self::DriverImage => format!("needs {DRIVER_IMAGE}"),
            Self::PresharedImage => format!("needs {PRESHARED_IMAGE}"),
            Self::Guest => "needs a virtual machine".into(),
        }
    }

    /// Whether `.ci/peers` found that it can't be had.
    fn is_unobtainable(self) -> bool {
        let Self::Program(name, _) = self else { return false };
        peer_programs().is_some_and(|folder| folder.join(format!("{name}.unavailable")).is_file())
    }

    /// What provides it.
    fn remedy(self) -> String {
        match self {
            Self::Root => "run as root".into(),
            // A Debian package's name has no space.
            Self::Program(_, source) if source.contains(' ') => source.into(),
            Self::Program(_, source) => format!("apt-get install {source}"),
            Self::RustTarget(target) => format!("rustup target add {target}"),
            Self::DriverImage => "cargo xtask driver".into(),
            Self::PresharedImage => "cargo xtask driver --preshared".into(),
            Self::Guest => "apt-get install qemu-system-x86 busybox-static cpio kmod".into(),
        }
    }
}

/// What is missing of a need; `None` if it is met.
fn missing(need: Need) -> Option<Need> {
    let is_met = match need {
        Need::Root => nix::unistd::geteuid().is_root(),
        Need::Program(name, _) => program(name).is_some(),
        Need::RustTarget(target) => has_rust_target(target),
        Need::DriverImage => Path::new(DRIVER_IMAGE).is_file(),
        Need::PresharedImage => Path::new(PRESHARED_IMAGE).is_file(),
        Need::Guest => {
            return GUEST_PROGRAMS
                .into_iter()
                .find_map(|(name, source)| missing(Need::Program(name, source)));
        }
    };
    (!is_met).then_some(need)
}

/// Whether the compiler can build for a target.
fn has_rust_target(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output =
        Command::new(rustc).args(["--print", "target-libdir", "--target", target]).output();
    let folder = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    folder.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Where a program is: on the path, or where the test set-up puts the peers it builds.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .chain(peer_programs())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The folder into which `.ci/peers` installs peers.
fn peer_programs() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    Some(cache.join("tunic-peers").join("bin"))
}

/// The script that boots Debian's kernel in a virtual machine.
pub fn guest_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/boot.sh")
}
