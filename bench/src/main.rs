//! `cargo xtask bench`: every figure of docs/performance.md, measured in one run.
#![forbid(unsafe_code)]

mod crypto;
mod handshake;
mod openvpn;
mod probe;
mod report;
mod routes;
mod tunnel;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use require::Need;
use tunic_tests::openvpn::NEEDS;
use tunnel::Carrier;

/// Measures crypto, routes, handshakes and tunnels, and writes docs/performance.md
#[derive(Parser)]
#[command(name = "cargo xtask bench")]
struct Options {
    /// Seconds of each iperf3 run
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Rounds in which the tunnels take turns
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Skip the tunnels, which need root and other programs
    #[arg(long)]
    no_tunnels: bool,
    /// Print the page instead of writing docs/performance.md
    #[arg(long)]
    print: bool,
}

fn main() -> Result<()> {
    // An unoptimised build has no meaningful figures.
    ensure!(!cfg!(debug_assertions), "build with --release, or use `cargo xtask bench`");
    let options = &Options::parse();
    let mut report = report::Report::new(options);
    eprintln!("crypto");
    report.section(
        "Crypto",
        "One core, batches of 16 packets of one key, from one buffer into another.",
        &crypto::table(&crypto::run()),
    );
    eprintln!("routes");
    report.section(
        "Routes",
        "Look-ups of random addresses on one core, by number of peers.",
        &routes::table(&routes::run()),
    );
    eprintln!("handshakes");
    report.section(
        "Handshakes",
        "One core plays both sides in turn: initiation, response, key derivation.",
        &handshake::table(&handshake::run()),
    );
    if !options.no_tunnels {
        tunnels(options, &mut report)?;
        openvpn(options, &mut report)?;
    }
    let text = report.finish();
    if options.print {
        print!("{text}");
        return Ok(());
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/performance.md");
    std::fs::write(&file, text).with_context(|| file.display().to_string())
}

fn tunnels(options: &Options, report: &mut report::Report) -> Result<()> {
    let needs = [
        Need::Root,
        Need::Program("iperf3", "iperf3"),
        Need::Program("wg", "wireguard-tools"),
        Need::Program("wireguard-go", "wireguard-go"),
        Need::Program("boringtun-cli", "the crate, by .ci/peers --all"),
        Need::Program("gotatun", "the crate gotatun-cli, by .ci/peers --all"),
    ];
    if !require::all("the tunnels", &needs) {
        return Ok(());
    }
    let paths: Vec<_> = Carrier::ALL
        .into_iter()
        .map(|carrier| tunnel::Path::new(carrier).with_context(|| carrier.name()))
        .collect::<Result<_>>()?;
    let mut samples = Vec::new();
    for round in 1..=options.rounds {
        for path in &paths {
            eprintln!("round {round} of {}: {}", options.rounds, path.carrier().name());
            let sample = path.measure(options.seconds).with_context(|| path.carrier().name())?;
            samples.push((path.carrier().name().to_owned(), sample));
        }
    }
    report.tunnels(&samples);
    Ok(())
}

fn openvpn(options: &Options, report: &mut report::Report) -> Result<()> {
    let needs = [NEEDS.as_slice(), &[Need::Program("iperf3", "iperf3")]].concat();
    if !require::all("OpenVPN", &needs) {
        return Ok(());
    }
    let server = openvpn::Server::new()?;
    let mut samples = Vec::new();
    for round in 1..=options.rounds {
        for candidate in openvpn::candidates() {
            let name = openvpn::name(candidate);
            eprintln!("round {round} of {}: {name}", options.rounds);
            let sample =
                server.measure(candidate, options.seconds).with_context(|| name.clone())?;
            samples.push((name, sample));
        }
    }
    report.openvpn(&samples);
    Ok(())
}
