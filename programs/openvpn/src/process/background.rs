//! The process in the background (`daemon`): a child that goes on, and a parent that ends with the
//! child's code when the child has started.
//!
//! The child is a new instance of the program, not a fork. It reports on its standard output.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Set in the child's environment.
const CHILD: &str = "TUNIC_OPENVPN_CHILD";
const STARTED: &[u8] = b"started\n";

/// Runs the child and waits until it has started or failed; the child says why.
pub(super) fn spawn() -> Result<ExitCode> {
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .context("can not start a process in the background")?;
    let mut said = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut said)?;
    }
    if said == STARTED {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.filter(|code| *code != 0).unwrap_or(1)))
}

/// The parent of a child.
pub(super) struct Parent {
    status: File,
    /// `/dev/null`, which a changed root folder does not have.
    null: File,
}

impl Parent {
    /// This process's parent, if this is a child. Call it first: standard output becomes that of
    /// the parent's errors.
    pub(super) fn of_this() -> io::Result<Option<Self>> {
        if std::env::var_os(CHILD).is_none() {
            return Ok(None);
        }
        // A copy that other programs don't inherit.
        let status = io::stdout().as_fd().try_clone_to_owned()?.into();
        dup2_stdout(io::stderr())?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        Ok(Some(Self { status, null }))
    }

    /// Leaves the parent's session, so that the child survives its terminal.
    pub(super) fn leave_session(&self) -> Result<()> {
        nix::unistd::setsid().context("setsid")?;
        Ok(())
    }

    /// Reports the start, and releases the parent's standard streams. Output streams that are the
    /// log's stay.
    pub(super) fn release(mut self, has_own_streams: bool) -> io::Result<()> {
        dup2_stdin(&self.null)?;
        if !has_own_streams {
            dup2_stdout(&self.null)?;
            dup2_stderr(&self.null)?;
        }
        self.status.write_all(STARTED)
    }
}
