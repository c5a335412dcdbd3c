//! Event loop of the server, and the threads that feed it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigSet, Signal};

use super::Server;
use super::host::{self, Host};
use super::input::Input;
use super::management::{self, execute};
use super::pool::Pool;
use crate::clock::unix_time_s;
use crate::data_channel::DataChannel;
use crate::profile::{Family, ServerProfile};

const DEFAULT_PORT: u16 = 1194;
/// Maximum of queued inputs. Readers block when the queue is full; the driver then drops datagrams.
const MAX_INPUTS: usize = 1024;
/// Wait time without a deadline.
const IDLE: Duration = Duration::from_secs(3600);

/// Limit for the acknowledgements of the clients when the server stops.
const EXIT_WINDOW: Duration = Duration::from_secs(1);

/// Blocks the signals that a server handles. Call it before any thread starts: threads inherit the
/// mask.
///
/// # Errors
///
/// When the system call fails.
pub fn block_signals() -> Result<SigSet> {
    let mut signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.extend([Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2]);
    signals.thread_block()?;
    Ok(signals)
}

/// Serves clients through a data channel, whose interface is given, until a signal arrives.
///
/// # Errors
///
/// When the profile can't be applied, or the data channel fails.
pub fn run(
    profile: ServerProfile,
    interface: &str,
    data: &Arc<dyn DataChannel>,
    signals: SigSet,
) -> Result<()> {
    let pool = Pool::new(profile.network, profile.network_v6);
    let local = data.listen(local_address(&profile)).context("UDP socket")?;
    data.start().context("data channel")?;
    let _host = Host::configure(interface, &profile, &pool)?;
    log_line(&format!("listens on UDP {local}, the tunnel is {} on {interface}", profile.network));
    for warning in &profile.common.warnings {
        log_line(warning);
    }
    if profile.is_client_to_client {
        let families = [Some(profile.network), profile.network_v6].into_iter().flatten();
        for hint in families.filter_map(|network| host::forwarding_hint(network.address())) {
            log_line(&format!("client-to-client needs forwarding: sysctl -w {hint}"));
        }
    }
    let (sender, inputs) = mpsc::sync_channel(MAX_INPUTS);
    if let Some(path) = &profile.management {
        management::listen(path, sender.clone())
            .with_context(|| format!("management {}", path.display()))?;
    }
    let server = Server::new(profile, data.clone(), Box::new(log_line))?;
    wait_for(&sender, move || signals.wait().map(Input::Signal).map_err(io::Error::from));
    let events = data.clone();
    wait_for(&sender, move || events.next_event().map(Input::Event));
    let datagrams = data.clone();
    wait_for(&sender, move || {
        datagrams.receive_control().map(|(from, datagram)| Input::Datagram(from, datagram))
    });
    let result = serve(server, &inputs);
    data.stop().context("data channel")?;
    result
}

/// Starts a thread that reads inputs and queues them.
fn wait_for(sender: &SyncSender<Input>, next: impl Fn() -> io::Result<Input> + Send + 'static) {
    let sender = sender.clone();
    thread::spawn(move || {
        loop {
            let input = next();
            let is_last = input.is_err();
            if sender.send(input.unwrap_or_else(Input::Gone)).is_err() || is_last {
                return;
            }
        }
    });
}

fn serve(mut server: Server, inputs: &Receiver<Input>) -> Result<()> {
    loop {
        let now = Instant::now();
        let wait = server.deadline().map_or(IDLE, |at| at.saturating_duration_since(now));
        match inputs.recv_timeout(wait) {
            Ok(Input::Datagram(from, datagram)) => {
                server.datagram_in(from, &datagram, unix_time_s(), Instant::now());
            }
            Ok(Input::Event(event)) => server.event(event, Instant::now()),
            Ok(Input::Command { command, answer }) => {
                let Some(text) = execute(&mut server, &command, Instant::now()) else {
                    let _ = answer.send("SUCCESS: the server stops\r\n".into());
                    return stop(server, inputs);
                };
                // The requester may have disconnected.
                let _ = answer.send(text);
            }
            Ok(Input::Signal(signal @ (Signal::SIGHUP | Signal::SIGUSR1))) => {
                log_line(&format!("{signal}: restarting"));
                server.restart(Instant::now());
            }
            Ok(Input::Signal(Signal::SIGUSR2)) => {
                server.status(Instant::now()).iter().for_each(|line| log_line(line));
            }
            Ok(Input::Signal(signal)) => {
                log_line(&format!("{signal}: stopping"));
                return stop(server, inputs);
            }
            Ok(Input::Gone(error)) => bail!("lost the data channel: {error}"),
            Err(RecvTimeoutError::Disconnected) => bail!("all inputs are closed"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        server.timer(Instant::now());
    }
}

/// Dismisses all clients, and waits until they have acknowledged it.
fn stop(mut server: Server, inputs: &Receiver<Input>) -> Result<()> {
    server.stop(Instant::now());
    let by = Instant::now() + EXIT_WINDOW;
    while !server.is_drained() {
        match inputs.recv_timeout(by.saturating_duration_since(Instant::now())) {
            Ok(Input::Datagram(from, datagram)) => {
                server.datagram_in(from, &datagram, unix_time_s(), Instant::now());
            }
            Ok(Input::Event(_) | Input::Command { .. }) => {}
            Ok(Input::Signal(Signal::SIGTERM | Signal::SIGINT) | Input::Gone(_)) | Err(_) => break,
            Ok(Input::Signal(_)) => {}
        }
    }
    Ok(())
}

/// The address to listen on.
fn local_address(profile: &ServerProfile) -> SocketAddr {
    let common = &profile.common;
    let any = match profile.family {
        Some(Family::V6) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(Family::V4) | None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let address = common.local_address.unwrap_or(any);
    SocketAddr::new(address, common.local_port.unwrap_or(DEFAULT_PORT))
}

/// Prints a log line.
fn log_line(line: &str) {
    // Text of a peer, as in names, must not control the terminal.
    println!("{}", line.replace(|c: char| c.is_control(), "?"));
}
