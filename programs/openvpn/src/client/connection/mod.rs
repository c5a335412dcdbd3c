//! One connection to a server, from the first packet to the last.

mod pushed;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use nic_memory::wipe_stack;
use nix::sys::signal::Signal;

use crate::STACK_FRAMES;
use crate::client::credentials::Credentials;
use crate::client::log::Log;
use crate::client::network::Hops;
use crate::client::pull::Pull;
use crate::client::readers::{Input, InputKind};
use crate::client::setup::Setup;
use crate::client::tunnel::Tunnel;
use crate::clock::unix_time_s;
use crate::data_channel::{DataChannel, DataEvent, DataEventKind, Peer, PeerStatistics};
use crate::options::TunnelOptions;
use crate::profile::Profile;
use crate::session::{Established, Session, SessionEvent};
use crate::tls::Subject;

/// Interval of `PUSH_REQUEST`.
const PUSH_REQUEST_INTERVAL: Duration = Duration::from_secs(5);

/// Delay of the first `PUSH_REQUEST` where the server may push without one.
const PUSH_GRACE: Duration = Duration::from_secs(1);

/// Limit for the arrival of the pushed options.
const PULL_WINDOW: Duration = Duration::from_secs(60);

/// Limit for the acknowledgement of `EXIT`.
const EXIT_WINDOW: Duration = Duration::from_secs(1);

/// State shared by all connections of a client.
pub(super) struct Common<'c> {
    pub(super) profile: &'c Profile,
    pub(super) setup: &'c Setup,
    pub(super) channel: &'c Arc<dyn DataChannel>,
    pub(super) interface: &'c str,
    pub(super) inputs: &'c Receiver<Input>,
    pub(super) log: Log,
}

/// How a connection ended.
pub(super) struct Outcome {
    pub(super) reason: String,
    pub(super) next: Next,
    /// Whether the tunnel came up.
    pub(super) was_up: bool,
}

/// What the client does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Reconnect.
    Reconnect {
        /// Try the next server.
        is_next_remote: bool,
        /// Delay that the server requested.
        after: Option<Duration>,
    },
    /// Reconnect after a failed authentication (`auth-retry`).
    RetryAuthentication,
    /// Exit successfully.
    Exit,
    /// Read the profile again.
    Reload,
    /// Exit with an error.
    Fail,
}

const RECONNECT: Next = Next::Reconnect { is_next_remote: false, after: None };
const NEXT_REMOTE: Next = Next::Reconnect { is_next_remote: true, after: None };

/// A connection to a server.
pub(super) struct Connection<'c> {
    common: &'c Common<'c>,
    number: u64,
    remote: SocketAddr,
    session: Session,
    credentials: &'c mut Credentials,
    hops: Hops,
    pull: Option<Pull<'c>>,
    /// Deadline of the server's first reply (`server-poll-timeout`).
    answer_by: Option<Instant>,
    push_request_at: Option<Instant>,
    pull_by: Option<Instant>,
    /// The pushed options, once the tunnel is up.
    options: Option<TunnelOptions>,
    /// The peer id to set with the next key.
    send_id: Option<u32>,
    tunnel: &'c mut Tunnel,
}

impl<'c> Connection<'c> {
    /// Runs a connection until it ends.
    pub(super) fn run(
        common: &'c Common<'c>,
        number: u64,
        remote: SocketAddr,
        credentials: &'c mut Credentials,
        tunnel: &'c mut Tunnel,
    ) -> Outcome {
        let end = |reason: String, next| Outcome { reason, next, was_up: false };
        let now = Instant::now();
        let config = common.setup.session(credentials);
        let wrap = common.setup.wrap();
        let session = match Session::connect(config, wrap, unix_time_s(), now) {
            Ok(session) => session,
            Err(error) => return end(error.to_string(), Next::Fail),
        };
        let hops = match Hops::find(remote.ip(), tunnel.own_routes()) {
            Ok(hops) => hops,
            Err(error) => return end(format!("ip route: {error}"), Next::Fail),
        };
        if let Some(network) = &mut tunnel.network
            && let Err(error) = network.open_way(remote.ip(), hops.to_server.as_ref())
        {
            return end(format!("can not reach {remote}: {error}"), NEXT_REMOTE);
        }
        if let Err(error) = common.channel.connect(local_address(common.profile, remote), remote) {
            return end(
                format!("can not open a socket to {remote}: {error}"),
                after(&error, NEXT_REMOTE),
            );
        }
        tunnel.read_for(number);
        let poll_timeout = common.profile.server_poll_timeout;
        let mut connection = Connection {
            common,
            number,
            remote,
            session,
            credentials,
            hops,
            pull: Some(Pull::new(common.profile)),
            answer_by: poll_timeout.map(|timeout| now + timeout),
            push_request_at: None,
            pull_by: None,
            options: None,
            send_id: None,
            tunnel,
        };
        let mut outcome = connection.drive();
        outcome.was_up = connection.options.is_some();
        connection.leave(outcome.next);
        outcome
    }

