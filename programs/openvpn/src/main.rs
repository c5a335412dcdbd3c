//! `openvpn-client PROFILE.ovpn`: an OpenVPN client whose data channel is a Tunic adapter.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use tunic_openvpn::client::{Client, Log, Signals};
use tunic_openvpn::data_channel::DataChannel;
use tunic_openvpn::profile::Profile;
use tunic_openvpn::tunicd::Tunicd;

/// OpenVPN client whose data channel is a Tunic adapter. SIGINT and SIGTERM disconnect; SIGUSR1
/// and SIGHUP reconnect; SIGUSR2 logs statistics.
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
    /// OpenVPN client profile (.ovpn).
    profile: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let log = Log::new(options.verb);
    match run(&options, log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, log: Log) -> Result<()> {
    let profile =
        Profile::load(&options.profile).with_context(|| options.profile.display().to_string())?;
    let interface = match &options.interface {
        Some(interface) => interface.clone(),
        None => interface(profile.device.as_deref())?,
    };
    let client = Client::new(profile, options.iv_proto, log)?;
    // Before any thread starts: threads inherit the signal mask.
    let signals = Signals::block()?;
    let (tunicd, adapter) = Tunicd::attach(&interface)?;
    let how = if tunicd.is_ours() {
        "served by a tunicd that we started"
    } else {
        "served by a running tunicd"
    };
    log.step(format_args!("data path: {interface}, {how}"));
    let channel: Arc<dyn DataChannel> = Arc::new(adapter);
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
