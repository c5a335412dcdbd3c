//! `openvpn-client PROFILE.ovpn`: an OpenVPN client whose data channel is a Tunic adapter.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use tunic_openvpn::Signals;
use tunic_openvpn::client::{Client, End, Log};
use tunic_openvpn::data_channel::DataChannel;
use tunic_openvpn::process::{Begun, Process, ProcessArguments};
use tunic_openvpn::profile::Profile;
use tunic_openvpn::tunicd::Tunicd;

/// OpenVPN client whose data channel is a Tunic adapter. SIGINT and SIGTERM disconnect, SIGUSR1
/// reconnects, SIGHUP reads the profile again, SIGUSR2 logs statistics.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Name of the interface. The client starts tunicd for it, unless one already serves it.
    /// Default: the profile's `dev`, else the first free tunN.
    #[arg(short, long)]
    interface: Option<String>,
    /// Verbosity: 0 errors only, 1 each step, 2 details such as every `ip` command, 3 dropped
    /// packets.
    #[arg(short, long, default_value_t = 1)]
    verb: u8,
    /// Sends this IV_PROTO to the server instead of the supported bits; for tests.
    #[arg(long, hide = true)]
    iv_proto: Option<u32>,
    #[command(flatten)]
    process: ProcessArguments,
    /// OpenVPN client profile (.ovpn).
    profile: PathBuf,
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    // A daemon changes its working directory.
    options.profile = std::path::absolute(&options.profile).unwrap_or(options.profile);
    let log = Log::new(options.verb);
    run(&options, log).unwrap_or_else(|error| {
        log.error(format_args!("{error:#}"));
        ExitCode::FAILURE
    })
}

fn run(options: &Options, log: Log) -> Result<ExitCode> {
    let mut profile = load(options)?;
    let mut process = match Process::begin("openvpn-client", &options.process, &profile.process)? {
        Begun::Here(process) => process,
        Begun::Ended(code) => return Ok(code),
    };
    let mut signals = None;
    while serve(options, profile, log, &mut process, &mut signals)? == End::Reload {
        profile = load(options)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn load(options: &Options) -> Result<Profile> {
    Profile::load(&options.profile).with_context(|| options.profile.display().to_string())
}

/// Connects until a signal or a server ends the client.
fn serve(
    options: &Options,
    profile: Profile,
    log: Log,
    process: &mut Process,
    signals: &mut Option<Signals>,
) -> Result<End> {
    let interface = match &options.interface {
        Some(interface) => interface.clone(),
        None => interface(profile.device.as_deref())?,
    };
    let client = Client::new(profile, options.iv_proto, log)?;
    let signals = match signals {
        Some(signals) => signals,
        None => {
            process.leave_session()?;
            // Before any thread starts: threads inherit the signal mask.
            signals.insert(Signals::block()?)
        }
    };
    let (tunicd, adapter) = Tunicd::attach(&interface)?;
    let how = if tunicd.is_ours() {
        "served by a tunicd that we started"
    } else {
        "served by a running tunicd"
    };
    log.step(format_args!("data path: {interface}, {how}"));
    let channel: Arc<dyn DataChannel> = Arc::new(adapter);
    process.started()?;
    client.run(&channel, &interface, signals)
}

/// The name in the profile's `dev`, or the first free tunN.
fn interface(device: Option<&str>) -> Result<String> {
    if let Some(device) = device.filter(|device| *device != "tun") {
        return Ok(device.to_owned());
    }
    (0..256)
        .map(|number| format!("tun{number}"))
        .find(|name| !std::path::Path::new("/sys/class/net").join(name).exists())
        .context("no tunN is free")
}
