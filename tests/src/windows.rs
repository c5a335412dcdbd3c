//! A machine on which Windows programs run: Debian's Wine, with Tunic's adapters below it.
//!
//! The programs are stock ones, built for Windows. The driver runs in `tunicd`, one for each
//! adapter. In Wine, the bridge (`tests/windows/bridge.c`) has the adapters' devices. What stands
//! in for Windows here, and what is therefore not proven, is in docs/windows.md.

mod adapter;
mod bridge;
mod prefix;
mod program;
mod registry;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

pub use adapter::{Adapter, Form, Kind};
pub use program::{OpenVpn, OpenVpnVersion};

use bridge::Bridge;
use prefix::Prefix;
use registry::Registry;
use require::Need;

use crate::command::{self, Output};
use crate::namespace::Namespace;

/// How long something may take to come about.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a test with Windows programs needs, beside the programs.
pub const NEEDS: [Need; 5] = [
    Need::Root,
    Need::Program("ip", "iproute2"),
    Need::Program("wine", "wine"),
    Need::Program("x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"),
    Need::DriverImage,
];

/// `wg.exe`.
pub const WG: Need = Need::Program("wg.exe", "built by .ci/peers");

/// A running machine. Its programs end with it.
pub struct Windows<'a> {
    namespace: &'a Namespace,
    adapters: Vec<Adapter>,
    prefix: Prefix,
    keeper: Option<(Child, ChildStdin)>,
    _bridge: Bridge,
}

impl<'a> Windows<'a> {
    /// Boots a machine with these adapters, which are in this namespace.
    pub fn boot(namespace: &'a Namespace, adapters: Vec<Adapter>) -> Result<Self> {
        let prefix = Prefix::new()?;
        let bridge = Bridge::start(namespace, &adapters)?;
        bridge::install(&prefix)?;
        let mut registry = Registry::default();
        for (number, adapter) in (0..).zip(&adapters) {
            registry.add_adapter(number, adapter)?;
        }
        registry.add_driver(bridge.devices());
        prefix.append(registry.text())?;
        let mut windows = Self { namespace, adapters, prefix, keeper: None, _bridge: bridge };
        windows.start_keeper()?;
        Ok(windows)
    }

    /// Its adapters.
    pub fn adapters(&self) -> &[Adapter] {
        &self.adapters
    }

    /// Its namespace.
    pub fn namespace(&self) -> &'a Namespace {
        self.namespace
    }

    /// A command that runs a program of Windows.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = self.namespace.command("wine");
        command.arg(program);
        self.prefix.set_environment(&mut command);
        command
    }

    /// Runs `wg.exe`, with `input` on its standard input, in a folder.
    pub fn wg(&self, folder: &Path, arguments: &[&str], input: &str) -> Result<Output> {
        let program = require::program("wg.exe").context("no wg.exe")?;
        let mut command = self.command(&program);
        command.current_dir(folder).args(arguments);
        command::run(&mut command, input.as_bytes(), PATIENCE)
    }

    /// Ends the programs, then the adapters. An error where the driver leaks something or breaks a
    /// rule of the kernel.
    pub fn stop(mut self) -> Result<()> {
        self.end()?;
        self.adapters.drain(..).try_for_each(Adapter::stop)
    }

    /// Starts the program that keeps Wine running, and waits until the bridge's devices are there.
    fn start_keeper(&mut self) -> Result<()> {
        let mut command = self.command(&bridge::keeper()?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().context("it has an input")?;
        let stdout = child.stdout.take().context("it has an output")?;
        self.keeper = Some((child, stdin));
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            sender.send(line)
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(line) if line.trim() == "ready" => Ok(()),
            said => bail!("the bridge does not start in Wine: {said:?}"),
        }
    }

    /// Ends all of this prefix's programs.
    fn end(&mut self) -> Result<()> {
        let Some((mut child, stdin)) = self.keeper.take() else { return Ok(()) };
        drop(stdin);
        let mut command = self.namespace.command("wineserver");
        command.arg("-k");
        self.prefix.set_environment(&mut command);
        let ended = command::run(&mut command, b"", PATIENCE);
        let _ = child.kill();
        let _ = child.wait();
        ended?.success().map(|_| ())
    }
}

impl Drop for Windows<'_> {
    fn drop(&mut self) {
        // What is left of it ends with the namespace.
        let _ = self.end();
    }
}
