//! What the program says of what it does: lines on stderr.

use std::fmt;

/// How much is said.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    verbosity: u8,
}

impl Log {
    /// 0 is errors alone, 1 each step, 2 what is behind the steps, 3 every odd packet.
    pub const fn new(verbosity: u8) -> Self {
        Self { verbosity }
    }

    /// Something went wrong.
    pub fn error(&self, what: impl fmt::Display) {
        self.line(0, &what);
    }

    /// A step that the user waits for.
    pub fn step(&self, what: impl fmt::Display) {
        self.line(1, &what);
    }

    /// What is behind a step.
    pub fn detail(&self, what: impl fmt::Display) {
        self.line(2, &what);
    }

    /// A packet that was dropped, and the like.
    pub fn trace(&self, what: impl fmt::Display) {
        self.line(3, &what);
    }

    /// Whether traces are said.
    pub const fn is_tracing(&self) -> bool {
        self.verbosity >= 3
    }

    fn line(&self, level: u8, what: &dyn fmt::Display) {
        if level <= self.verbosity {
            // A peer's words must not draw on the terminal.
            eprintln!("{}", what.to_string().replace(|c: char| c.is_control(), "?"));
        }
    }
}
