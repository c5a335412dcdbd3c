//! The processors that the driver is built for.

use clap::ValueEnum;

/// A processor's architecture, by Windows' name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    X64,
    Arm64,
}

impl Arch {
    pub(crate) const ALL: [Self; 2] = [Self::X64, Self::Arm64];

    /// Windows' name, which is that of folders, too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X64 => "x64",
            Self::Arm64 => "arm64",
        }
    }

    /// The compiler's target.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::X64 => "x86_64-pc-windows-msvc",
            Self::Arm64 => "aarch64-pc-windows-msvc",
        }
    }
}
