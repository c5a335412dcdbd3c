//! Where log lines go: to a standard stream, a file, or the system log.

use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use nix::unistd::{dup2_stderr, dup2_stdout};
use tunic_confinement::output_file::{self, Existing};

use crate::profile::ProcessOptions;

/// The socket of the system log.
const SYSTEM_LOG: &str = "/dev/log";

static LOG: OnceLock<Destination> = OnceLock::new();

/// The importance of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Notice,
    Debug,
}

/// The standard stream for lines that go to no other destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

enum Destination {
    Streams,
    /// Both standard streams are the file.
    File {
        /// Of the times at the begin of lines; read once, as a changed root folder has no zones.
        zone: Option<TimeZone>,
    },
    SystemLog(SystemLog),
}

/// Sets the destination, once.
pub(super) fn start(name: &str, options: &ProcessOptions) -> Result<()> {
    let destination = if let Some(file) = &options.log_file {
        let existing = if file.is_appended { Existing::Append } else { Existing::Truncate };
        let opened = output_file::open(&file.path, existing)
            .with_context(|| format!("log file {}", file.path.display()))?;
        // Errors of programs that we start, and panics, go there too.
        dup2_stdout(&opened)?;
        dup2_stderr(&opened)?;
        Destination::File { zone: (!options.is_without_times).then(TimeZone::system) }
    } else if options.is_daemon || options.is_syslog {
        let name = options.log_name.as_deref().unwrap_or(name);
        Destination::SystemLog(SystemLog::new(Path::new(SYSTEM_LOG), name))
    } else {
        Destination::Streams
    };
    let _ = LOG.set(destination);
    Ok(())
}

/// From here on, nobody reads the standard streams.
pub(super) fn detach() {
    if let Some(Destination::SystemLog(log)) = LOG.get() {
        log.is_detached.store(true, Ordering::Relaxed);
    }
}

/// Whether the standard streams are the log file.
pub(super) fn has_own_streams() -> bool {
    matches!(LOG.get(), Some(Destination::File { .. }))
}

/// Whether programs that we start may write to our standard error.
pub(crate) fn is_stderr_usable() -> bool {
    !matches!(LOG.get(), Some(Destination::SystemLog(_)))
}

/// Writes a line. Its control characters become `?`: text of a peer must not control a terminal,
/// nor look like another line.
pub(crate) fn write(level: Level, stream: Stream, text: &str) {
    let text = text.replace(|c: char| c.is_control() && c != '\t', "?");
    match LOG.get() {
        Some(Destination::File { zone }) => print(stream, &timed(zone.as_ref(), &text)),
        Some(Destination::SystemLog(log)) => {
            log.write(level, &text);
            if level == Level::Error && !log.is_detached.load(Ordering::Relaxed) {
                print(Stream::Error, &text);
            }
        }
        Some(Destination::Streams) | None => print(stream, &text),
    }
}

/// A line with its time, as in stock OpenVPN.
fn timed(zone: Option<&TimeZone>, text: &str) -> String {
    match zone {
        Some(zone) => {
            let time = Timestamp::now().to_zoned(zone.clone());
            format!("{} {text}", time.strftime("%Y-%m-%d %H:%M:%S"))
        }
        None => text.to_owned(),
    }
}

/// Prints a line. Unlike `println`, goes on if the stream is closed or its disk is full.
fn print(stream: Stream, text: &str) {
    let line = format!("{text}\n");
    let _ = match stream {
        Stream::Output => io::stdout().lock().write_all(line.as_bytes()),
        Stream::Error => io::stderr().lock().write_all(line.as_bytes()),
    };
}

/// The system log, at a socket.
struct SystemLog {
    path: PathBuf,
    name: String,
    socket: Mutex<Option<UnixDatagram>>,
    is_detached: AtomicBool,
}

impl SystemLog {
    fn new(path: &Path, name: &str) -> Self {
        let socket = Mutex::new(connect(path).ok());
        let (path, name) = (path.to_owned(), name.to_owned());
        Self { path, name, socket, is_detached: AtomicBool::new(false) }
    }

    /// Sends a line; without a system log, it is lost.
    fn write(&self, level: Level, text: &str) {
        // RFC 3164, section 4.1.1: facility 3 (daemons). The receiver adds the time.
        let priority = 3 * 8
            + match level {
                Level::Error => 3,
                Level::Notice => 5,
                Level::Debug => 7,
            };
        let line = format!("<{priority}>{}[{}]: {text}", self.name, std::process::id());
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let send = |socket: &Option<UnixDatagram>| {
            socket.as_ref().is_some_and(|socket| socket.send(line.as_bytes()).is_ok())
        };
        if !send(&socket) {
            // It may have been restarted.
            *socket = connect(&self.path).ok();
            send(&socket);
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_log_gets_lines_also_after_its_restart() {
        let path = require::scratch().join(format!("tunic-syslog-{}", std::process::id()));
        let log = SystemLog::new(&path, "office");
        log.write(Level::Error, "lost: there is no system log");
        for level in [Level::Error, Level::Notice] {
            let receiver = UnixDatagram::bind(&path).unwrap();
            log.write(level, "up");
            let mut datagram = [0; 100];
            let length = receiver.recv(&mut datagram).unwrap();
            let number = if level == Level::Error { 27 } else { 29 };
            let line = format!("<{number}>office[{}]: up", std::process::id());
            assert_eq!(std::str::from_utf8(&datagram[..length]).unwrap(), line);
            std::fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn lines_have_the_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(5));
        let line = timed(Some(&zone), "up");
        let (time, text) = line.split_at("2026-01-02 03:04:05".len());
        let time = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", time).unwrap();
        let age = Timestamp::now().duration_since(time.to_zoned(zone).unwrap().timestamp());
        assert!(age.as_secs() < 60 && text == " up", "{line}");
        assert_eq!(timed(None, "up"), "up");
    }
}
