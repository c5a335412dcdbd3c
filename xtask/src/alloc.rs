//! `cargo xtask check-alloc`: the driver calls no function of `alloc` that can't report failure.
//!
//! The x64 image and its dependencies are compiled with an `alloc` that lacks such functions:
//! nightly builds it from source with `--cfg no_global_oom_handling`. First, a sample crate that
//! calls one shows that the flag has this effect.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::arch::Arch;
use crate::driver::workspace;

/// The toolchain that can build `alloc`.
const TOOLCHAIN: &str = "nightly";

pub(crate) fn run() -> Result<()> {
    if !has_source()? {
        let missing = format!(
            "needs the source of nightly's alloc (rustup toolchain install {TOOLCHAIN} --profile \
             minimal --component rust-src)"
        );
        ensure!(
            !require::is_strict(),
            "check-alloc can't be skipped (TUNIC_REQUIRE_ALL=1): {missing}"
        );
        eprintln!("SKIPPED check-alloc: {missing}");
        return Ok(());
    }
    let works = check_sample("works", "items.try_reserve(1).is_ok()")?;
    ensure!(works.status.success(), "alloc can't be built:\n{}", errors(&works));
    let pushes = check_sample("pushes", "{ items.push(1); true }")?;
    if pushes.status.success() || !errors(&pushes).contains("no method named `push`") {
        bail!("a crate that calls Vec::push is not refused:\n{}", errors(&pushes));
    }

    let image = check(&[
        "--package",
        "tunic-driver",
        "--bin",
        "tunic-sys",
        "--features",
        "image",
        "--locked",
    ])?;
    ensure!(
        image.status.success(),
        "tunic.sys calls functions of alloc that can't report failure:\n{}",
        errors(&image)
    );
    println!(
        "tunic.sys compiles with an alloc that reports each failure; a crate that calls Vec::push \
         doesn't"
    );
    Ok(())
}

/// Whether the source of nightly's `alloc` is installed, or can be.
fn has_source() -> Result<bool> {
    let sysroot =
        Command::new("rustup").args(["run", TOOLCHAIN, "rustc", "--print", "sysroot"]).output();
    let Ok(Output { status, stdout, .. }) = sysroot else { return Ok(false) };
    if !status.success() {
        return Ok(false);
    }
    let sysroot = String::from_utf8(stdout).context("nightly's folder")?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/alloc");
    if !source.is_dir() {
        Command::new("rustup")
            .args(["component", "add", "rust-src", "--toolchain", TOOLCHAIN])
            .status()?;
    }
    Ok(source.is_dir())
}

/// Compiles a crate whose only function has this body.
fn check_sample(name: &str, body: &str) -> Result<Output> {
    let folder = workspace().join("target/alloc/samples").join(name);
    fs::create_dir_all(folder.join("src"))?;
    // The profile is the workspace's, for which `alloc` is built once.
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n[workspace]\n\
         [profile.dev]\npanic = \"abort\"\nopt-level = 1\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest)?;
    let source = format!(
        "#![no_std]\nextern crate alloc;\n\
         pub fn sample(items: &mut alloc::vec::Vec<u8>) -> bool {{\n    {body}\n}}\n"
    );
    fs::write(folder.join("src/lib.rs"), source)?;
    let manifest = folder.join("Cargo.toml").display().to_string();
    check(&["--manifest-path", &manifest])
}

/// Runs `cargo check` with such an `alloc`.
fn check(arguments: &[&str]) -> Result<Output> {
    let target = Arch::X64.target();
    Command::new("rustup")
        .args(["run", TOOLCHAIN, "cargo", "check", "--quiet", "-Zbuild-std=core,alloc"])
        .args(["--target", target, "--target-dir", "target/alloc", "--config"])
        .arg(format!("target.{target}.rustflags=['--cfg=no_global_oom_handling']"))
        .args(arguments)
        .current_dir(workspace())
        // CARGO and RUSTC name another toolchain; the flags would replace those of
        // .cargo/config.toml for Windows.
        .env_remove("CARGO")
        .env_remove("RUSTC")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .context("rustup")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
