//! The process that runs commands.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Child, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, dup2_stdin};
use tunic::UnixTransport;
use tunic_confinement::capabilities::{self, Capability};
use tunic_confinement::filter::{Action, Program};
use tunic_confinement::process as confinement;

use super::command::{Answer, Command};
use super::{INTERFACE, SECCOMP, wire};

/// Limit for tunicd's start, and for its exit.
const DAEMON_TIMEOUT: Duration = Duration::from_secs(20);

/// What ip(8), resolvconf(8) with its scripts, and tunicd need: tunicd drops most of it, for which
/// it needs CAP_SETPCAP, and locks its memory.
const KEPT: [Capability; 11] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_FOWNER,
    Capability::CAP_IPC_LOCK,
    Capability::CAP_KILL,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SETPCAP,
    Capability::CAP_SYS_RESOURCE,
];

/// Runs commands until the end of standard input if this process was started for that; returns
/// `None` in other processes. Call it first.
pub fn serve_if_asked() -> Option<ExitCode> {
    let interface = env::var(INTERFACE).ok()?;
    let served = serve(interface);
    if let Err(error) = &served {
        // There may be nobody to read it.
        let _ = writeln!(io::stderr(), "commands: {error:#}");
    }
    Some(if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve(interface: String) -> Result<()> {
    // A copy that the programs don't inherit.
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    dup2_stdin(File::open("/dev/null")?)?;
    capabilities::keep(&KEPT)?;
    // Programs of a user other than root have only what is passed on.
    for capability in [Capability::CAP_NET_ADMIN, Capability::CAP_NET_BIND_SERVICE] {
        capabilities::pass_on(capability)?;
    }
    confinement::forbid_new_privileges()?;
    let seccomp = env::var(SECCOMP).ok().and_then(|action| action.parse().ok()).unwrap_or_default();
    Program::Commands.filter(seccomp)?;
    let mut runner = Runner { interface, seccomp, daemon: None };
    while let Some(words) = wire::read(&stream).context("a command")? {
        let answer = match Command::of_words(&words, &runner.interface) {
            Some(command) => runner.run(&command),
            None => Err(io::Error::other(format!("not permitted: {}", words.join(" ")))),
        };
        wire::write(&stream, &Answer::words(answer)).context("an answer")?;
    }
    Ok(())
}

/// Runs commands for an interface.
struct Runner {
    interface: String,
    /// For tunicd.
    seccomp: Action,
    /// The tunicd that was started.
    daemon: Option<Daemon>,
}

impl Runner {
    fn run(&mut self, command: &Command) -> io::Result<Answer> {
        match command {
            Command::Ip(arguments) => ip(arguments),
            Command::SetNames { servers, domains } => {
                resolvconf(["-a", &self.interface], &resolver_lines(servers, domains))
            }
            Command::UnsetNames => resolvconf(["-d", &self.interface], ""),
            Command::StartDaemon => {
                let mut command = program(tunicd());
                command.arg("--seccomp").arg(self.seccomp.to_string());
                self.daemon = Some(Daemon::start(command, &self.interface)?);
                Ok(Answer { is_success: true, ..Answer::default() })
            }
            Command::StopDaemon => {
                self.daemon = None;
                Ok(Answer { is_success: true, ..Answer::default() })
            }
        }
    }
}

fn program(program: impl AsRef<OsStr>) -> process::Command {
    let mut command = process::Command::new(program);
    command.env_remove(INTERFACE).env_remove(SECCOMP);
    command
}

fn ip(arguments: &[String]) -> io::Result<Answer> {
    let output = program("ip").args(arguments).stdin(Stdio::null()).output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (output, errors, status) = (text(&output.stdout), text(&output.stderr), output.status);
    let errors = if errors.trim().is_empty() { status.to_string() } else { errors };
    Ok(Answer { is_success: status.success(), output, errors })
}

/// Its scripts may start daemons, which must get no pipe that is read to its end.
fn resolvconf(arguments: [&str; 2], input: &str) -> io::Result<Answer> {
    let mut command = program("resolvconf");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read says by its status whether it has failed.
        let _ = stdin.write_all(input.as_bytes());
    }
    let status = child.wait()?;
    let errors = status.to_string();
    Ok(Answer { is_success: status.success(), output: String::new(), errors })
}

/// Name servers and search domains in the form of resolv.conf(5).
fn resolver_lines(servers: &[IpAddr], domains: &[String]) -> String {
    let mut lines: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !domains.is_empty() {
        lines.push_str(&format!("search {}\n", domains.join(" ")));
    }
    lines
}

/// A tunicd that was started. Ends on drop.
struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits until it can be connected to.
    fn start(mut command: process::Command, interface: &str) -> io::Result<Self> {
        command.args(["--foreground", "--until-eof", "--log-level", "error"]);
        command.args(["--protocol", "openvpn", interface]);
        // Ctrl-C must not reach it, as the exit message still needs it. Its standard input closes
        // with this process, even if it is killed.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let message = "tunicd not found: neither beside this program nor in PATH";
                io::Error::new(io::ErrorKind::NotFound, message)
            }
            _ => io::Error::other(format!("can not start tunicd: {error}")),
        })?;
        let mut daemon = Self(child);
        let deadline = Instant::now() + DAEMON_TIMEOUT;
        loop {
            match UnixTransport::dial(interface) {
                Ok(_) => return Ok(daemon),
                Err(tunic::Error::NoAdapter(_)) => {}
                Err(error) => return Err(io::Error::other(error)),
            }
            if let Some(status) = daemon.0.try_wait()? {
                return Err(io::Error::other(format!("tunicd exited: {status}")));
            }
            if Instant::now() >= deadline {
                let message = format!("tunicd did not create {interface} in time");
                return Err(io::Error::other(message));
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It ends with its input, and by the signal where it does not read that yet.
        drop(self.0.stdin.take());
        if let Ok(pid) = i32::try_from(self.0.id()) {
            // It may have exited already.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let deadline = Instant::now() + DAEMON_TIMEOUT;
        while matches!(self.0.try_wait(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }
}

/// The program beside ours, else the one in PATH.
fn tunicd() -> PathBuf {
    let beside = env::current_exe().ok().map(|program| program.with_file_name("tunicd"));
    beside.filter(|program| program.is_file()).unwrap_or_else(|| "tunicd".into())
}
