//! `cargo xtask long`: the tests that take too long for every change.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::driver::workspace;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Names of tests to run, or what else `cargo test -- --ignored` takes; all long tests where
    /// there is none
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Runs every test that is marked `#[ignore]`. One that lacks something on this machine fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace())
        .env("TUNIC_REQUIRE_ALL", "1")
        .args(["test", "--workspace", "--no-fail-fast", "--", "--ignored"])
        .args(&options.arguments)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "long tests failed: {status}");
    Ok(())
}
