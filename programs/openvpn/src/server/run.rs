//! A server that runs: threads that wait, and one that acts.

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
/// How many inputs wait at most; who brings more waits, and datagrams are lost below.
const MAX_INPUTS: usize = 1024;
/// How long to sleep where nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// The signals that end a server. To be called before there are other threads, as they would be
/// ended by them.
///
/// # Errors
///
/// When the system refuses.
pub fn block_signals() -> Result<SigSet> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block()?;
    Ok(signals)
}

/// Serves until one of the signals comes, over a data path for many peers whose interface is given.
///
/// # Errors
///
/// When the profile can't be followed, or the data path ends.
pub fn run(
    profile: ServerProfile,
    interface: &str,
    data: &Arc<dyn DataChannel>,
    signals: SigSet,
) -> Result<()> {
    let pool = Pool::new(profile.network, profile.network_v6);
    let local = data.listen(local_address(&profile)).context("the UDP port")?;
    data.start().context("the data path")?;
    let _host = Host::configure(interface, &profile, &pool)?;
    log_line(&format!("listens on UDP {local}, the tunnel is {} on {interface}", profile.network));
    for warning in &profile.common.warnings {
        log_line(warning);
    }
    if profile.is_client_to_client {
        let families = [Some(profile.network), profile.network_v6].into_iter().flatten();
        for hint in families.filter_map(|network| host::forwarding_hint(network.address())) {
            log_line(&format!("clients can't reach each other until `sysctl -w {hint}`"));
        }
    }
    let (sender, inputs) = mpsc::sync_channel(MAX_INPUTS);
    if let Some(path) = &profile.management {
        management::listen(path, sender.clone())
            .with_context(|| format!("management {}", path.display()))?;
    }
    let server = Server::new(profile, data.clone(), Box::new(log_line))?;
    wait_for(&sender, move || signals.wait().map(Input::Stop).map_err(io::Error::from));
    let events = data.clone();
    wait_for(&sender, move || events.next_event().map(Input::Event));
    let datagrams = data.clone();
    wait_for(&sender, move || {
        datagrams.receive_control().map(|(from, datagram)| Input::Datagram(from, datagram))
    });
    let result = serve(server, &inputs);
    data.stop().context("the data path")?;
    result
}

/// Waits on a thread of its own, again and again, and hands over what comes.
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
                    let _ = answer.send("SUCCESS: the server ends\r\n".into());
                    server.stop(Instant::now());
                    return Ok(());
                };
                // Whoever asked may be gone.
                let _ = answer.send(text);
            }
            Ok(Input::Stop(signal)) => {
                log_line(&format!("{signal}: ends"));
                server.stop(Instant::now());
                return Ok(());
            }
            Ok(Input::Gone(error)) => bail!("the data path is gone: {error}"),
            Err(RecvTimeoutError::Disconnected) => bail!("nothing is left to wait for"),
            Err(RecvTimeoutError::Timeout) => {}
        }
        server.timer(Instant::now());
    }
}

/// Where the profile wants us to listen.
fn local_address(profile: &ServerProfile) -> SocketAddr {
    let common = &profile.common;
    let any = match profile.family {
        Some(Family::V6) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        Some(Family::V4) | None => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let address = common.local_address.unwrap_or(any);
    SocketAddr::new(address, common.local_port.unwrap_or(DEFAULT_PORT))
}

/// A line for people, on standard output.
fn log_line(line: &str) {
    println!("{line}");
}
