//! Our side of a tunnel: `tunicd` in a namespace.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::namespace::{Namespace, Running, unique};
use crate::wg::{self, Dump};
use crate::{binary, command, image, wait};

/// A running daemon and its interface.
#[derive(Debug)]
pub struct Tunicd {
    interface: String,
    log: std::path::PathBuf,
    process: Running,
}

impl Tunicd {
    /// Starts it in the foreground in a namespace and waits until `wg` can talk to it.
    pub fn start(namespace: &Namespace, options: &[&str]) -> Result<Self> {
        Self::start_as(namespace, &unique("tw"), options)
    }

    /// Like [`Tunicd::start`], with the interface's name given.
    pub fn start_as(namespace: &Namespace, interface: &str, options: &[&str]) -> Result<Self> {
        Self::launch(namespace, interface, options, || {
            wg::wg(&["show", interface], "").is_ok_and(|output| output.status.success())
        })
    }

    /// Starts one whose adapter is for OpenVPN's data channel, and waits until the SDK can talk to
    /// it.
    pub fn start_openvpn(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::launch(namespace, interface, &["--protocol", "openvpn"], || {
            tunic::DataChannel::open(interface).is_ok()
        })
    }

    fn launch(
        namespace: &Namespace,
        interface: &str,
        options: &[&str],
        is_ready: impl Fn() -> bool,
    ) -> Result<Self> {
        let log = require::scratch().join(format!("{interface}.log"));
        let mut command = namespace.command(binary::tunicd()?);
        command.args(["--foreground"]).args(options).arg(interface);
        image::hand_on(&mut command);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log)?);
        let process = namespace.spawn(&mut command)?;
        let mut tunicd = Self { interface: interface.to_owned(), log, process };
        wait::until("tunicd can be talked to", Duration::from_secs(20), || {
            tunicd.process.0.try_wait().is_ok_and(|status| status.is_some()) || is_ready()
        })
        .with_context(|| tunicd.log())?;
        if tunicd.process.0.try_wait()?.is_some() {
            bail!("tunicd ended: {}", tunicd.log());
        }
        Ok(tunicd)
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// The daemon's own: `ip netns exec` has become it by exec.
    pub fn process_id(&self) -> u32 {
        self.process.0.id()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `wg setconf` with this text.
    pub fn configure(&self, text: &str) -> Result<()> {
        wg::configure("setconf", &self.interface, text)?.success().with_context(|| self.log())?;
        Ok(())
    }

    /// `wg show dump`.
    pub fn dump(&self) -> Result<Dump> {
        Dump::of(&self.interface)
    }

    /// The adapter's count of discarded packets for a reason, as `tunic show` names it.
    pub fn discards(&self, reason: &str) -> Result<u64> {
        let mut show = Command::new(binary::tunic()?);
        let text = command::run(
            show.args(["show", &self.interface, "--discards"]),
            b"",
            Duration::from_secs(20),
        )?
        .success()?;
        for line in text.lines() {
            if let Some((name, count)) = line.split_once('\t')
                && name == reason
            {
                return Ok(count.parse()?);
            }
        }
        bail!("no discard reason {reason:?} in:\n{text}")
    }

    /// Ends it by SIGTERM. An error where it reports a leak, a broken rule, or does not end.
    pub fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.process_id())?);
        if let Some(status) = self.process.0.try_wait()? {
            bail!("tunicd had ended already, {status}: {}", self.log());
        }
        kill(pid, Signal::SIGTERM)?;
        let status = command::wait(&mut self.process.0, Duration::from_secs(20))
            .with_context(|| self.log())?;
        if !status.success() {
            bail!("tunicd ended with {status}: {}", self.log());
        }
        Ok(())
    }
}

impl Drop for Tunicd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.log);
    }
}
