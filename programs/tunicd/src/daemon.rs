//! The background process: a child that runs on, and a parent that ends when the child is ready.
//!
//! The child is a new instance of the program, not a fork, as the process may have threads. It
//! reports on its standard output that the interface and its sockets exist; until then, its
//! standard error is the parent's.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Set in the child's environment.
const CHILD: &str = "TUNICD_CHILD";
const READY: &[u8] = b"ready\n";

/// Whether this process is the child.
pub fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Runs the child and waits until it is ready. The inner error is the exit code of a child that
/// failed; the child has printed the reason.
pub fn spawn() -> io::Result<Result<(), u8>> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(CHILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(Ok(()));
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(Err(code.filter(|&code| code != 0).unwrap_or(1)))
}

/// Leaves the parent's session, so that the child survives the parent's terminal.
pub fn leave_session() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// Reports to the parent that the child is ready, and releases the parent's standard streams and
/// working directory.
pub fn ready() -> io::Result<()> {
    std::env::set_current_dir("/")?;
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // From here on, the standard streams are /dev/null.
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}
