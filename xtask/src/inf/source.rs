//! The INFs' source files, `inf/*.inx`.

use std::fs;

use anyhow::{Context, Result};

use crate::driver::workspace;

/// The name of each INF, and the hardware ID of its devices.
pub(crate) const SOURCES: [(&str, &str); 3] =
    [("tunic", "Tunic"), ("tunic-ovpn-dco", "ovpn-dco"), ("tunic-wg", "WireGuard")];

/// Reads an INF's source.
pub(crate) fn source(name: &str) -> Result<String> {
    let path = workspace().join("inf").join(format!("{name}.inx"));
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}
