//! Where messages go: stderr in the foreground, the system log in the background.

use std::fmt;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

use clap::ValueEnum;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// Nothing.
    Silent,
    /// What went wrong.
    Error,
    /// What happens to the interface as well.
    #[value(alias = "verbose")]
    Info,
    /// What the kernel tells as well.
    Debug,
}

/// Where messages go.
#[derive(Debug)]
pub enum Sink {
    /// The standard error stream.
    Stderr,
    /// The system log.
    Syslog(UnixDatagram),
    /// Nowhere: there is no system log.
    Nowhere,
}

struct Logger {
    level: Level,
    prefix: String,
    sink: Sink,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

impl Sink {
    /// The system log, where there is one.
    pub fn syslog() -> Self {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect("/dev/log")?;
            std::io::Result::Ok(socket)
        };
        connect().map_or(Self::Nowhere, Self::Syslog)
    }
}

/// Sets where messages go, once.
pub fn start(level: Level, interface: &str, sink: Sink) {
    let prefix = format!("tunicd({interface})");
    let _ = LOGGER.set(Logger { level, prefix, sink });
}

/// Tells what went wrong.
pub fn error(message: fmt::Arguments<'_>) {
    write(Level::Error, message);
}

/// Tells what happens.
pub fn info(message: fmt::Arguments<'_>) {
    write(Level::Info, message);
}

/// Tells what only a developer wants to know.
pub fn debug(message: fmt::Arguments<'_>) {
    write(Level::Debug, message);
}

fn write(level: Level, message: fmt::Arguments<'_>) {
    let Some(Logger { level: enabled, prefix, sink }) = LOGGER.get() else {
        return;
    };
    if level > *enabled {
        return;
    }
    match sink {
        Sink::Nowhere => {}
        Sink::Stderr => eprintln!("{prefix}: {message}"),
        Sink::Syslog(socket) => {
            // RFC 3164 section 4.1.1: facility 3 (daemons) and severities 3, 6, 7.
            let priority = 3 * 8
                + match level {
                    Level::Silent | Level::Error => 3,
                    Level::Info => 6,
                    Level::Debug => 7,
                };
            let process = std::process::id();
            let _ = socket.send(format!("<{priority}>{prefix}[{process}]: {message}").as_bytes());
        }
    }
}
