//! Child processes for tests that end their process.

use std::ffi::OsStr;
use std::process::Command;

/// Tells a child which test it runs.
pub(crate) const TEST: &str = "NT_HOST_TEST_BREAKS";

/// Does something in a child process that runs the same test, named by its modules and its name,
/// optionally with one more variable.
/// Returns the child's exit code and its output. The child ends here, with 0 unless it was stopped.
pub(crate) fn run(
    test: &str,
    variable: Option<(&str, &OsStr)>,
    act: impl FnOnce(),
) -> (Option<i32>, String) {
    if std::env::var(TEST).as_deref() == Ok(test) {
        // SAFETY: has no conditions. A child that hangs ends with a signal, and not with the exit
        // code of a stop.
        unsafe { libc::alarm(60) };
        act();
        std::process::exit(0);
    }
    let program = std::env::current_exe().expect("the test has a file");
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(TEST, test)
        .envs(variable)
        .env_remove("RUST_BACKTRACE")
        .output()
        .expect("the child runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
