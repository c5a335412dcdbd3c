//! The background: a child that lives on, and a parent that ends when the child is ready.
//!
//! The child is the same program run anew, not a fork of a process that may have threads. It says
//! so on its standard output when the interface and its sockets are there; until then what it
//! writes to stderr is seen.

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

/// Runs the child and waits until it is ready. The error is the exit code of a child that was not;
/// it has said why.
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

/// Leaves the parent's session, so that the end of its terminal does not end the child.
pub fn leave_session() -> io::Result<()> {
    nix::unistd::setsid()?;
    Ok(())
}

/// Tells the parent that everything is there, and lets go of its standard streams and its folder.
pub fn ready() -> io::Result<()> {
    std::env::set_current_dir("/")?;
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    // Whoever uses a standard stream from now on uses /dev/null.
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}
