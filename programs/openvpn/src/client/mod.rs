//! The client: connects to a profile's servers in turn until a signal or a server ends it.

mod connection;
mod credentials;
mod log;
mod message;
mod names;
mod network;
mod pull;
mod readers;
mod setup;
mod tunnel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nic_memory::wipe_stack;
use nix::sys::signal::Signal;

pub use log::Log;

use crate::client::connection::{Common, Connection, Next, Outcome};
use crate::client::credentials::Credentials;
use crate::client::names::Names;
use crate::client::readers::{Input, InputKind};
use crate::client::setup::Setup;
use crate::client::tunnel::Tunnel;
use crate::data_channel::DataChannel;
use crate::profile::{Profile, Remote};
use crate::{STACK_FRAMES, Signals};

/// Delay between two rounds through all servers, and the limit of its doubling: OpenVPN's
/// defaults.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));

/// Minimum delay after a failed authentication, as in stock OpenVPN.
const AUTH_RETRY: Duration = Duration::from_secs(10);

/// Failed attempts per server after which the delay doubles (manual, `--connect-retry`).
const QUICK_ATTEMPTS: u32 = 5;

/// How a client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A signal or a server has ended it.
    Exit,
    /// It is to read its profile again (SIGHUP).
    Reload,
}

/// A client with a validated profile.
pub struct Client {
    profile: Profile,
    setup: Setup,
    credentials: Credentials,
    log: Log,
}

impl Client {
    /// Validates the profile and prompts for missing credentials. `protocol` overrides `IV_PROTO`.
    pub fn new(mut profile: Profile, protocol: Option<u32>, log: Log) -> Result<Self> {
        let setup = Setup::new(&profile, protocol)?;
        for warning in &profile.warnings {
            log.step(format_args!("profile: {warning}"));
        }
        let credentials = Credentials::collect(profile.credentials.as_ref())?;
        profile.forget_secrets();
        wipe_stack(STACK_FRAMES);
        Ok(Self { profile, setup, credentials, log })
    }

    /// The profile.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Connects through this data channel, whose interface has this name. Returns when a signal or
    /// a server ends the client; the interface is then as before.
    ///
    /// # Errors
    ///
    /// When no further attempt can succeed.
    pub fn run(
        mut self,
        channel: &Arc<dyn DataChannel>,
        interface: &str,
        signals: &mut Signals,
    ) -> Result<End> {
        let (sender, inputs) = mpsc::channel();
        let signal_sender = sender.clone();
        signals.forward(move |signal| {
            let input = Input { connection: None, what: InputKind::Signal(signal) };
            signal_sender.send(input).is_ok()
        });
        let common = Common {
            profile: &self.profile,
            setup: &self.setup,
            channel,
            interface,
            inputs: &inputs,
            log: self.log,
        };
        let mut number = 0;
        let mut rounds = RemoteCycle::new(&self.profile);
        let mut names = Names::default();
        if self.profile.is_tunnel_kept {
            names.prepare(&self.profile.remotes);
        }
        let mut tunnel = Tunnel::new(channel.clone(), interface, sender.clone(), self.log);
        loop {
            let remote = rounds.remote().clone();
            let next = match names.addresses(&remote, tunnel.network.is_some()) {
                Err(error) => {
                    self.log.error(format_args!("{}: {error:#}", remote.host));
                    Next::Reconnect { is_next_remote: true, after: None }
                }
                Ok(addresses) => {
                    let address = rounds.pick(&addresses);
                    self.log.step(format_args!("connecting to {} ({address})", remote.host));
                    number += 1;
                    let Outcome { reason, next, was_up } = Connection::run(
                        &common,
                        number,
                        address,
                        &mut self.credentials,
                        &mut tunnel,
                    );
                    if was_up {
                        rounds.succeeded();
                    }
                    match next {
                        Next::Exit => self.log.step(format_args!("stopped: {reason}")),
                        _ => self.log.error(format_args!("disconnected: {reason}")),
                    }
                    next
                }
            };
            let pause = match next {
                Next::Exit => return Ok(End::Exit),
                Next::Reload => return Ok(End::Reload),
                Next::Fail => bail!("no further attempt"),
                Next::RetryAuthentication => {
                    rounds.retry_authentication().context("authentication failed too often")?
                }
                Next::Reconnect { is_next_remote, after } => {
                    rounds.reconnect(is_next_remote, after).context("no server can be reached")?
                }
            };
            if !pause.is_zero() {
                self.log.step(format_args!("reconnecting in {} s", pause.as_secs()));
            }
            if let Some(end) = wait(&inputs, pause, self.log) {
                return Ok(end);
            }
        }
    }
}

