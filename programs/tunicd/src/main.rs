//! Runs the Tunic driver on Linux as a WireGuard daemon: `tunicd [-f] IFACE`.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io, thread};

use anyhow::Context;
use clap::Parser;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_host::{DriverSource, MachineOptions};
use tunicd::host::{Host, HostOptions};
use tunicd::log::{self, Level, Sink};
use tunicd::protocol::Protocol;
use tunicd::signal::Signals;
use tunicd::{daemon, service};

/// Runs the Tunic driver as an interface: of WireGuard, to be configured with wg(8) or tunic(1), or
/// of OpenVPN's data channel, for clients of the Tunic SDK.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Stay in the foreground, and log to stderr.
    #[arg(short, long)]
    foreground: bool,
    /// How much is logged; LOG_LEVEL in the environment says the same.
    #[arg(long, value_enum, ignore_case = true)]
    log_level: Option<Level>,
    /// Check the driver harder, which is slow: its memory lies before guard pages, packets are
    /// overwritten when they change hands.
    #[arg(long)]
    check: bool,
    /// Processors that the driver sees; all by default.
    #[arg(long)]
    processors: Option<usize>,
    /// Divide the times of WireGuard's timers by this, for tests.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    timer_divisor: Option<u32>,
    /// What the interface speaks.
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Have ovpn-dco-win's names as well, as sockets in /var/run/tunic/devices; with --protocol
    /// openvpn.
    #[arg(long)]
    ovpn_dco: bool,
    /// End when standard input does: with whoever started it, however that ends.
    #[arg(long, requires = "foreground")]
    until_eof: bool,
    /// Run the driver that is this file, `tunic.sys` as Windows loads it, and not the one that is
    /// linked with this program; TUNIC_DRIVER in the environment says the same.
    #[arg(long, value_name = "PATH")]
    driver: Option<PathBuf>,
    /// Write the names of the functions of such a driver down in /tmp/perf-PID.map, for perf(1).
    #[arg(long)]
    perf_map: bool,
    /// The interface to make.
    #[arg(value_parser = interface_name)]
    interface: String,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(code) => code,
        Err(error) => {
            log::error(format_args!("{error:#}"));
            if !options.is_foreground() {
                // Until it is ready, a daemon still has the stderr of who started it.
                eprintln!("tunicd: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let is_daemon = !options.is_foreground();
    if is_daemon && !daemon::is_child() {
        let started = daemon::spawn().context("the daemon does not start")?;
        return Ok(started.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS));
    }
    // Before anything starts a thread, which would take the signals.
    let signals = Signals::block().context("signals")?;
    let sink = if is_daemon { Sink::syslog() } else { Sink::Stderr };
    log::start(options.level(), &options.interface, sink);
    if options.ovpn_dco && options.protocol != Protocol::Openvpn {
        anyhow::bail!("--ovpn-dco is for --protocol openvpn");
    }
    if is_daemon {
        daemon::leave_session().context("setsid")?;
    }

    if options.until_eof {
        end_with_input().context("standard input")?;
    }

    if options.check {
        nt_host::ndis::set_verification(true);
    }
    let machine = MachineOptions {
        guard_pages: options.check,
        lock_order: options.check,
        processors: options.processors,
        debug_level: if options.level() == Level::Debug { 3 } else { 0 },
        perf_map: options.perf_map,
        ..MachineOptions::default()
    };
    let host_options = HostOptions {
        machine,
        protocol: options.protocol,
        ovpn_dco: options.ovpn_dco,
        timer_divisor: options.timer_divisor,
    };
    let host = Host::start(&options.interface, &options.driver(), host_options)?;
    let served =
        service::serve(&options.interface, host.device(), signals, nt_host::wsk::set_mark, || {
            log::info(format_args!("ready"));
            if is_daemon { daemon::ready().context("daemon") } else { Ok(()) }
        });
    if let Ok(stop) = &served {
        log::info(format_args!("ends: {stop}"));
    }
    let report = host.stop();
    for leak in &report.leaks {
        log::error(format_args!("left behind by the driver: {leak}"));
    }
    served?;
    log::info(format_args!("the driver is unloaded, {} leaks", report.leaks.len()));
    Ok(if report.leaks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells us to end when standard input ends.
fn end_with_input() -> io::Result<()> {
    thread::Builder::new().name("input".into()).spawn(|| {
        // An input that can't be read has ended, too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = kill(Pid::this(), Signal::SIGTERM);
    })?;
    Ok(())
}

impl Options {
    /// As wireguard-go has it: by option or by environment.
    fn is_foreground(&self) -> bool {
        self.foreground || env::var_os("WG_PROCESS_FOREGROUND").is_some_and(|value| value == "1")
    }

    fn driver(&self) -> DriverSource {
        let from_environment = || env::var_os("TUNIC_DRIVER").map(PathBuf::from);
        match self.driver.clone().or_else(from_environment) {
            Some(path) => DriverSource::Image(path),
            None => DriverSource::Linked { name: "tunic", entry: tunic_driver::driver_entry },
        }
    }

    fn level(&self) -> Level {
        let from_environment = || match env::var("LOG_LEVEL").ok()?.as_str() {
            "silent" => Some(Level::Silent),
            "error" => Some(Level::Error),
            "info" | "verbose" => Some(Level::Info),
            "debug" => Some(Level::Debug),
            _ => None,
        };
        self.log_level.or_else(from_environment).unwrap_or(Level::Error)
    }
}

/// What Linux takes as the name of an interface (dev_valid_name in net/core/dev.c): 1 to 15 bytes,
/// no slash, colon or white space.
fn interface_name(name: &str) -> Result<String, String> {
    let is_valid = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.bytes().any(|byte| byte == b'/' || byte == b':' || byte.is_ascii_whitespace());
    if is_valid { Ok(name.to_owned()) } else { Err("not the name of an interface".to_owned()) }
}
