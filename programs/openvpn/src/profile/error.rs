//! Errors of profiles.

use std::fmt;
use std::path::PathBuf;

/// Why a profile can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProfileError {
    /// A line is invalid: its number, from 1, and the reason.
    Line(usize, String),
    /// A referenced file can't be read.
    File(PathBuf, std::io::Error),
    /// An option is missing, or options contradict each other.
    Incomplete(&'static str),
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number, what) => write!(f, "line {number}: {what}"),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Incomplete(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for ProfileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) => Some(error),
            _ => None,
        }
    }
}
