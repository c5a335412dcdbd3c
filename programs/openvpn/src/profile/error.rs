//! Why a profile can't be used.

use std::fmt;
use std::path::PathBuf;

/// Why a profile can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProfileError {
    /// A line is wrong: its number, from 1, and what about it.
    Line(usize, String),
    /// A file that it names can't be read.
    File(PathBuf, std::io::Error),
    /// Something is missing, or does not go together.
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
