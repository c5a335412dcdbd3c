//! `openvpn-client PROFILE.ovpn`: an OpenVPN client whose data channel is a Tunic adapter.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use nic_memory::Wiping;
use tunic_confinement::filter::Program;
use tunic_openvpn::adapter::Adapter;
use tunic_openvpn::client::{Client, End, Log};
use tunic_openvpn::data_channel::DataChannel;
use tunic_openvpn::process::{self, Begun, Process, ProcessArguments};
use tunic_openvpn::profile::{Profile, Remote};
use tunic_openvpn::tunicd::Tunicd;
use tunic_openvpn::{Signals, commands};

/// Where the C library finds the name servers.
const RESOLVER: &str = "/etc/resolv.conf";

/// Profiles, keys and passwords leave no copies in freed memory.
#[global_allocator]
static HEAP: Wiping<System> = Wiping(System);

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
    if let Some(code) = commands::serve_if_asked() {
        return code;
    }
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
    process::hide_memory()?;
    let profile = load(options)?;
    let mut process = match Process::begin("openvpn-client", &options.process, &profile.process)? {
        Begun::Here(process) => process,
        Begun::Ended(code) => return Ok(code),
    };
    let mut client = Client::new(profile, options.iv_proto, log)?;
    process.leave_session()?;
    // Before any thread starts: threads inherit the signal mask.
    let mut signals = Signals::block()?;
    let interface = match &options.interface {
        Some(interface) => interface.clone(),
        None => interface(client.profile().device.as_deref())?,
    };
    process.start_commands(&interface)?;
    let (tunicd, stream) = Tunicd::attach(&interface)?;
    process.confine(Program::OpenvpnClient)?;
    let adapter = Arc::new(Adapter::over(stream).with_context(|| interface.clone())?);
    let how = if tunicd.is_ours() {
        "served by a tunicd that we started"
    } else {
        "served by a running tunicd"
    };
    log.step(format_args!("data path: {interface}, {how}"));
    if process.has_changed_account() {
        warn(options, client.profile(), log);
    }
    process.started()?;
    let channel: Arc<dyn DataChannel> = adapter;
    while client.run(&channel, &interface, &mut signals)? == End::Reload {
        client = Client::new(load(options)?, options.iv_proto, log)?;
        let device = client.profile().device.as_deref();
        if options.interface.is_none() && device.is_some_and(|it| it != "tun" && it != interface) {
            log.error(format_args!("`dev` changes with a restart only: it is {interface}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn load(options: &Options) -> Result<Profile> {
    Profile::load(&options.profile).with_context(|| options.profile.display().to_string())
}

/// Says what will fail in the root folder, and with the rights, that the profile has given us.
fn warn(options: &Options, profile: &Profile, log: Log) {
    if let Err(error) = Profile::load(&options.profile) {
        log.error(format_args!(
            "SIGHUP will end this process, as user and root folder are: {error}"
        ));
    }
    let is_name = |remote: &Remote| remote.host.parse::<IpAddr>().is_err();
    if profile.remotes.iter().any(is_name) && !Path::new(RESOLVER).exists() {
        log.error(format_args!("names of servers can't be resolved: chroot has no {RESOLVER}"));
    }
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
