//! The programs of this workspace, built before a test uses them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::command;

/// The path of `tunicd`.
pub fn tunicd() -> Result<PathBuf> {
    program("tunicd")
}

/// The path of `tunic`.
pub fn tunic() -> Result<PathBuf> {
    program("tunic")
}

/// The path of `tunic-demo`.
pub fn tunic_demo() -> Result<PathBuf> {
    program("tunic-demo")
}

/// The path of `openvpn-client`.
pub fn openvpn_client() -> Result<PathBuf> {
    program("openvpn-client")
}

/// The path of `openvpn-server`.
pub fn openvpn_server() -> Result<PathBuf> {
    program("openvpn-server")
}

/// The path of a program; builds all of them when a process first asks for one.
fn program(name: &str) -> Result<PathBuf> {
    static FOLDER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    folder.clone().map(|folder| folder.join(name)).map_err(|error| anyhow!(error))
}

/// Builds the programs in the profile that the running one was built in, and returns the folder
/// that they lie in.
fn build() -> Result<PathBuf> {
    let running = std::env::current_exe()?;
    let folder = running.parent().context("a program lies in a folder")?;
    // A test lies in target/PROFILE/deps, a program in target/PROFILE.
    let is_test = folder.ends_with("deps");
    let profile = if is_test { folder.parent() } else { Some(folder) };
    let profile = profile.context("no profile's folder above the test")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["build", "--quiet"]);
    for program in ["tunicd", "tunic", "tunic-demo", "openvpn-client", "openvpn-server"] {
        build.args(["--bin", program]);
    }
    if is_test {
        // `cargo test` has built them already, with the features that all packages and their tests
        // ask for. With one test named, cargo selects the same features, and so has nothing to do.
        build.args(["--workspace", "--test", "keys"]);
    } else {
        for package in ["tunicd", "tunic-cli", "tunic-demo", "tunic-openvpn"] {
            build.args(["--package", package]);
        }
    }
    if let Some(target) = profile.parent() {
        build.arg("--target-dir").arg(target);
    }
    if profile.ends_with("release") {
        build.arg("--release");
    }
    command::run(&mut build, b"", Duration::from_secs(900))?.success()?;
    Ok(profile.to_owned())
}
