//! The driver as the file that Windows loads: all tests use it instead of the one that is linked
//! with them if `TUNIC_DRIVER` names it.

use std::path::{Path, PathBuf};
use std::process::Command;

use nt_host::DriverSource;

/// Names the image, for the machines of this process and for `tunicd`.
const VARIABLE: &str = "TUNIC_DRIVER";

/// Names the image for `tunicd` alone.
const DAEMON_VARIABLE: &str = "TUNIC_DAEMON_DRIVER";

/// Where `cargo xtask driver` puts it.
pub const BUILT: &str = require::DRIVER_IMAGE;

/// The image that the machines of this process load.
pub fn path() -> Option<PathBuf> {
    named_by(VARIABLE)
}

/// The image that a variable names. A relative path is relative to the workspace's folder.
fn named_by(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable)?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"));
    Some(workspace.join(path))
}

/// The driver for a machine in this process.
pub fn source() -> DriverSource {
    let entry = tunic_driver::driver_entry;
    path().map_or(DriverSource::Linked { name: "tunic", entry }, DriverSource::Image)
}

/// Has `tunicd`, or a program that starts it, use the image.
pub fn hand_on(command: &mut Command) {
    if let Some(path) = named_by(DAEMON_VARIABLE).or_else(path) {
        // `tunicd` reads this one.
        command.env(VARIABLE, path);
    }
}
