//! A virtual machine on Debian's kernel, for what the kernel that the tests run on may lack:
//! WireGuard, netem.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command;
use crate::namespace::{Namespace, unique};

/// The end of its wire in the namespace that it was booted in.
pub const WIRE: &str = "kwp0";

/// Its `tc`, by its path: BusyBox's shell has one of its own, without netem.
pub const TC: &str = "/bin/tc";

/// Modules and programs that it has beside its script's own. The same for all, as all boot the same
/// archive.
const EXTRA: &str = "--extra-ko sch_netem --extra-bin 'tc cmp'";

const TIMEOUT: Duration = Duration::from_secs(60);

/// A virtual machine, which ends when dropped. Its only interface is `eth0`.
#[derive(Debug)]
pub struct Guest {
    script: PathBuf,
    /// The folder of its state.
    run: PathBuf,
}

impl Guest {
    /// Boots one whose wire ends in `namespace`.
    pub fn boot(namespace: &Namespace) -> Result<Self> {
        let script = require::kernel_peer_script().context("kernel-wg-peer.sh")?;
        let guest = Self { script, run: std::env::temp_dir().join(unique("kwp")) };
        // One at a time: the first builds the kernel's archive for all.
        let lock = std::env::temp_dir().join("tunic-kernel-peer.lock");
        let script = guest.script.display();
        let build = format!("flock {} {script} build {EXTRA}", lock.display());
        command::run(Command::new("sh").args(["-ec", &build]), b"", Duration::from_secs(300))?
            .success()?;
        let up = format!(
            "{script} up --run {} --net tap --netns {} --timeout 60 {EXTRA}",
            guest.run.display(),
            namespace.name(),
        );
        // An emulated machine sometimes hangs before its first word; the next one doesn't.
        let up = format!("{up} || {up}");
        command::run(Command::new("sh").args(["-ec", &up]), b"", Duration::from_secs(200))?
            .success()?;
        Ok(guest)
    }

    /// Runs a shell line in it that must succeed.
    pub fn shell(&self, line: &str) -> Result<String> {
        // The guest's shell says at the end whether the line came through.
        let line = format!("( set -e; {line}\n) && echo GUEST-OK");
        let mut command = Command::new(&self.script);
        command.args(["exec", "--run"]).arg(&self.run).arg(&line);
        let text = command::run(&mut command, b"", TIMEOUT)?.success()?;
        match text.trim_end().strip_suffix("GUEST-OK") {
            Some(output) => Ok(output.to_owned()),
            None => bail!("in the guest: {line}\n{text}"),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut down = Command::new(&self.script);
        let _ = command::run(down.args(["down", "--run"]).arg(&self.run), b"", TIMEOUT);
        let _ = std::fs::remove_dir_all(&self.run);
    }
}
