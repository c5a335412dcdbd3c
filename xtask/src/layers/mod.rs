//! `cargo xtask check-layers`: dependencies point one way.
//!
//! * Packages depend on those that `order.rs` allows.
//! * Modules of a crate form no import cycle of more than [`cycles::MAX_MODULES`] files.
//! * No file under `nic-core` contains the name of a protocol.

mod cycles;
mod declarations;
mod modules;
mod names;
mod order;
mod packages;
mod references;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::driver::workspace;
use modules::Crate;
use packages::Package;

/// What to check.
#[derive(Args)]
pub(crate) struct Options {
    /// Check only this package
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// Print which file uses which, and by what name
    #[arg(long)]
    edges: bool,
}

/// What was checked, and what is wrong.
#[derive(Default)]
struct Report {
    packages: usize,
    modules: usize,
    faults: Vec<String>,
    edges: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let report = check(&workspace(), options.package.as_deref())?;
    if options.edges {
        println!("{}", report.edges.join("\n"));
    }
    if !report.faults.is_empty() {
        bail!("layers:\n  {}", report.faults.join("\n  "));
    }
    println!(
        "{} packages depend on one another in one direction; no import cycle of their {} modules \
         is longer than {}; nic-core names no protocol",
        report.packages,
        report.modules,
        cycles::MAX_MODULES
    );
    Ok(())
}

/// Checks the workspace at `root`, or one package of it.
fn check(root: &Path, only: Option<&str>) -> Result<Report> {
    let mut report = Report::default();
    let mut cuts = cycles::Cuts::default();
    for package in packages::read(root)? {
        if only.is_some_and(|only| only != package.name) {
            continue;
        }
        report.packages += 1;
        report.faults.extend(order::faults(&package));
        check_modules(&package, &mut cuts, &mut report)?;
    }
    ensure!(report.packages > 0, "the workspace has no such package");
    if only.is_none() {
        report.faults.extend(cuts.unused(root));
        report.faults.extend(names::faults(&root.join("nic-core"))?);
    }
    Ok(report)
}

/// Checks the modules of a package's library and programs.
fn check_modules(package: &Package, cuts: &mut cycles::Cuts, report: &mut Report) -> Result<()> {
    for target in &package.targets {
        let sources = Crate::read(target).with_context(|| target.display().to_string())?;
        let mut graph = references::graph(&sources);
        report.modules += sources.files.len();
        for ((from, to), name) in graph.edges() {
            report.edges.push(format!("{}: {from} -> {to} ({name})", package.name));
        }
        cuts.apply(&package.folder, &mut graph);
        let cycles = graph.long_cycles().into_iter();
        report.faults.extend(cycles.map(|cycle| format!("{}: {cycle}", package.folder)));
    }
    Ok(())
}
