//! An adapter of the Windows machine: `tunicd` with devices of its own.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::namespace::{Namespace, Running, unique};
use crate::{binary, command, wait};

/// Which stock programs an adapter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `wg.exe`, by WireGuardNT's ABI.
    WireGuard,
    /// `openvpn.exe`, by ovpn-dco-win's ABI.
    OpenVpn,
}

/// The form of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The release image `tunic.sys`.
    Image,
    /// Linked into `tunicd`, with the debug build's assertions.
    Linked,
}

/// An adapter. It ends when it is dropped.
#[derive(Debug)]
pub struct Adapter {
    interface: String,
    kind: Kind,
    index: u32,
    log: PathBuf,
    process: Running,
}

impl Adapter {
    /// Adds an adapter to the machine of a namespace.
    pub fn start(namespace: &Namespace, kind: Kind, form: Form) -> Result<Self> {
        let interface = unique("tw");
        let log = require::scratch().join(format!("{interface}.log"));
        // Each daemon has a folder for its sockets of its own, as all have devices of one name.
        fs::create_dir_all("/run/tunic")?;
        let mut command = namespace.command("sh");
        command.args(["-ec", "mount -t tmpfs tunic-test /run/tunic; exec \"$@\"", "sh"]);
        command.arg(binary::tunicd()?).args(["--foreground", "--log-level", "info"]);
        match form {
            Form::Image => command.args(["--driver", require::DRIVER_IMAGE]),
            Form::Linked => command.env_remove("TUNIC_DRIVER"),
        };
        if kind == Kind::OpenVpn {
            command.args(["--protocol", "openvpn", "--ovpn-dco"]);
        }
        command.arg(&interface).stdout(Stdio::null()).stderr(File::create(&log)?);
        let process = namespace.spawn(&mut command)?;
        let mut adapter = Self { interface, kind, index: 0, log, process };
        wait::until("tunicd is ready", Duration::from_secs(20), || {
            let has_ended = adapter.process.0.try_wait().is_ok_and(|status| status.is_some());
            has_ended || adapter.log().contains(": ready")
        })
        .with_context(|| adapter.log())?;
        ensure!(adapter.process.0.try_wait()?.is_none(), "tunicd ended: {}", adapter.log());
        adapter.index = index(namespace, &adapter.interface)?;
        Ok(adapter)
    }

    /// Its interface's name, which is its connection's name on Windows.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// Which programs it is for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its GUID as Wine has it, by the index of the interface: so programs that look the adapter up
    /// in the interface table find it there.
    pub(super) fn guid(&self) -> String {
        format!("{{{:08X}-0000-0000-0000-4E6574446576}}", self.index)
    }

    /// The socket of one of its devices; with `None`, of the adapter itself.
    pub(super) fn socket(&self, device: Option<&str>) -> PathBuf {
        let root = format!("/proc/{}/root/run/tunic", self.process.0.id());
        PathBuf::from(match device {
            Some(name) => format!("{root}/devices/{name}.sock"),
            None => format!("{root}/{}.sock", self.interface),
        })
    }

    /// Waits until no program has it open: Wine closes a killed program's files some time later.
    pub fn await_free(&self) -> Result<()> {
        self.show().map(|_| ())
    }

    /// Its count of packets that were discarded for a reason, as `tunic show` names it, once no
    /// program has it open.
    pub fn discards(&self, reason: &str) -> Result<u64> {
        let text = self.show()?;
        let mut counts = text.lines().filter_map(|line| line.split_once('\t'));
        let (_, count) = counts.find(|(name, _)| *name == reason).context("no such reason")?;
        Ok(count.parse()?)
    }

    fn show(&self) -> Result<String> {
        let mut shown = None;
        wait::until("the adapter is free", Duration::from_secs(20), || {
            let mut show = Command::new("nsenter");
            show.args(["--mount", "--target", &self.process.0.id().to_string()]);
            let Ok(program) = binary::tunic() else { return false };
            show.arg(program).args(["show", &self.interface, "--discards"]);
            let output = command::run(&mut show, b"", Duration::from_secs(20));
            shown = output.and_then(command::Output::success).ok();
            shown.is_some()
        })
        .with_context(|| self.log())?;
        shown.context("it was shown")
    }

    /// What its daemon logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it by SIGTERM. An error where the driver leaks something or breaks a rule.
    pub(super) fn stop(mut self) -> Result<()> {
        if let Some(status) = self.process.0.try_wait()? {
            bail!("tunicd had ended already, {status}: {}", self.log());
        }
        kill(Pid::from_raw(i32::try_from(self.process.0.id())?), Signal::SIGTERM)?;
        let status = command::wait(&mut self.process.0, Duration::from_secs(20))
            .with_context(|| self.log())?;
        let log = self.log();
        ensure!(status.success() && log.contains("unloaded, 0 leaks"), "{status}: {log}");
        Ok(())
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.log);
    }
}

/// The index of an interface.
fn index(namespace: &Namespace, interface: &str) -> Result<u32> {
    let line = namespace.ip(&format!("-o link show dev {interface}"))?;
    let index = line.split(':').next().context("an interface has an index")?;
    Ok(index.trim().parse()?)
}
