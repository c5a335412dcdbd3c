//! Errors of loading an image.

use core::error::Error;
use core::fmt;
use std::io;

use nt_sys::ntdef::NTSTATUS;

/// The reason why a driver was not loaded from a file.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file is not a valid image of a driver.
    Malformed(Malformed),
    /// It imports functions that nt-host does not have: all of them, as `module!name`.
    MissingImports(Vec<String>),
    /// There is no memory for it.
    Unmappable(io::Error),
    /// Its entry point failed with this status.
    Entry(NTSTATUS),
}

/// The error in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A header or table is malformed, or exceeds its bounds.
    Format(String),
    /// It is for another processor than x86-64.
    Machine(u16),
    /// It is not for the kernel: its subsystem is not 1, native.
    Subsystem(u16),
    /// Its checksum differs from the headers. The kernel does not load such a driver.
    CheckSum {
        /// The checksum in the headers.
        stated: u32,
        /// The checksum of the file.
        actual: u32,
    },
    /// It has no relocations, and so cannot be moved from its linked address.
    RelocationsStripped,
    /// It has a data directory that drivers cannot have: its index.
    Directory(usize),
    /// Sections are not aligned to pages, not in order, or overlap.
    Sections(String),
    /// A section's data exceeds the end of the file.
    Truncated(String),
    /// A section is writable and executable.
    WritableAndExecutable(String),
    /// The entry point is not in an executable section.
    Entry(u32),
    /// A relocation has another type than DIR64.
    RelocationType(u16),
    /// A relocation exceeds the image.
    RelocationOutside(u32),
    /// An import from this module is by ordinal, not by name.
    Ordinal(String),
}

impl Malformed {
    pub(super) fn format(what: &str) -> Self {
        Self::Format(what.to_owned())
    }
}

impl From<Malformed> for LoadError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<object::read::Error> for Malformed {
    fn from(error: object::read::Error) -> Self {
        Self::Format(error.to_string())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "the image cannot be read: {error}"),
            Self::Malformed(malformed) => write!(f, "not an image of a driver: {malformed}"),
            Self::MissingImports(names) => {
                write!(f, "the image imports what nt-host does not have: {}", names.join(", "))
            }
            Self::Unmappable(error) => write!(f, "the image cannot be mapped: {error}"),
            Self::Entry(status) => write!(f, "DriverEntry failed with {status:#010x}"),
        }
    }
}

impl Error for LoadError {}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(what) => f.write_str(what),
            Self::Machine(machine) => write!(f, "its machine is {machine:#06x}, not x86-64"),
            Self::Subsystem(subsystem) => write!(f, "its subsystem is {subsystem}, not native"),
            Self::CheckSum { stated, actual } => {
                write!(f, "its checksum is {actual:#x}, and its headers say {stated:#x}")
            }
            Self::RelocationsStripped => f.write_str("its relocations are stripped"),
            Self::Directory(index) => {
                write!(f, "it has a data directory {index}, which no driver has")
            }
            Self::Sections(name) => write!(f, "section {name} is not where it can be"),
            Self::Truncated(name) => write!(f, "section {name} lies beyond the end of the file"),
            Self::WritableAndExecutable(name) => {
                write!(f, "section {name} can be written and executed")
            }
            Self::Entry(address) => write!(f, "its entry point {address:#x} is not executable"),
            Self::RelocationType(kind) => write!(f, "it has a relocation of type {kind}"),
            Self::RelocationOutside(address) => {
                write!(f, "a relocation at {address:#x} reaches beyond the image")
            }
            Self::Ordinal(module) => {
                write!(f, "it imports from {module} by a number and not a name")
            }
        }
    }
}
