//! The processors that the driver is built for.

use clap::ValueEnum;

/// A processor architecture, under Windows' name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    X64,
    Arm64,
}

impl Arch {
    pub(crate) const ALL: [Self; 2] = [Self::X64, Self::Arm64];

    /// Windows' name, also that of its folders.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
        }
    }

    /// The Rust target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::X64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }
}
