//! The driver as the file that Windows loads, which all tests use instead of the one that is linked
//! with them where `TUNIC_DRIVER` names it.

use std::path::{Path, PathBuf};
use std::process::Command;

use nt_host::DriverSource;

/// What tells tests, and `tunicd`, of the image.
const VARIABLE: &str = "TUNIC_DRIVER";

/// Where `cargo xtask driver` puts it.
pub const BUILT: &str = require::DRIVER_IMAGE;

/// The image. A relative path is one from the workspace's folder.
pub fn path() -> Option<PathBuf> {
    let path = std::env::var_os(VARIABLE)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"));
    Some(workspace.join(path))
}

/// The driver for a machine in this process.
pub fn source() -> DriverSource {
    let entry = tunic_driver::driver_entry;
    path().map_or(DriverSource::Linked { name: "tunic", entry }, DriverSource::Image)
}

/// Has `tunicd`, or what runs it, use the same driver.
pub fn hand_on(command: &mut Command) {
    if let Some(path) = path() {
        command.env(VARIABLE, path);
    }
}
