//! The driver of `driver.rs` as an image, compiled for Windows where the tests run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use require::Need;

/// The compiler's target of the image.
const TARGET: &str = "x86_64-pc-windows-msvc";

/// Linked as `cargo xtask driver` links the driver.
const SWITCHES: [&str; 8] = [
    "/DRIVER",
    "/SUBSYSTEM:NATIVE,10.0",
    "/ENTRY:DriverEntry",
    "/NODEFAULTLIB",
    "/RELEASE",
    "/NXCOMPAT",
    "/DYNAMICBASE",
    "/MAP:probe.map",
];

/// Tells a child process that its parent has built the image.
pub(crate) const IMAGE: &str = "NT_HOST_TEST_IMAGE";

/// The image. None if the compiler cannot build it, which is printed, and an error under
/// `TUNIC_REQUIRE_ALL=1`.
pub(crate) fn path() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT.get_or_init(|| std::env::var_os(IMAGE).map(PathBuf::from).or_else(build)).as_deref()
}

fn build() -> Option<PathBuf> {
    if !require::all("the probe", &[Need::RustTarget(TARGET)]) {
        return None;
    }
    // One for each process: test programs may run at the same time.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the image");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    compile(&folder, &here.join("../nic-core/nt-sys/src/lib.rs"), |rustc| {
        rustc.args(["--crate-type", "rlib", "--crate-name", "nt_sys", "--cap-lints", "allow"]);
    });
    compile(&folder, &here.join("tests/suite/probe/driver.rs"), |rustc| {
        rustc.args(["--extern", "nt_sys=libnt_sys.rlib", "-o", "probe.sys"]);
        rustc.args(["-Clinker=rust-lld", "-Clinker-flavor=lld-link"]);
        rustc.args(SWITCHES.map(|switch| format!("-Clink-arg={switch}")));
    });
    Some(folder.join("probe.sys"))
}

fn compile(folder: &Path, source: &Path, options: impl FnOnce(&mut Command)) {
    let mut rustc = rustc();
    rustc.current_dir(folder).arg(source).args(["--target", TARGET, "--edition", "2024"]);
    rustc.args(["-Copt-level=2", "-Cpanic=abort", "-Ctarget-feature=+crt-static"]);
    options(&mut rustc);
    let output = rustc.output().expect("the compiler runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn rustc() -> Command {
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
}
