//! Runs the Tunic driver on Linux as a WireGuard daemon: `tunicd [-f] IFACE`.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io, thread};

use anyhow::Context;
use clap::Parser;
use nic_memory::Wiping;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nt_host::{DriverSource, MachineOptions};
use tunic_confinement::filter::Action;
use tunicd::host::{Host, HostOptions};
use tunicd::log::{self, Level, Sink};
use tunicd::protocol::Protocol;
use tunicd::signal::Signals;
use tunicd::{confine, daemon, service};

/// Requests, answers and the linked driver's own memory hold keys.
#[global_allocator]
static HEAP: Wiping<System> = Wiping(System);

/// Runs the Tunic driver on a TUN interface: a WireGuard interface, configured by wg(8) or
/// tunic(1), or an OpenVPN data channel, for clients of the Tunic SDK. Needs root.
///
/// The sockets are /var/run/wireguard/INTERFACE.sock for wg(8) and /var/run/tunic/INTERFACE.sock
/// for the SDK.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Stay in the foreground and log to standard error.
    #[arg(short, long)]
    foreground: bool,
    /// The log level. Default: LOG_LEVEL in the environment, else error.
    #[arg(long, value_enum, ignore_case = true)]
    log_level: Option<Level>,
    /// Verify the driver more strictly, which is slow: guard pages follow its memory, and packets
    /// are overwritten when their owner changes.
    #[arg(long)]
    check: bool,
    /// The number of processors that the driver sees. Default: all.
    #[arg(long)]
    processors: Option<usize>,
    /// Divide WireGuard's timer intervals by this number, for tests.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    timer_divisor: Option<u32>,
    /// The protocol of the interface.
    #[arg(long, value_enum, default_value_t)]
    protocol: Protocol,
    /// Also serve ovpn-dco-win's device names, as sockets in /var/run/tunic/devices. Requires
    /// --protocol openvpn.
    #[arg(long)]
    ovpn_dco: bool,
    /// End at the end of standard input, and so with the parent process.
    #[arg(long, requires = "foreground")]
    until_eof: bool,
    /// Run this driver image, `tunic.sys` as Windows loads it, instead of the driver that is linked
    /// into this program. Default: TUNIC_DRIVER in the environment.
    #[arg(long, value_name = "PATH")]
    driver: Option<PathBuf>,
    /// Write the function names of a driver image to /tmp/perf-PID.map, for perf(1). It is written
    /// through no link, and only to a file of this user.
    #[arg(long)]
    perf_map: bool,
    /// What happens at a system call that tunicd is not known to use: kill ends it by SIGSYS, log
    /// has the kernel log the call, off filters none.
    #[arg(long, value_name = "ACTION", default_value_t)]
    seccomp: Action,
    /// The name of the interface to create.
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
                // Until it is ready, the daemon still has its parent's standard error.
                eprintln!("tunicd: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let is_daemon = !options.is_foreground();
    if is_daemon && !daemon::is_child() {
        let started = daemon::spawn().context("cannot start the daemon")?;
        return Ok(started.map_or_else(ExitCode::from, |()| ExitCode::SUCCESS));
    }
    // Before anything starts a thread, which would take the signals.
    let signals = Signals::block().context("cannot block signals")?;
    let sink = if is_daemon { Sink::syslog() } else { Sink::Stderr };
    log::start(options.level(), &options.interface, sink);
    if options.ovpn_dco && options.protocol != Protocol::Openvpn {
        anyhow::bail!("--ovpn-dco requires --protocol openvpn");
    }
    if is_daemon {
        daemon::leave_session().context("cannot leave the session (setsid)")?;
    }

    let driver = options.driver();
    confine::at_start(match &driver {
        DriverSource::Image(path) => Some(path),
        DriverSource::Linked { .. } => None,
    })?;

    if options.until_eof {
        end_with_input().context("cannot watch standard input")?;
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
    let host = Host::start(&options.interface, &driver, host_options)?;
    confine::after_start(options.seccomp)?;
    let served =
        service::serve(&options.interface, host.device(), signals, nt_host::wsk::set_mark, || {
            log::info(format_args!("ready"));
            if is_daemon { daemon::ready().context("cannot become a daemon") } else { Ok(()) }
        });
    if let Ok(stop) = &served {
        log::info(format_args!("ending: {stop}"));
    }
    let report = host.stop();
    for leak in &report.leaks {
        log::error(format_args!("leaked by the driver: {leak}"));
    }
    served?;
    log::info(format_args!("the driver is unloaded, {} leaks", report.leaks.len()));
    Ok(if report.leaks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends SIGTERM to this process at the end of standard input.
fn end_with_input() -> io::Result<()> {
    thread::Builder::new().name("input".into()).spawn(|| {
        // An input that cannot be read counts as ended.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = kill(Pid::this(), Signal::SIGTERM);
    })?;
    Ok(())
}

impl Options {
    /// By option or by environment variable, as in wireguard-go.
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

/// Checks an interface name by Linux's rules (dev_valid_name in net/core/dev.c): 1 to 15 bytes, no
/// slash, colon or white space.
fn interface_name(name: &str) -> Result<String, String> {
    let is_valid = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.bytes().any(|byte| byte == b'/' || byte == b':' || byte.is_ascii_whitespace());
    if is_valid {
        Ok(name.to_owned())
    } else {
        Err("an interface name has 1 to 15 bytes, without slash, colon or white space".to_owned())
    }
}
