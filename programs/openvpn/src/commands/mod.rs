//! The programs that a client or a server needs, ip(8), resolvconf(8) and tunicd, and the process
//! that runs them.
//!
//! The process that talks to the network gives up its privileges after its start, among them that
//! of starting programs. So it starts this second process before, which keeps the privileges and
//! has neither keys nor a connection to the network: the program once more, on one end of a socket.
//! It takes the commands of `Command`, whose words it checks itself, for one interface.

mod command;
mod runner;
mod wire;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Child, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tunic_confinement::filter::Action;

pub(crate) use self::command::{Answer, Command};
pub use self::runner::serve_if_asked;
use crate::process::is_stderr_usable;

/// In the environment of the process: the interface that its commands are for.
const INTERFACE: &str = "TUNIC_OPENVPN_COMMANDS_FOR";
/// In the environment of the process: `--seccomp`, also for tunicd.
const SECCOMP: &str = "TUNIC_OPENVPN_COMMANDS_SECCOMP";

/// The connection to the process.
static CONNECTION: Mutex<Option<UnixStream>> = Mutex::new(None);

/// Has the process run a command.
///
/// # Errors
///
/// When the process is not started, or can't run the command: of the kind
/// [`io::ErrorKind::NotFound`] when its program is not installed. A program that fails is an
/// answer.
pub(crate) fn run(command: &Command) -> io::Result<Answer> {
    let connection = CONNECTION.lock().unwrap_or_else(PoisonError::into_inner);
    let stream = connection.as_ref().ok_or(io::ErrorKind::NotConnected)?;
    wire::write(stream, &command.words()).map_err(|error| lost(&error))?;
    let words = wire::read(stream).map_err(|error| lost(&error))?;
    Answer::of_words(&words.ok_or_else(|| lost(&io::ErrorKind::UnexpectedEof.into()))?)
}

fn lost(error: &io::Error) -> io::Error {
    io::Error::other(format!("lost the process that runs commands: {error}"))
}

/// The process. On drop, ends it, and with it the tunicd that it has started.
pub(crate) struct Commands(Child);

impl Commands {
    /// Starts the process. Call it before privileges are given up, and with the signals blocked
    /// that this process handles: the other one ends when its connection ends.
    pub(crate) fn start(interface: &str, seccomp: Action) -> Result<Self> {
        let (ours, theirs) = UnixStream::pair().context("a pair of sockets")?;
        let program = std::env::current_exe().context("this program's path")?;
        let mut command = process::Command::new(program);
        command.env(INTERFACE, interface).env(SECCOMP, seccomp.to_string());
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
        // A process group of its own: Ctrl-C must not reach it.
        command.process_group(0);
        if !is_stderr_usable() {
            command.stderr(Stdio::null());
        }
        let child = command.spawn().context("can not start the process that runs commands")?;
        *CONNECTION.lock().unwrap_or_else(PoisonError::into_inner) = Some(ours);
        Ok(Self(child))
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        // It ends with the connection.
        *CONNECTION.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let _ = self.0.wait();
    }
}
