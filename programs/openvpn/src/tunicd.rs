//! Attaches to `tunicd`, the daemon that runs the driver.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::adapter::Adapter;
use crate::process::is_stderr_usable;

/// Limit for the daemon's start, and for its exit.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The daemon of an interface: one that already runs, or a child process that ends with us.
pub struct Tunicd {
    process: Option<Child>,
}

impl Tunicd {
    /// Opens the adapter of this interface. Starts a daemon where none serves it.
    pub fn attach(interface: &str) -> Result<(Self, Adapter)> {
        match Adapter::open(interface) {
            Ok(adapter) => return Ok((Self { process: None }, adapter)),
            Err(tunic::Error::NoAdapter(_)) => {}
            Err(error) => return Err(error).with_context(|| interface.to_owned()),
        }
        let mut command = Command::new(program());
        command.args(["--foreground", "--until-eof", "--log-level", "error"]);
        command.args(["--protocol", "openvpn", interface]);
        // A process group of its own: Ctrl-C must not reach it, as the exit message still needs it.
        // Its standard input closes with us, even if we are killed.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        if !is_stderr_usable() {
            command.stderr(Stdio::null());
        }
        let process = command.spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                anyhow::anyhow!("tunicd not found: neither beside this program nor in PATH")
            }
            _ => anyhow::anyhow!("can not start tunicd: {error}"),
        })?;
        let mut tunicd = Self { process: Some(process) };
        let adapter = tunicd.await_adapter(interface)?;
        Ok((tunicd, adapter))
    }

    /// Whether we started it.
    pub fn is_ours(&self) -> bool {
        self.process.is_some()
    }

    fn await_adapter(&mut self, interface: &str) -> Result<Adapter> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            match Adapter::open(interface) {
                Ok(adapter) => return Ok(adapter),
                Err(tunic::Error::NoAdapter(_)) => {}
                Err(error) => return Err(error).with_context(|| interface.to_owned()),
            }
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                bail!("tunicd exited: {status}");
            }
            if Instant::now() >= deadline {
                bail!("tunicd did not create {interface} in time");
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Tunicd {
    /// Stops the daemon and waits for its exit, if we started it.
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        if let Ok(pid) = i32::try_from(process.id()) {
            // It may have exited already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + START_TIMEOUT;
        while matches!(process.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = process.kill();
                let _ = process.wait();
                return;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// The program beside ours, else the one in PATH.
fn program() -> PathBuf {
    let beside = std::env::current_exe().ok().map(|program| program.with_file_name("tunicd"));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| "tunicd".into())
}
