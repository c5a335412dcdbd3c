//! The program as a process: its log, its place in the background, the file with its number.

mod background;
mod log;
mod pid_file;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

pub(crate) use log::{Level, Stream, is_stderr_usable, write};

use crate::process::background::Parent;
use crate::process::pid_file::PidFile;
use crate::profile::{LogFile, ProcessOptions};

/// Options of the command line that take precedence over those of the profile.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ProcessArguments {
    /// Runs in the background after the start, and logs to the system log, under this name.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    daemon: Option<Option<String>>,
    /// Logs to the system log, under this name.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    syslog: Option<Option<String>>,
    /// Logs to this file, which is emptied first.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Logs to this file, behind what it has.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    log_append: Option<PathBuf>,
    /// Writes no times into the log file.
    #[arg(long)]
    suppress_timestamps: bool,
    /// Writes the process's number to this file.
    #[arg(long, value_name = "FILE")]
    writepid: Option<PathBuf>,
}

impl ProcessArguments {
    /// These options, and else those of the profile.
    fn over(&self, profile: &ProcessOptions) -> ProcessOptions {
        let mut options = profile.clone();
        options.is_daemon |= self.daemon.is_some();
        options.is_syslog |= self.syslog.is_some();
        options.is_without_times |= self.suppress_timestamps;
        for name in [&self.syslog, &self.daemon].into_iter().flatten().flatten() {
            options.log_name = Some(name.clone());
        }
        // The working directory changes.
        let path = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        for (file, is_appended) in [(&self.log, false), (&self.log_append, true)] {
            if let Some(file) = file {
                options.log_file = Some(LogFile { path: path(file), is_appended });
            }
        }
        if let Some(file) = &self.writepid {
            options.pid_file = Some(path(file));
        }
        options
    }
}

/// Logs an error of the program.
pub fn error(what: impl fmt::Display) {
    write(Level::Error, Stream::Error, &what.to_string());
}

/// A running program. Its options apply from its start to its end, and not again when the profile
/// is read again, as in stock OpenVPN.
pub struct Process {
    options: ProcessOptions,
    parent: Option<Parent>,
    pid_file: Option<PidFile>,
}

/// What becomes of a process.
pub enum Begun {
    /// It goes on.
    Here(Process),
    /// It ends with this code: with `daemon`, a child goes on, or has failed.
    Ended(ExitCode),
}

impl Process {
    /// Starts the log, and the process in the background with `daemon`. Call it before any thread
    /// starts. `name` is the program's in the system log.
    ///
    /// # Errors
    ///
    /// When the log file can't be opened, or the child not started.
    pub fn begin(
        name: &str,
        arguments: &ProcessArguments,
        profile: &ProcessOptions,
    ) -> Result<Begun> {
        let options = arguments.over(profile);
        let parent = match options.is_daemon {
            true => match Parent::of_this()? {
                Some(parent) => Some(parent),
                None => return Ok(Begun::Ended(background::spawn()?)),
            },
            false => None,
        };
        log::start(name, &options)?;
        Ok(Begun::Here(Self { options, parent, pid_file: None }))
    }

    /// Leaves the terminal's session with `daemon`: no question can be asked from here on. Call it
    /// before other programs are started.
    pub fn leave_session(&self) -> Result<()> {
        match &self.parent {
            Some(parent) => parent.leave_session(),
            None => Ok(()),
        }
    }

    /// Says that the start has succeeded: writes the process's number, and ends the parent. Without
    /// effect if called again.
    ///
    /// What the process gives up after its start (`chroot`, `user`, `group`) belongs at the end of
    /// this method.
    pub fn started(&mut self) -> Result<()> {
        if self.pid_file.is_none()
            && let Some(path) = &self.options.pid_file
        {
            let file = PidFile::write(path);
            self.pid_file = Some(file.with_context(|| format!("writepid {}", path.display()))?);
        }
        if let Some(parent) = self.parent.take() {
            std::env::set_current_dir("/")?;
            log::detach();
            parent.release(log::has_own_streams())?;
        }
        Ok(())
    }
}
