//! A Wine prefix: the files and the registry of one Windows machine.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::command;
use crate::namespace::unique;

/// How long Wine may take to make a prefix.
const BOOT_TIME: Duration = Duration::from_secs(180);
const REGISTRY_FILES: [&str; 3] = ["system.reg", "user.reg", "userdef.reg"];

/// A prefix of its own, which goes when it is dropped.
pub(super) struct Prefix {
    folder: PathBuf,
    /// Its files are links to this one's, so that it is cheap.
    _template: Arc<Template>,
}

impl Prefix {
    /// Makes one.
    pub(super) fn new() -> Result<Self> {
        let template = Template::shared()?;
        let folder = require::scratch().join(unique("wine"));
        let prefix = Self { folder, _template: Arc::clone(&template) };
        let mut copy = Command::new("cp");
        copy.arg("--archive").arg("--link").arg(&template.0).arg(&prefix.folder);
        command::run(&mut copy, b"", BOOT_TIME)?.success()?;
        for file in REGISTRY_FILES {
            fs::remove_file(prefix.folder.join(file))?;
            fs::copy(template.0.join(file), prefix.folder.join(file))?;
        }
        Ok(prefix)
    }

    /// Its folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds to the registry of the machine, before it first runs.
    pub(super) fn append(&self, text: &str) -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.folder.join("system.reg"))?;
        Ok(file.write_all(text.as_bytes())?)
    }

    /// Has a command run in it.
    pub(super) fn set_environment(&self, command: &mut Command) {
        set_environment(command, &self.folder);
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The prefix that others are copies of. Tests that run side by side share it.
struct Template(PathBuf);

impl Template {
    fn shared() -> Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Template>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = shared.upgrade() {
            return Ok(template);
        }
        let template = Arc::new(Self(require::scratch().join(unique("wine"))));
        for (program, arguments) in [("wineboot", "--init"), ("wineserver", "--wait")] {
            let mut command = Command::new(program);
            command.arg(arguments);
            set_environment(&mut command, &template.0);
            let output = command::run(&mut command, b"", BOOT_TIME)?;
            output.success().with_context(|| format!("{program} {arguments}"))?;
        }
        *shared = Arc::downgrade(&template);
        Ok(template)
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        // Where it was not finished, its programs may still run.
        let mut command = Command::new("wineserver");
        command.arg("--kill");
        set_environment(&mut command, &self.0);
        let _ = command::run(&mut command, b"", BOOT_TIME);
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn set_environment(command: &mut Command, prefix: &Path) {
    command.env("WINEPREFIX", prefix).env("WINEDEBUG", "-all");
    // Neither .NET nor a browser: Wine would ask to download them.
    command.env("WINEDLLOVERRIDES", "mscoree=;mshtml=").env_remove("DISPLAY");
}
