//! The program as a process: its log, its place in the background, the file with its number, and
//! what it gives up after its start.

mod account;
mod background;
mod log;
mod pid_file;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use tunic_confinement::capabilities::{self, Capability};
use tunic_confinement::filter::{Action, Program};
use tunic_confinement::memory::{self, Locked};
use tunic_confinement::process as confinement;

pub(crate) use log::{Level, Stream, is_stderr_usable, write};

use crate::commands::Commands;
use crate::process::account::Account;
use crate::process::background::Parent;
use crate::process::pid_file::PidFile;
use crate::profile::{LogFile, ProcessOptions};
use crate::root_folder;

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
    /// What happens at a system call that the program is not known to use: kill ends it by SIGSYS,
    /// log has the kernel log the call, off filters none.
    #[arg(long, value_name = "ACTION", default_value_t)]
    seccomp: Action,
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

/// Keeps the memory of this process from core dumps and from other processes of its user. Call it
/// before any key is read.
pub fn hide_memory() -> Result<()> {
    confinement::hide_memory()
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
    account: Account,
    /// The capabilities that remain.
    kept: Vec<Capability>,
    seccomp: Action,
    is_confined: bool,
    has_started: bool,
    /// Ends last.
    commands: Option<Commands>,
}

/// What becomes of a process.
pub enum Begun {
    /// It goes on.
    Here(Box<Process>),
    /// It ends with this code: with `daemon`, a child goes on, or has failed.
    Ended(ExitCode),
}

impl Process {
    /// Starts the log, and the process in the background with `daemon`. Call it before any thread
    /// starts. `name` is the program's in the system log.
    ///
    /// # Errors
    ///
    /// When the log file can't be opened, the child not started, or there is no such user.
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
        let account = Account::find(&options)?;
        root_folder::expect(options.root.clone());
        let mut process = Self {
            options,
            parent,
            pid_file: None,
            account,
            kept: Vec::new(),
            seccomp: arguments.seccomp,
            is_confined: false,
            has_started: false,
            commands: None,
        };
        process.lock_memory();
        Ok(Begun::Here(Box::new(process)))
    }

    fn lock_memory(&mut self) {
        match memory::lock() {
            Ok(Locked::WithoutLimit) => {}
            Ok(Locked::ByCapability) => self.kept.push(Capability::CAP_IPC_LOCK),
            Err(why) => error(format_args!("keys may be written to swap: {why}")),
        }
    }

    /// Starts the process that runs commands for this interface. Call it with the signals blocked
    /// that this process handles, and before any thread starts. Without effect if called again.
    pub fn start_commands(&mut self, interface: &str) -> Result<()> {
        if self.commands.is_none() {
            self.commands = Some(Commands::start(interface, self.seccomp)?);
        }
        Ok(())
    }

    /// Opens the file for the process's number, changes the root folder, the group and the user as
    /// the options say, and gives up all privileges and the system calls that `program` does not
    /// use. Call it before any thread starts. Without effect if called again.
    ///
    /// # Errors
    ///
    /// When something can't be given up. The process must not go on then.
    pub fn confine(&mut self, program: Program) -> Result<()> {
        if std::mem::replace(&mut self.is_confined, true) {
            return Ok(());
        }
        self.open_pid_file()?;
        // While there is the right to do so: programs could never get the others back.
        capabilities::bound(&self.kept)?;
        self.account.take_on(!self.kept.is_empty())?;
        root_folder::expect(None);
        capabilities::keep(&self.kept)?;
        confinement::forbid_new_privileges()?;
        // The change of the user has undone it.
        confinement::hide_memory()?;
        program.filter(self.seccomp).context("--seccomp off does without a filter")
    }

    /// Whether the process sees other files than before its start, or has other rights to them.
    pub fn has_changed_account(&self) -> bool {
        self.is_confined && self.account.is_changed()
    }

    /// Leaves the terminal's session with `daemon`: no question can be asked from here on. Call it
    /// before other programs are started.
    pub fn leave_session(&self) -> Result<()> {
        match &self.parent {
            Some(parent) => parent.leave_session(),
            None => Ok(()),
        }
    }

    fn open_pid_file(&mut self) -> Result<()> {
        if let Some(path) = &self.options.pid_file {
            let file = PidFile::open(path);
            self.pid_file = Some(file.with_context(|| format!("writepid {}", path.display()))?);
        }
        Ok(())
    }

    /// Says that the start has succeeded: writes the process's number, and ends the parent. Without
    /// effect if called again.
    pub fn started(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.has_started, true) {
            return Ok(());
        }
        if let Some(file) = &mut self.pid_file {
            file.write().context("writepid")?;
        }
        if let Some(parent) = self.parent.take() {
            std::env::set_current_dir("/")?;
            log::detach();
            parent.release(log::has_own_streams())?;
        }
        Ok(())
    }
}