/// Waits. Returns how the client ends if a signal that ends it arrives meanwhile.
fn wait(inputs: &Receiver<Input>, pause: Duration, log: Log) -> Option<End> {
    let until = Instant::now() + pause;
    loop {
        match inputs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Input { what: InputKind::Signal(signal), .. }) => match signal {
                Signal::SIGINT | Signal::SIGTERM => return Some(End::Exit),
                Signal::SIGHUP => return Some(End::Reload),
                Signal::SIGUSR1 => return None,
                _ => log.step("not connected"),
            },
            Err(RecvTimeoutError::Timeout) => return None,
            Ok(_) => {}
            Err(RecvTimeoutError::Disconnected) => return Some(End::Exit),
        }
    }
}

/// Iterates over the remotes, with the delays between rounds.
struct RemoteCycle<'p> {
    remotes: Vec<&'p Remote>,
    index: usize,
    /// Index into the addresses of a name.
    attempt: usize,
    /// Failed attempts since a connection was up.
    failures: u32,
    /// The last connection was up: its end is no failed attempt.
    was_up: bool,
    max_failures: Option<u32>,
    pause: Duration,
    pauses: (Duration, Duration),
}

impl<'p> RemoteCycle<'p> {
    fn new(profile: &'p Profile) -> Self {
        let mut remotes: Vec<_> = profile.remotes.iter().collect();
        if profile.is_remote_random && !remotes.is_empty() {
            let mut bytes = [0; 4];
            // Without random bytes the list starts at the first remote.
            let _ = getrandom::fill(&mut bytes);
            let by = u32::from_ne_bytes(bytes) as usize % remotes.len();
            remotes.rotate_left(by);
        }
        let pauses = profile.connect_retry.unwrap_or(RETRY);
        let count = u32::try_from(remotes.len()).unwrap_or(u32::MAX);
        let max = profile.connect_retry_max.filter(|max| *max > 0);
        Self {
            remotes,
            index: 0,
            attempt: 0,
            failures: 0,
            was_up: false,
            max_failures: max.map(|max| max.saturating_mul(count)),
            pause: pauses.0,
            pauses,
        }
    }

