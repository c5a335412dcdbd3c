//! `tunic-demo`: a tunnel between two adapters of the driver, in this process, without privileges.
//!
//! The driver is the Windows driver on nt-host: linked into this program, or the image that Windows
//! loads. Each adapter has an in-memory IP stack above it; below, they exchange real UDP datagrams
//! on the loopback interface. A failed check makes the exit code non-zero; a violated kernel rule
//! ends the process at once, with code 86.
#![forbid(unsafe_code)]

mod machine;
mod measure;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nt_host::DriverSource;

use self::machine::{Demo, Side};
use self::measure::Progress;
use self::report::Report;

/// Runs a WireGuard tunnel between two adapters in this process and measures it. Needs no
/// privileges.
#[derive(Parser)]
#[command(name = "tunic-demo", version)]
struct Options {
    /// Seconds of TCP load in each direction.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Verify the driver more strictly, which is slow: guard pages follow its memory, and packets
    /// are overwritten when their owner changes.
    #[arg(long)]
    check: bool,
    /// Run this driver image, `tunic.sys` as Windows loads it, instead of the driver that is linked
    /// into this program.
    #[arg(long, value_name = "PATH")]
    driver: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tunic-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the demo and prints its report.
fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let linked = DriverSource::Linked { name: "tunic", entry: tunic_driver::driver_entry };
    let driver = options.driver.clone().map_or(linked, DriverSource::Image);
    println!("Two adapters of {driver} on nt-host, WireGuard between them over UDP on loopback\n");
    let mut report = Report::default();
    let load = Duration::from_secs(options.seconds.into());
    let progress = Progress::new(load);

    let demo = Demo::start(options.check, &driver)?;
    let handshake = measure::handshake(&demo, &progress, &mut report)?;
    if handshake {
        measure::idle(&demo, &progress, &mut report)?;
        measure::load(&demo.left, &demo.right, load, &progress, &mut report)?;
        measure::load(&demo.right, &demo.left, load, &progress, &mut report)?;
        measure::counters(&demo, &mut report)?;
        measure::stranger(&demo, &progress, &mut report)?;
    }
    progress.say("unload");
    let leaks = demo.stop();
    progress.end();
    let said = if leaks.is_empty() {
        "adapters removed, driver unloaded, nothing left behind".to_owned()
    } else {
        format!("{} things left behind", leaks.len())
    };
    report.row("unload", said);
    for leak in leaks {
        report.fail(format!("left behind by the driver: {leak}"));
    }

    println!("{report}");
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A direction, as the report names it.
fn direction(from: &Side, to: &Side) -> String {
    format!("{} to {}", from.name, to.name)
}
