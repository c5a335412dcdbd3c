//! Log lines of the client.

use std::fmt;

use crate::process::{self, Level, Stream};

/// A log with a verbosity.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    verbosity: u8,
}

impl Log {
    /// Verbosity 0 logs errors, 1 steps, 2 details, 3 dropped packets.
    pub const fn new(verbosity: u8) -> Self {
        Self { verbosity }
    }

    /// Logs an error.
    pub fn error(&self, what: impl fmt::Display) {
        self.line(0, &what);
    }

    /// Logs a step of connecting or disconnecting.
    pub fn step(&self, what: impl fmt::Display) {
        self.line(1, &what);
    }

    /// Logs a detail of a step.
    pub fn detail(&self, what: impl fmt::Display) {
        self.line(2, &what);
    }

    /// Logs a dropped packet or the like.
    pub fn trace(&self, what: impl fmt::Display) {
        self.line(3, &what);
    }

    fn line(&self, level: u8, what: &dyn fmt::Display) {
        if level <= self.verbosity {
            let level = match level {
                0 => Level::Error,
                1 => Level::Notice,
                _ => Level::Debug,
            };
            process::write(level, Stream::Error, &what.to_string());
        }
    }
}
