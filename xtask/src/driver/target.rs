//! The Rust target for Windows.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::arch::Arch;

/// Installs the target if it is missing.
pub(crate) fn install(arch: Arch) -> Result<()> {
    if is_installed(arch)? {
        return Ok(());
    }
    let added = Command::new("rustup").args(["target", "add", arch.target()]).status();
    match added {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("rustup can't add the target {}", arch.target()),
        Err(error) => bail!(
            "Rust's target {} is missing, and rustup can't be run to add it ({error}): install \
             rustup (https://rustup.rs), or get the target from where Rust was installed from",
            arch.target()
        ),
    }
}

/// Whether the compiler has the target's standard library.
pub(crate) fn is_installed(arch: Arch) -> Result<bool> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", arch.target()])
        .output()
        .context("rustc")?;
    let folder = String::from_utf8(output.stdout).context("rustc's folders")?;
    Ok(output.status.success() && std::path::Path::new(folder.trim()).is_dir())
}
