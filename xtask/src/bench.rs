//! `cargo xtask bench`: runs the package `bench`, optimised.
//!
//! It is a package of its own, so that the other tasks don't build what it measures.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, ensure};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Options {
    /// Arguments of the package `bench`; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--release", "--package", "bench", "--"])
        .args(&options.arguments)
        .status()
        .context("cargo")?;
    ensure!(status.success(), "the bench failed: {status}");
    Ok(())
}