    fn remote(&self) -> &'p Remote {
        self.remotes[self.index]
    }

    fn pick(&self, addresses: &[SocketAddr]) -> SocketAddr {
        addresses[self.attempt % addresses.len()]
    }

    /// Resets the count of failures and the delay after a connection came up.
    fn succeeded(&mut self) {
        (self.failures, self.was_up) = (0, true);
        self.pause = self.pauses.0;
    }

    /// Advances and returns the delay before the next attempt; `None` after `connect-retry-max`
    /// attempts per server.
    fn next(&mut self, is_next_remote: bool) -> Option<Duration> {
        self.failures = self.failures.saturating_add(u32::from(!self.was_up));
        self.was_up = false;
        if self.max_failures.is_some_and(|max| self.failures >= max) {
            return None;
        }
        if !is_next_remote {
            return Some(self.back_off(self.pauses.0));
        }
        self.index = (self.index + 1) % self.remotes.len();
        if self.index > 0 {
            return Some(Duration::ZERO);
        }
        self.attempt += 1;
        let pause = self.pause;
        self.pause = (pause * 2).min(self.pauses.1);
        Some(pause)
    }

    /// Like [`RemoteCycle::next`], with the delay that a server has asked for. As in stock, it can
    /// only lengthen the delay.
    fn reconnect(&mut self, is_next_remote: bool, after: Option<Duration>) -> Option<Duration> {
        Some(self.next(is_next_remote)?.max(after.unwrap_or_default()))
    }

    /// Like [`RemoteCycle::next`], after a failed authentication: no server is tried at once, as
    /// servers may share accounts and lock them.
    fn retry_authentication(&mut self) -> Option<Duration> {
        let pause = self.next(true)?;
        Some(pause.max(self.back_off(AUTH_RETRY.max(self.pauses.0))))
    }

    /// The delay after that many failures: doubles after some per server.
    fn back_off(&self, first: Duration) -> Duration {
        let count = u32::try_from(self.remotes.len()).unwrap_or(u32::MAX).max(1);
        let doublings = (self.failures / count).saturating_sub(QUICK_ATTEMPTS - 1).min(15);
        first.saturating_mul(1 << doublings).min(self.pauses.1.max(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(hosts: &[&str], max: Option<u32>) -> Profile {
        let remote = |host: &&str| Remote { host: (*host).into(), port: 1194, family: None };
        let remotes = hosts.iter().map(remote).collect();
        Profile { remotes, connect_retry_max: max, ..Profile::default() }
    }

    #[test]
    fn servers_take_turns_and_pauses_double() {
        let profile = profile(&["a", "b"], None);
        let mut rounds = RemoteCycle::new(&profile);
        let mut turns = Vec::new();
        for _ in 0..24 {
            turns.push(rounds.remote().host.as_str());
            turns.push(if rounds.next(true).unwrap() > Duration::ZERO { "wait" } else { "" });
        }
        assert_eq!(turns[..6], ["a", "", "b", "wait", "a", ""]);
        assert_eq!(rounds.pause, RETRY.1);
        rounds.succeeded();
        assert_eq!(rounds.next(false), Some(RETRY.0));
        assert_eq!(rounds.remote().host, "a");
    }

    #[test]
    fn failed_authentication_backs_off() {
        let one = profile(&["a"], None);
        let mut rounds = RemoteCycle::new(&one);
        let pauses: Vec<_> = (0..11)
            .filter_map(|_| rounds.retry_authentication())
            .map(|pause| pause.as_secs())
            .collect();
        assert_eq!(pauses, [10, 10, 10, 10, 20, 40, 80, 160, 300, 300, 300]);
        rounds.succeeded();
        assert_eq!(rounds.retry_authentication(), Some(AUTH_RETRY));
        let two = profile(&["a", "b"], Some(2));
        let mut rounds = RemoteCycle::new(&two);
        let tried = std::iter::from_fn(|| rounds.retry_authentication()).count();
        assert_eq!(tried, 3);
    }

    /// A server that asks for another attempt at itself counts too, the end of a tunnel does not.
    #[test]
    fn attempts_at_one_server_are_counted() {
        let profile = profile(&["a"], Some(7));
        let mut rounds = RemoteCycle::new(&profile);
        for _ in 0..20 {
            rounds.succeeded();
            assert_eq!(rounds.next(false), Some(RETRY.0));
        }
        let pauses: Vec<_> =
            std::iter::from_fn(|| rounds.next(false)).map(|pause| pause.as_secs()).collect();
        assert_eq!(pauses, [1, 1, 1, 1, 2, 4]);
        rounds.succeeded();
        let hour = Duration::from_secs(3600);
        for (after, pause) in [(Duration::ZERO, RETRY.0), (hour, hour)] {
            assert_eq!(rounds.reconnect(false, Some(after)), Some(pause));
        }
    }

    #[test]
    fn enough_rounds_are_enough() {
        let profile = profile(&["a", "b"], Some(2));
        let mut rounds = RemoteCycle::new(&profile);
        let went_on = std::iter::from_fn(|| rounds.next(true)).count();
        assert_eq!(went_on, 3);
    }
}
