//! `cargo xtask check-layouts`: every struct and union of nt-sys has Windows' layout.
//!
//! The compiler compares nt-sys with the committed table on every target. This task checks that the
//! table is complete and, given the WDK's headers, correct.

mod headers;
mod names;
mod source;
mod table;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};
use clap::Args;

use headers::{Headers, Measured, NDIS_VERSIONS, PROCESSORS};
use source::Declared;
use table::{Field, Layout, Table};

use crate::arch::Arch;
use crate::driver::{target, workspace};

/// What to compare with.
#[derive(Args)]
pub(crate) struct Options {
    /// Compute the table from the WDK's headers in this folder, which contains km and shared, and
    /// compare
    #[arg(long, value_name = "DIR", env = "TUNIC_WDK_HEADERS")]
    headers: Option<PathBuf>,
    /// Write the computed table
    #[arg(long, requires = "headers")]
    write: bool,
}

/// Checks, or writes the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let sources = workspace().join("nic-core/nt-sys/src");
    let table_path = sources.join("layouts.rs");
    let declared = source::read(&sources)?;
    if let Some(folder) = &options.headers {
        let windows = compute(&declared, folder, &workspace().join("target/layouts"))?;
        if options.write {
            fs::write(&table_path, windows.to_string())?;
        } else {
            refuse(
                &Table::read(&table_path)?.differences(&windows),
                "the table differs from Windows' headers (--write replaces its numbers)",
            )?;
        }
    }
    let table = Table::read(&table_path)?;
    refuse(&table.gaps(&declared), "nt-sys and its table of layouts differ")?;
    for arch in Arch::ALL {
        compile(arch)?;
    }
    let fields: usize = table.layouts.iter().map(|layout| layout.fields.len()).sum();
    let types = table.layouts.len();
    println!("{types} types and {fields} fields of nt-sys are as the table says");
    if options.headers.is_some() {
        println!("the table says what Windows' headers say");
    }
    Ok(())
}

fn refuse(differences: &[String], what: &str) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    bail!("{what}:\n  {}", differences.join("\n  "))
}

/// Compiles nt-sys for Windows: the compiler compares it with the table.
fn compile(arch: Arch) -> Result<()> {
    target::install(arch)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(workspace())
        .args(["check", "--quiet", "--package", "nt-sys", "--target", arch.target()])
        .status()?;
    ensure!(status.success(), "nt-sys is not as its table says on {}", arch.name());
    Ok(())
}

/// Computes the table from the headers.
fn compute(declared: &[Declared], folder: &Path, scratch: &Path) -> Result<Table> {
    let headers = Headers::open(folder, scratch)?;
    let [x64, arm64] = PROCESSORS;
    let mut versions = Vec::new();
    for (version, name) in NDIS_VERSIONS {
        versions.push((version, headers.measure(declared, x64, name)?));
    }
    let (_, newest) = NDIS_VERSIONS[NDIS_VERSIONS.len() - 1];
    let arm64 = headers.measure(declared, arm64, newest)?;
    let mut layouts = Vec::new();
    let mut problems = Vec::new();
    for (index, declared) in declared.iter().enumerate() {
        let history: Vec<(&str, Option<&Measured>)> = versions
            .iter()
            .map(|(version, measured)| (*version, measured[index].as_ref()))
            .collect();
        if !declared.is_x64_alone
            && history.last().and_then(|(_, last)| *last) != arm64[index].as_ref()
        {
            problems.push(format!("{} differs between x64 and ARM64", declared.path));
        }
        match layout(declared, &history) {
            Ok(layout) => layouts.push(layout),
            Err(problem) => problems.extend(problem),
        }
    }
    refuse(
        &problems,
        "nt-sys declares what Windows' headers don't have (xtask/src/layouts/names.rs)",
    )?;
    Ok(Table { layouts })
}

/// The layout of one type, from its history by version of NDIS, the newest last.
fn layout(
    declared: &Declared,
    history: &[(&str, Option<&Measured>)],
) -> Result<Layout, Vec<String>> {
    let path = declared.path.clone();
    let Some((_, Some(newest))) = history.last() else {
        return Err(vec![format!("{path} is unknown")]);
    };
    let is_ndis = path.starts_with("ndis::");
    let ndis = |version: &str| if is_ndis { version.to_owned() } else { "-".to_owned() };
    let mut fields = Vec::new();
    let mut problems = Vec::new();
    for (index, name) in declared.fields.iter().enumerate() {
        if !declared.members().any(|member| member == name) {
            continue;
        }
        let Some((offset, size)) = newest.fields[index] else {
            problems.push(format!("{path}.{name} is unknown"));
            continue;
        };
        let of = |measured: &Measured| measured.fields[index] == Some((offset, size));
        let ndis = ndis(since(history, of));
        fields.push(Field { name: name.clone(), offset, size, ndis });
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let of = |measured: &Measured| (measured.size, measured.align) == (newest.size, newest.align);
    Ok(Layout {
        path,
        is_x64_alone: declared.is_x64_alone,
        size: newest.size,
        align: newest.align,
        ndis: ndis(since(history, of)),
        fields,
    })
}

/// The first version from which on a condition holds.
fn since<'a>(
    history: &[(&'a str, Option<&Measured>)],
    holds: impl Fn(&Measured) -> bool,
) -> &'a str {
    let holding = history.iter().rev().take_while(|(_, measured)| measured.is_some_and(&holds));
    holding.last().map_or("", |(version, _)| version)
}
