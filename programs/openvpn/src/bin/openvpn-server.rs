//! `openvpn-server CONFIG`: serves OpenVPN clients over a Tunic adapter.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use tunic_openvpn::Signals;
use tunic_openvpn::data_channel::DataChannel;
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
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.check {
        let profile = load(&arguments)?;
        profile.common.warnings.iter().for_each(|warning| println!("{warning}"));
        return Ok(());
    }
    let mut signals = None;
    while serve(&arguments, &mut signals)? == End::Reload {}
    Ok(())
}

/// Reads the configuration and serves clients until a signal arrives.
fn serve(arguments: &Arguments, signals: &mut Option<Signals>) -> Result<End> {
    let profile = load(arguments)?;
    let interface = arguments
        .interface
        .clone()
        .or_else(|| profile.common.device.clone())
        .context("no adapter given: set `dev` or --interface")?;
    let signals = match signals {
        Some(signals) => signals,
        // Before any thread starts: threads inherit the signal mask.
        None => signals.insert(Signals::block()?),
    };
    let (_tunicd, adapter) = Tunicd::attach(&interface)?;
    let data: Arc<dyn DataChannel> = Arc::new(adapter);
    server::run(profile, &interface, &data, signals)
}

fn load(arguments: &Arguments) -> Result<ServerProfile> {
    ServerProfile::load(&arguments.config).with_context(|| arguments.config.display().to_string())
}
