//! What an INF must agree with.

use crate::arch::Arch;

/// The package that an INF is in.
#[derive(Clone)]
pub(crate) struct Surroundings {
    /// The INF's own name.
    pub(crate) name: String,
    /// What lies beside it.
    pub(crate) files: Vec<String>,
    /// What tunic.sys is built for, where that is one of ours.
    pub(crate) arch: Option<Arch>,
    /// The version of tunic.sys.
    pub(crate) version: [u16; 4],
    /// What the driver reads from the registry.
    pub(crate) keywords: Vec<String>,
}
