//! Event loop of the server, and the threads that feed it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nic_memory::wipe_stack;
use nix::sys::signal::Signal;

use super::Server;
use super::host::{self, Host};
use super::input::Input;
use super::management::{Management, execute};
use super::pool::Pool;
use super::readers::Readers;
use crate::clock::unix_time_s;
use crate::data_channel::DataChannel;
use crate::process::{self, Level, Process, Stream};
use crate::profile::{Family, ServerProfile};
use crate::{STACK_FRAMES, Signals};

const DEFAULT_PORT: u16 = 1194;
/// Maximum of queued inputs. Readers block when the queue is full; the driver then drops datagrams.
const MAX_INPUTS: usize = 1024;
/// Wait time without a deadline.
const IDLE: Duration = Duration::from_secs(3600);

/// Limit for the acknowledgements of the clients when the server stops.
const EXIT_WINDOW: Duration = Duration::from_secs(1);

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal or a command has ended it.
    Exit,
    /// It is to read its configuration again (SIGHUP).
    Reload,
}

/// Serves clients through a data channel, whose interface is given, until a signal arrives. The
/// interface is then as before. `management` takes commands.
///
/// # Errors
///
/// When the profile can't be applied, or the data channel fails.
pub fn run(
    profile: ServerProfile,
    interface: &str,
    data: &Arc<dyn DataChannel>,
    signals: &mut Signals,
    process: &mut Process,
    management: Option<Management>,
) -> Result<End> {
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
    let _management = management.map(|it| it.serve(sender.clone())).transpose()?;
    let server = Server::new(profile, data.clone(), Box::new(log_line))?;
    wipe_stack(STACK_FRAMES);
    process.started()?;
    let readers = Readers::start(data, &sender);
    signals.forward(move |signal| sender.send(Input::Signal(signal)).is_ok());
    let result = serve(server, &inputs);
    readers.stop(inputs).context("data channel")?;
    result
}

fn serve(mut server: Server, inputs: &Receiver<Input>) -> Result<End> {
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
                    server.stop(Instant::now());
                    drain(server, inputs);
                    return Ok(End::Exit);
                };
                // The requester may have disconnected.
                let _ = answer.send(text);
            }
            Ok(Input::Signal(Signal::SIGUSR1)) => {
                log_line("SIGUSR1: restarting");
                server.restart(Instant::now());
            }
            Ok(Input::Signal(Signal::SIGHUP)) => {
                log_line("SIGHUP: reading the configuration again");
                server.restart(Instant::now());
                return Ok(drain(server, inputs).unwrap_or(End::Reload));
            }
            Ok(Input::Signal(Signal::SIGUSR2)) => {
                server.status(Instant::now()).iter().for_each(|line| log_line(line));
            }
            Ok(Input::Signal(signal)) => {
                log_line(&format!("{signal}: stopping"));
                server.stop(Instant::now());
                drain(server, inputs);
                return Ok(End::Exit);
            }
            Ok(Input::Gone(error)) => bail!("lost the data channel: {error}"),
            Err(RecvTimeoutError::Disconnected) => bail!("all inputs are closed"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        server.timer(Instant::now());
        // A negotiation leaves keys.
        wipe_stack(STACK_FRAMES);
    }
}

/// Waits until all dismissed clients have acknowledged that. Returns [`End::Exit`] if a signal that
/// ends the server arrives meanwhile.
fn drain(mut server: Server, inputs: &Receiver<Input>) -> Option<End> {
    let by = Instant::now() + EXIT_WINDOW;
    while !server.is_drained() {
        match inputs.recv_timeout(by.saturating_duration_since(Instant::now())) {
            Ok(Input::Datagram(from, datagram)) => {
                server.datagram_in(from, &datagram, unix_time_s(), Instant::now());
            }
            Ok(Input::Signal(Signal::SIGTERM | Signal::SIGINT)) => return Some(End::Exit),
            Ok(Input::Event(_) | Input::Command { .. } | Input::Signal(_)) => {}
            Ok(Input::Gone(_)) | Err(_) => break,
        }
    }
    None
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

fn log_line(line: &str) {
    process::write(Level::Notice, Stream::Output, line);
}