    /// The event loop of the connection.
    fn drive(&mut self) -> Outcome {
        loop {
            if let Err(outcome) = self.work() {
                self.flush();
                return outcome;
            }
            self.flush();
            // A negotiation leaves keys.
            wipe_stack(STACK_FRAMES);
            let deadline = self.deadline();
            let input = match deadline {
                Some(at) => {
                    self.common.inputs.recv_timeout(at.saturating_duration_since(Instant::now()))
                }
                None => self.common.inputs.recv().map_err(RecvTimeoutError::from),
            };
            let result = match input {
                Ok(input) => self.input(input),
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    Err(end("all inputs are closed", Next::Fail))
                }
            };
            if let Err(outcome) = result {
                return outcome;
            }
        }
    }

    /// The next deadline.
    fn deadline(&self) -> Option<Instant> {
        [self.session.deadline(), self.answer_by, self.push_request_at, self.pull_by]
            .into_iter()
            .flatten()
            .min()
    }

    /// Handles expired deadlines and session events.
    fn work(&mut self) -> Result<(), Outcome> {
        let now = Instant::now();
        self.session.timer(now);
        while let Some(event) = self.session.poll_event() {
            self.session_event(event, now)?;
        }
        if self.session.peer_id().is_some() {
            self.answer_by = None;
        }
        if self.answer_by.is_some_and(|by| by <= now) {
            return Err(end("the server does not answer", NEXT_REMOTE));
        }
        if self.push_request_at.is_some_and(|at| at <= now) {
            self.push_request_at = Some(now + PUSH_REQUEST_INTERVAL);
            self.send("PUSH_REQUEST");
        }
        if self.pull_by.is_some_and(|by| by <= now) {
            return Err(end("the server did not push options in time", NEXT_REMOTE));
        }
        Ok(())
    }

    /// Sends the session's pending datagrams.
    fn flush(&mut self) {
        while let Some(datagram) = self.session.poll_datagram(Instant::now()) {
            if let Err(error) = self.common.channel.send_control(self.remote, &datagram) {
                // Treated as lost: the session retransmits it.
                self.common.log.trace(format_args!("can not send a control packet: {error}"));
            }
        }
    }

    fn input(&mut self, input: Input) -> Result<(), Outcome> {
        if input.connection.is_some_and(|number| number != self.number) {
            return Ok(());
        }
        match input.what {
            InputKind::Control(from, datagram) => self.control(from, &datagram),
            InputKind::Data(event) => return self.data_event(event),
            InputKind::Broken(error) => {
                return Err(end(
                    format!("lost the data channel: {error}"),
                    after(&error, RECONNECT),
                ));
            }
            InputKind::Signal(Signal::SIGUSR2) => self.log_statistics(),
            InputKind::Signal(Signal::SIGUSR1) => {
                return Err(end("reconnect requested by a signal", RECONNECT));
            }
            InputKind::Signal(Signal::SIGHUP) => {
                return Err(end("a signal to read the profile again", Next::Reload));
            }
            InputKind::Signal(signal) => return Err(end(format!("{signal}"), Next::Exit)),
        }
        Ok(())
    }

    fn control(&mut self, from: SocketAddr, datagram: &[u8]) {
        let log = self.common.log;
        if !is_same(from, self.remote) {
            log.trace(format_args!("dropped a control packet from {from}: not the server"));
        } else if let Err(error) = self.session.datagram_in(datagram, Instant::now()) {
            log.trace(error);
        }
    }

    fn data_event(&mut self, event: DataEvent) -> Result<(), Outcome> {
        let log = self.common.log;
        match event.kind {
            DataEventKind::KeyWanted => log.trace("a data packet waits for a key"),
            DataEventKind::LimitNear => {
                log.step("the key is close to its usage limit: renewing");
                self.session.renegotiate(Instant::now());
            }
            DataEventKind::TimedOut => {
                let is_last = self.options.as_ref().is_some_and(|o| o.ping_exit.is_some());
                let next = if is_last { Next::Exit } else { RECONNECT };
                return Err(end("the server is silent", next));
            }
            DataEventKind::Floated(remote) => {
                log.step(format_args!("the server changed its address to {remote}"));
                self.remote = remote;
                self.open_way();
            }
            DataEventKind::Deleted => {
                return Err(end("the driver deleted the peer", RECONNECT));
            }
        }
        Ok(())
    }

    /// Keeps the server's new address out of the tunnel.
    fn open_way(&mut self) {
        let server = self.remote.ip();
        let Ok(hops) = Hops::find(server, self.tunnel.own_routes()) else { return };
        if let Some(network) = &mut self.tunnel.network
            && let Err(error) = network.open_way(server, hops.to_server.as_ref())
        {
            self.common.log.error(format_args!("can not reach {}: {error}", self.remote));
        }
    }

    fn session_event(&mut self, event: SessionEvent, now: Instant) -> Result<(), Outcome> {
        let channel = self.common.channel;
        let done = match event {
            SessionEvent::Established(established) => {
                self.established(&established, now);
                Ok(())
            }
            SessionEvent::Message(text) => return self.message(&text, now),
            SessionEvent::InvalidMessage => {
                self.common.log.error("dropped a control message with invalid characters");
                Ok(())
            }
            SessionEvent::InstallKey(key) => {
                channel.install_key(Peer::Only, &key, self.send_id.take())
            }
            SessionEvent::SwapKeys => channel.swap_keys(Peer::Only),
            SessionEvent::DeleteKey(slot) => channel.delete_key(Peer::Only, slot),
            SessionEvent::Failed(error) => return Err(end(error.to_string(), NEXT_REMOTE)),
        };
        done.map_err(|error| end(format!("the data channel refused a key: {error}"), Next::Fail))
    }

    fn established(&mut self, established: &Established, now: Instant) {
        let log = self.common.log;
        let version = established.version.map(|version| format!("{version:?}"));
        let suite = established.cipher_suite.map(|suite| format!("{suite:?}"));
        let terms = format!("{} {}", version.unwrap_or_default(), suite.unwrap_or_default());
        if established.key_id != 0 {
            log.step(format_args!("keys renewed (key {}, {terms})", established.key_id));
            return;
        }
        let subject = established.certificate.as_ref().and_then(Subject::of).unwrap_or_default();
        log.step(format_args!("the server is {subject} ({terms})"));
        let grace = if self.common.setup.may_push_unasked { PUSH_GRACE } else { Duration::ZERO };
        self.push_request_at = Some(now + grace);
        self.pull_by = Some(now + PULL_WINDOW);
    }

    /// Sends `EXIT` where supported. Undoes the network configuration, unless it stays while the
    /// client connects anew (`persist-tun`).
    fn leave(&mut self, next: Next) {
        if let Some(options) = &self.options {
            if matches!(next, Next::Exit | Next::Reload) && options.is_exit_by_control {
                self.send("EXIT");
                self.flush();
                self.await_acks();
            }
            self.log_statistics();
        }
        let is_kept = self.common.profile.is_tunnel_kept
            && self.tunnel.network.is_some()
            && matches!(next, Next::Reconnect { .. } | Next::RetryAuthentication);
        if is_kept {
            self.tunnel.hold();
        } else {
            self.tunnel.release();
        }
    }

    fn log_statistics(&self) {
        match self.common.channel.statistics(Peer::Only) {
            Ok(PeerStatistics { rx_packets, rx_bytes, tx_packets, tx_bytes }) => {
                self.common.log.step(format_args!(
                    "received {rx_packets} packets, {rx_bytes} bytes; \
                     sent {tx_packets} packets, {tx_bytes} bytes"
                ));
            }
            Err(_) => self.common.log.step("not connected"),
        }
    }

    /// Waits until the server has acknowledged everything, up to [`EXIT_WINDOW`].
    fn await_acks(&mut self) {
        let by = Instant::now() + EXIT_WINDOW;
        while !self.session.is_all_acknowledged() {
            let left = by.saturating_duration_since(Instant::now());
            match self.common.inputs.recv_timeout(left) {
                Ok(Input {
                    connection: Some(number),
                    what: InputKind::Control(from, datagram),
                }) if number == self.number => {
                    self.control(from, &datagram);
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    fn send(&mut self, message: &str) {
        if let Err(error) = self.session.send_message(message) {
            self.common.log.error(error);
        }
    }
}

fn end(reason: impl Into<String>, next: Next) -> Outcome {
    Outcome { reason: reason.into(), next, was_up: false }
}

/// What to do after an error of the data channel: `next`, unless the data channel is gone.
fn after(error: &io::Error, next: Next) -> Next {
    if error.kind() == io::ErrorKind::ConnectionAborted { Next::Fail } else { next }
}

/// The local address to bind; `None` selects any.
fn local_address(profile: &Profile, remote: SocketAddr) -> Option<SocketAddr> {
    let address = profile.local_address.filter(|local| local.is_ipv4() == remote.is_ipv4());
    if address.is_none() && profile.local_port.is_none() {
        return None;
    }
    let any = match remote {
        SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    Some(SocketAddr::new(address.unwrap_or(any), profile.local_port.unwrap_or(0)))
}

/// Compares two addresses; IPv4 and IPv4-mapped IPv6 addresses are equal.
fn is_same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}
