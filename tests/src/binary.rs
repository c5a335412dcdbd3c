//! The programs of this workspace, built before a test uses them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::command;

/// What came of building a program, kept for the tests of one process that use it as well.
type Built = OnceLock<Result<PathBuf, String>>;

/// The path of `tunicd`.
pub fn tunicd() -> Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    built(&BUILT, "tunicd", "tunicd")
}

/// The path of `tunic`.
pub fn tunic() -> Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    built(&BUILT, "tunic-cli", "tunic")
}

/// The path of `openvpn-client`.
pub fn openvpn_client() -> Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    built(&BUILT, "tunic-openvpn", "openvpn-client")
}

/// The path of `openvpn-server`.
pub fn openvpn_server() -> Result<PathBuf> {
    static BUILT: Built = OnceLock::new();
    built(&BUILT, "tunic-openvpn", "openvpn-server")
}

fn built(cell: &Built, package: &str, program: &str) -> Result<PathBuf> {
    cell.get_or_init(|| build(package, program).map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(|error| anyhow!(error))
}

/// Builds a package's program in the profile that the running one was built in; does nothing where
/// it is up to date.
fn build(package: &str, program: &str) -> Result<PathBuf> {
    let running = std::env::current_exe()?;
    let folder = running.parent().context("a program lies in a folder")?;
    // A test lies in target/PROFILE/deps, a program in target/PROFILE.
    let profile = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    let profile = profile.context("no profile's folder above the test")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--package", package]);
    if let Some(target) = profile.parent() {
        build.arg("--target-dir").arg(target);
    }
    if profile.ends_with("release") {
        build.arg("--release");
    }
    command::run(&mut build, b"", Duration::from_secs(900))?.success()?;
    Ok(profile.join(program))
}
