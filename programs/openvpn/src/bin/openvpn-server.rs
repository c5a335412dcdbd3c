//! `openvpn-server CONFIG`: serves OpenVPN clients over a Tunic adapter.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use tunic_openvpn::Signals;
use tunic_openvpn::data_channel::DataChannel;
use tunic_openvpn::process::{self, Begun, Process, ProcessArguments};
use tunic_openvpn::profile::ServerProfile;
use tunic_openvpn::server::{self, End};
use tunic_openvpn::tunicd::Tunicd;

/// OpenVPN server whose data channel is a Tunic adapter. SIGTERM and SIGINT stop it, SIGHUP
/// reads the configuration again, SIGUSR1 sends all clients back, SIGUSR2 logs them.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Server configuration, in the format of `openvpn --config`.
    config: PathBuf,
    /// The adapter, which `tunicd` is started for where it does not run; by default the one that
    /// `dev` names.
    #[arg(long)]
    interface: Option<String>,
    /// Reads the configuration, says what has no effect, and ends.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    process: ProcessArguments,
}

fn main() -> ExitCode {
    let mut arguments = Arguments::parse();
    // A daemon changes its working directory.
    arguments.config = std::path::absolute(&arguments.config).unwrap_or(arguments.config);
    run(&arguments).unwrap_or_else(|error| {
        process::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut profile = load(arguments)?;
    if arguments.check {
        profile.common.warnings.iter().for_each(|warning| println!("{warning}"));
        return Ok(ExitCode::SUCCESS);
    }
    let options = &profile.common.process;
    let mut process = match Process::begin("openvpn-server", &arguments.process, options)? {
        Begun::Here(process) => process,
        Begun::Ended(code) => return Ok(code),
    };
    process.leave_session()?;
    // Before any thread starts: threads inherit the signal mask.
    let mut signals = Signals::block()?;
    while serve(arguments, profile, &mut process, &mut signals)? == End::Reload {
        profile = load(arguments)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn load(arguments: &Arguments) -> Result<ServerProfile> {
    ServerProfile::load(&arguments.config).with_context(|| arguments.config.display().to_string())
}

/// Serves clients until a signal arrives.
fn serve(
    arguments: &Arguments,
    profile: ServerProfile,
    process: &mut Process,
    signals: &mut Signals,
) -> Result<End> {
    let interface = arguments
        .interface
        .clone()
        .or_else(|| profile.common.device.clone())
        .context("no adapter given: set `dev` or --interface")?;
    let (_tunicd, adapter) = Tunicd::attach(&interface)?;
    let data: Arc<dyn DataChannel> = Arc::new(adapter);
    server::run(profile, &interface, &data, signals, process)
}
