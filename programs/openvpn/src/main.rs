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

/// Connects to an OpenVPN server as a profile says, through a Tunic adapter. Ctrl-C disconnects;
/// SIGUSR1 connects anew.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// The interface. It is made by tunicd, unless one serves it already. By default the profile's
    /// `dev`, or the first tunN that is free.
    #[arg(short, long)]
    interface: Option<String>,
    /// How much is said: 0 errors alone, 1 each step, 2 what is behind the steps, 3 every odd
    /// packet.
    #[arg(short, long, default_value_t = 1)]
    verb: u8,
    /// Say this IV_PROTO to the server instead of what we know, for tests.
    #[arg(long, hide = true)]
    iv_proto: Option<u32>,
    /// The profile.
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
    // Before any thread is started: they inherit what is blocked.
    let signals = Signals::block()?;
    let (tunicd, adapter) = Tunicd::attach(&interface)?;
    let how = if tunicd.is_ours() { "by a tunicd of ours" } else { "by the tunicd that runs" };
    log.step(format_args!("data path: {interface}, {how}"));
    let channel: Arc<dyn DataChannel> = Arc::new(adapter);
    client.run(&channel, &interface, signals)
}

/// The interface that a profile's `dev` means: its name, or the first that is free.
fn interface(device: Option<&str>) -> Result<String> {
    if let Some(device) = device.filter(|device| *device != "tun") {
        return Ok(device.to_owned());
    }
    (0..256)
        .map(|number| format!("tun{number}"))
        .find(|name| !std::path::Path::new("/sys/class/net").join(name).exists())
        .context("no tunN is free")
}
