//! `openvpn-server CONFIG`: serves OpenVPN clients over a Tunic adapter.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use nic_memory::Wiping;
use tunic_confinement::filter::Program;
use tunic_openvpn::adapter::Adapter;
use tunic_openvpn::data_channel::DataChannel;
use tunic_openvpn::process::{self, Begun, Process, ProcessArguments};
use tunic_openvpn::profile::ServerProfile;
use tunic_openvpn::server::{self, End, Management};
use tunic_openvpn::tunicd::Tunicd;
use tunic_openvpn::{Signals, commands};

/// Profiles, keys and passwords leave no copies in freed memory.
#[global_allocator]
static HEAP: Wiping<System> = Wiping(System);

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
    if let Some(code) = commands::serve_if_asked() {
        return code;
    }
    let mut arguments = Arguments::parse();
    // A daemon changes its working directory.
    arguments.config = std::path::absolute(&arguments.config).unwrap_or(arguments.config);
    run(&arguments).unwrap_or_else(|error| {
        process::error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    process::hide_memory()?;
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
    let interface = arguments
        .interface
        .clone()
        .or_else(|| profile.common.device.clone())
        .context("no adapter given: set `dev` or --interface")?;
    process.start_commands(&interface)?;
    let (_tunicd, stream) = Tunicd::attach(&interface)?;
    let listener = profile.management.as_deref().map(Management::bind).transpose()?;
    process.confine(Program::OpenvpnServer)?;
    let adapter = Adapter::over(stream).with_context(|| interface.clone())?;
    let data: Arc<dyn DataChannel> = Arc::new(adapter);
    if process.has_changed_account() {
        warn(arguments, &profile);
    }
    let mut listener = listener;
    loop {
        let end = server::run(profile, &interface, &data, &mut signals, &mut process, listener)?;
        if end == End::Exit {
            return Ok(ExitCode::SUCCESS);
        }
        profile = load(arguments)?;
        listener = profile.management.as_deref().map(Management::bind).transpose()?;
        if arguments.interface.is_none() && profile.common.device.as_ref() != Some(&interface) {
            process::error(format_args!("`dev` changes with a restart only: it is {interface}"));
        }
    }
}

fn load(arguments: &Arguments) -> Result<ServerProfile> {
    ServerProfile::load(&arguments.config).with_context(|| arguments.config.display().to_string())
}

/// Says what will fail in the root folder, and with the rights, that the configuration gives us.
fn warn(arguments: &Arguments, profile: &ServerProfile) {
    let will = "SIGHUP will end this process, as user and root folder are";
    if let Err(error) = ServerProfile::load(&arguments.config) {
        process::error(format_args!("{will}: {error}"));
    }
    if let Some(path) = &profile.management {
        process::error(format_args!("{will}: {} can't be made again", path.display()));
    }
}
