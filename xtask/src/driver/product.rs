//! Which driver is built.

/// A driver of this workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    /// The driver.
    Tunic,
    /// The tests' driver, with the small protocol of docs/adding-a-protocol.md.
    Preshared,
}

impl Product {
    /// The name of its image, without the extension.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tunic => "tunic",
            Self::Preshared => "preshared",
        }
    }

    /// The package that it is in; its program is called `NAME-sys`.
    pub(crate) const fn package(self) -> &'static str {
        match self {
            Self::Tunic => "tunic-driver",
            Self::Preshared => "preshared-driver",
        }
    }
}
