//! Build, check and measure Tunic: `cargo xtask`.
#![forbid(unsafe_code)]

mod alloc;
mod arch;
mod bench;
mod driver;
mod image;
mod inf;
mod layers;
mod layouts;
mod long;
mod package;
mod stack;
mod text;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Build, check and measure Tunic")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Measures crypto, routes, handshakes and tunnels, and writes docs/performance.md
    Bench(bench::Options),
    /// Builds tunic.sys into target/driver/x64 and target/driver/arm64, with its PDB and map
    Driver(driver::Options),
    /// Compares every struct of nt-sys with the layouts of Windows' headers
    CheckLayouts(layouts::Options),
    /// Checks that packages and modules depend on one another in one direction
    CheckLayers(layers::Options),
    /// Checks that lines wrap at 100 columns, and that nothing cites what a clone lacks
    CheckText,
    /// Checks the INFs of inf/, or one in a package
    CheckInf(inf::Options),
    /// Checks images of the driver without loading them
    CheckImage(image::Options),
    /// Packs driver, INF, symbols and header for Windows into a zip in target/package
    Package(package::Options),
    /// Checks how much stack the driver's functions and chains of calls use
    CheckStack(stack::Options),
    /// Runs the tests that are too long for every change, those marked `ignore`
    Long(long::Options),
    /// Checks that the x64 image calls no allocation that can't report failure
    CheckAlloc,
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Bench(options) => bench::run(&options),
        Task::Driver(options) => driver::run(&options),
        Task::CheckLayouts(options) => layouts::run(&options),
        Task::CheckLayers(options) => layers::run(&options),
        Task::CheckText => text::run(),
        Task::CheckInf(options) => inf::run(&options),
        Task::CheckImage(options) => image::run(&options),
        Task::Package(options) => package::run(&options),
        Task::CheckStack(options) => stack::run(&options),
        Task::Long(options) => long::run(&options),
        Task::CheckAlloc => alloc::run(),
    }
}
