//! Log messages: to standard error in the foreground, to the system log in the background.

use std::fmt;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

use clap::ValueEnum;

/// The log level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// No messages.
    Silent,
    /// Errors.
    Error,
    /// Errors and changes of the interface.
    #[value(alias = "verbose")]
    Info,
    /// Also the driver's debug output.
    Debug,
}

/// The destination of messages.
#[derive(Debug)]
pub enum Sink {
    /// The standard error stream.
    Stderr,
    /// The system log.
    Syslog(UnixDatagram),
    /// None: there is no system log.
    Nowhere,
}

struct Logger {
    level: Level,
    prefix: String,
    sink: Sink,
}

static LOGGER: OnceLock<Logger> = OnceLock::new();

impl Sink {
    /// The system log, if there is one.
    pub fn syslog() -> Self {
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect("/dev/log")?;
            std::io::Result::Ok(socket)
        };
        connect().map_or(Self::Nowhere, Self::Syslog)
    }
}

/// Sets the level and the destination of messages, once.
pub fn start(level: Level, interface: &str, sink: Sink) {
    let prefix = format!("tunicd({interface})");
    let _ = LOGGER.set(Logger { level, prefix, sink });
}

/// Logs an error.
pub fn error(message: fmt::Arguments<'_>) {
    write(Level::Error, message);
}

/// Logs a change of the interface.
pub fn info(message: fmt::Arguments<'_>) {
    write(Level::Info, message);
}

/// Logs a message for developers.
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
