//! A network namespace that a test made, and that goes with it.

use std::ffi::OsStr;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use crate::command::{self, shell};

/// Numbers what this process makes, so that tests which run side by side don't meet.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A name no other test of this machine uses, at most 14 characters: fit for an interface.
pub fn unique(prefix: &str) -> String {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}{:x}n{number:x}", std::process::id())
}

/// A network namespace with its loopback up.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let name = unique("tn");
        shell(&format!("ip netns add {name}"))?;
        let namespace = Self { name };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Its name under `ip netns`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` in it.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        shell(&format!("ip -n {} {arguments}", self.name))
    }

    /// A command that will run in it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a shell line in it that must succeed in time.
    pub fn shell(&self, line: &str, timeout: Duration) -> Result<String> {
        let mut command = self.command("sh");
        command::run(command.args(["-ec", line]), b"", timeout)?
            .success()
            .with_context(|| line.to_owned())
    }

    /// Starts a program in it that runs until the guard is dropped; its output goes where the
    /// test's goes.
    pub fn spawn(&self, command: &mut Command) -> Result<Running> {
        let child = command.stdin(Stdio::null()).spawn()?;
        Ok(Running(child))
    }

    /// Runs `f` on a thread that lives in the namespace, for sockets of our own.
    pub fn enter<T: Send>(&self, f: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let file = File::open(format!("/var/run/netns/{}", self.name))?;
        std::thread::scope(|scope| {
            scope
                .spawn(move || {
                    setns(file, CloneFlags::CLONE_NEWNET)?;
                    f()
                })
                .join()
                .map_err(|_| anyhow!("the thread in the namespace panicked"))?
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ =
            shell(&format!("ip netns pids {0} | xargs -r kill -9; ip netns del {0}", self.name));
    }
}

/// A program that is killed with its test.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
