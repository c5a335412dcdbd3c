//! The package that an INF must agree with.

use crate::arch::Arch;

/// The package that an INF is in.
#[derive(Clone)]
pub(crate) struct Package {
    /// The INF's own name.
    pub(crate) name: String,
    /// The files beside it.
    pub(crate) files: Vec<String>,
    /// The processor of tunic.sys, if it is a supported one.
    pub(crate) arch: Option<Arch>,
    /// The version of tunic.sys.
    pub(crate) version: [u16; 4],
    /// The registry values that the driver reads.
    pub(crate) keywords: Vec<String>,
}
