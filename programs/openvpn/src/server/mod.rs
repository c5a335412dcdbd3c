//! The server: sessions with many clients, their addresses and networks, and a data channel with a
//! peer for each client.
//!
//! ```text
//! datagram -- known address and session id --> Session --> events --> DataChannel (peers, keys)
//!    `------- otherwise ---------------------> Responder (stateless) --> a new Session
//! ```
//!
//! [`Server`] reads no clock, never blocks and has no threads: [`run()`] passes datagrams, events,
//! commands and time to it.

mod addresses;
mod admission;
mod client;
mod client_file;
mod half_open;
mod host;
mod input;
mod management;
mod pool;
mod push;
mod readers;
mod responder;
mod run;
mod terms;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
pub use client_file::ClientFile;
pub use management::Management;
pub use pool::{Lease, Pool, PoolError};
pub use responder::{Responder, ResponderError, Response};
pub use run::{End, run};
pub use terms::{Terms, TermsError};

use crate::data_channel::{DataChannel, DataEvent, DataEventKind, Peer};
use crate::packet::SessionId;
use crate::profile::ServerProfile;
use crate::session::{Hello, Session, SessionConfig, SessionEvent};
use crate::{Role, Suite};
use addresses::Addresses;
use client::{Client, Stage};

const DEFAULT_CIPHERS: [Suite; 3] = [Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305];
/// Maximum receive id: 24 bits, of which all ones mean "none".
const MAX_ID: u32 = 0xFF_FFFE;

/// Options string. Stock clients require one, and only warn about differences.
const OPTIONS: &str = "V4,dev-type tun,tun-mtu 1500,proto UDPv4,key-method 2,tls-server";

/// A server.
pub struct Server {
    profile: ServerProfile,
    ciphers: Vec<Suite>,
    session: SessionConfig,
    responder: Responder,
    pool: Pool,
    data: Arc<dyn DataChannel>,
    /// By the receive id of the client's peer.
    clients: BTreeMap<u32, Client>,
    addresses: Addresses,
    last_id: u32,
    log: Box<dyn FnMut(&str) + Send>,
}

impl Server {
    /// Creates a server on a data channel whose socket is open. Log lines go to `log`.
    ///
    /// # Errors
    ///
    /// When a key or certificate of the profile is invalid, or the system returns no random bytes.
    pub fn new(
        mut profile: ServerProfile,
        data: Arc<dyn DataChannel>,
        log: Box<dyn FnMut(&str) + Send>,
    ) -> anyhow::Result<Self> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let ciphers = match &profile.common.data_ciphers[..] {
            [] => DEFAULT_CIPHERS.to_vec(),
            ciphers => ciphers.to_vec(),
        };
        let hello = Hello { options: OPTIONS.into(), ..Hello::default() };
        let session = SessionConfig::new(&profile.common, Role::Server, hello)?;
        let responder =
            Responder::new(&profile, secret).context("tls-auth, tls-crypt or tls-crypt-v2")?;
        profile.common.forget_secrets();
        profile.tls_crypt_v2 = None;
        Ok(Self {
            ciphers,
            session,
            responder,
            pool: Pool::new(profile.network, profile.network_v6),
            profile,
            data,
            clients: BTreeMap::new(),
            addresses: Addresses::default(),
            last_id: 0,
            log,
        })
    }

    /// Processes a control datagram.
    pub fn datagram_in(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        unix_time_s: u32,
        now: Instant,
    ) {
        if let Some(id) = self.session_of(from, datagram)
            && let Some(client) = self.clients.get_mut(&id)
        {
            // Not logged, as below.
            if client.session.datagram_in(datagram, now).is_ok() {
                self.drive(id, now);
            }
            return;
        }
        match self.responder.respond(from, datagram, unix_time_s) {
            Ok(Response::Reply(answer)) => {
                if let Err(error) = self.data.send_control(from, &answer) {
                    self.log_line(&format!("{from}: can not reply: {error}"));
                }
            }
            Ok(Response::Accept { ids, wrap }) => {
                let session = Session::accept(self.session.clone(), wrap, ids, unix_time_s, now);
                match session {
                    Ok(session) => self.accept(from, session, datagram, now),
                    Err(error) => {
                        self.log_line(&format!("{from}: can not start a session: {error}"));
                    }
                }
            }
            // Not logged: anybody can send such datagrams.
            Err(_) => {}
        }
    }

    /// Processes an event of the data channel.
    pub fn event(&mut self, event: DataEvent, now: Instant) {
        let Peer::Id(receive_id) = event.peer else { return };
        match event.kind {
            DataEventKind::KeyWanted | DataEventKind::LimitNear => {
                if let Some(client) = self.clients.get_mut(&receive_id) {
                    client.session.renegotiate(now);
                    self.drive(receive_id, now);
                }
            }
            DataEventKind::TimedOut => self.remove(receive_id, "timed out"),
            DataEventKind::Deleted => self.remove(receive_id, "the driver deleted its peer"),
            DataEventKind::Floated(remote) => self.float(receive_id, remote),
        }
    }

    /// The next time to call [`Server::timer`].
    pub fn deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).min()
    }

    /// Processes expired timers.
    pub fn timer(&mut self, now: Instant) {
        let is_due = |client: &Client| client.deadline().is_some_and(|deadline| deadline <= now);
        let due: Vec<u32> =
            self.clients.iter().filter(|(_, client)| is_due(client)).map(|(id, _)| *id).collect();
        for id in due {
            let Some(client) = self.clients.get_mut(&id) else { continue };
            match client.stage {
                Stage::Leaving { until } if until <= now => self.forget(id),
                _ => {
                    client.session.timer(now);
                    self.drive(id, now);
                }
            }
        }
    }

    /// Removes clients by common name or address, and sends them `word`: `RESTART`, after which
    /// they reconnect, or `HALT`. Returns their number.
    pub fn kill(&mut self, target: &str, word: &str, now: Instant) -> usize {
        let is_target = |client: &Client| {
            client.connected().is_some_and(|connected| connected.name == target)
                || client.address.to_string() == target
        };
        let found: Vec<u32> = self
            .clients
            .iter()
            .filter(|(_, client)| is_target(client))
            .map(|(id, _)| *id)
            .collect();
        for id in &found {
            self.dismiss(*id, word, "removed", now);
        }
        found.len()
    }

    /// One line per client: name, address, inner addresses, bytes received and sent, seconds
    /// connected.
    pub fn status(&self, now: Instant) -> Vec<String> {
        let line = |(id, client): (&u32, &Client)| {
            let connected = client.connected()?;
            let statistics = self.data.statistics(Peer::Id(*id)).unwrap_or_default();
            let address_v6 = connected.lease.address_v6;
            Some(format!(
                "{}\t{}\t{}\t{}\t{}\t{}\t{}",
                connected.name,
                client.address,
                connected.lease.address,
                address_v6.map_or_else(|| "-".into(), |address| address.to_string()),
                statistics.rx_bytes,
                statistics.tx_bytes,
                now.duration_since(connected.since).as_secs(),
            ))
        };
        self.clients.iter().filter_map(line).collect()
    }

    /// Dismisses all clients with `RESTART`: to the next server if the configuration says so
    /// (`explicit-exit-notify 2`).
    pub fn stop(&mut self, now: Instant) {
        let word = match self.profile.common.is_exit_to_next_remote {
            true => "RESTART,[N]",
            false => "RESTART",
        };
        self.dismiss_all(word, "the server stops", now);
    }

    /// Dismisses all clients with `RESTART`, after which they reconnect.
    pub fn restart(&mut self, now: Instant) {
        self.dismiss_all("RESTART", "the server restarts", now);
    }

    /// Whether every dismissed client has acknowledged its dismissal.
    pub fn is_drained(&self) -> bool {
        let is_pending = |client: &Client| {
            matches!(client.stage, Stage::Leaving { .. }) && !client.session.is_all_acknowledged()
        };
        !self.clients.values().any(is_pending)
    }

    fn dismiss_all(&mut self, word: &str, why: &str, now: Instant) {
        let all: Vec<u32> = self.clients.keys().copied().collect();
        for id in all {
            match self.clients.get(&id).is_some_and(|client| client.connected().is_some()) {
                true => self.dismiss(id, word, why, now),
                false => self.remove(id, why),
            }
        }
    }

    /// The client at an address whose session id the datagram has. Every protection leaves the id
    /// in plaintext.
    fn session_of(&self, from: SocketAddr, datagram: &[u8]) -> Option<u32> {
        let session_id = SessionId(*datagram.get(1..)?.first_chunk()?);
        let is_its = |id: &u32| {
            self.clients.get(id).and_then(|client| client.session.peer_id()) == Some(session_id)
        };
        self.addresses.at(from).iter().copied().find(is_its)
    }

    /// Adds a session that starts with the datagram that returned our cookie.
    fn accept(&mut self, from: SocketAddr, session: Session, datagram: &[u8], now: Instant) {
        self.make_room(from.ip());
        let id = self.free_id();
        let client = Client { address: from, session, begun: now, stage: Stage::Handshake };
        self.clients.insert(id, client);
        self.addresses.insert(from, id);
        self.log_line(&format!("{from}: connects"));
        if let Some(client) = self.clients.get_mut(&id)
            && let Err(error) = client.session.datagram_in(datagram, now)
        {
            self.remove(id, &error.to_string());
        }
        self.drive(id, now);
    }

    /// The least recently used id: a late event of a removed peer must not apply to a new one.
    fn free_id(&mut self) -> u32 {
        loop {
            self.last_id = if self.last_id < MAX_ID { self.last_id + 1 } else { 1 };
            if !self.clients.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Processes the events of a client's session, and sends its datagrams.
    fn drive(&mut self, id: u32, now: Instant) {
        while let Some(client) = self.clients.get_mut(&id) {
            let Some(event) = client.session.poll_event() else { break };
            if !matches!(client.stage, Stage::Leaving { .. }) {
                self.session_event(id, event, now);
            }
        }
        self.flush(id, now);
    }

    fn flush(&mut self, id: u32, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        while let Some(datagram) = client.session.poll_datagram(now) {
            if let Err(error) = self.data.send_control(client.address, &datagram) {
                let line = format!("{}: can not send: {error}", client.label());
                return self.log_line(&line);
            }
        }
    }

    fn session_event(&mut self, id: u32, event: SessionEvent, now: Instant) {
        let result = match event {
            SessionEvent::Established(established) => {
                return self.established(id, &established, now);
            }
            SessionEvent::Message(message) => return self.message(id, &message, now),
            SessionEvent::InvalidMessage => {
                return self.log_client(id, "dropped a control message with invalid characters");
            }
            SessionEvent::Failed(error) => {
                self.flush(id, now);
                return self.remove(id, &error.to_string());
            }
            SessionEvent::InstallKey(key) => self.data.install_key(Peer::Id(id), &key, None),
            SessionEvent::SwapKeys => self.data.swap_keys(Peer::Id(id)),
            SessionEvent::DeleteKey(slot) => self.data.delete_key(Peer::Id(id), slot),
        };
        if let Err(error) = result {
            self.dismiss(id, "RESTART", &format!("can not set its keys: {error}"), now);
        }
    }

    /// Handles a control message of a client.
    fn message(&mut self, id: u32, message: &str, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match message {
            "PUSH_REQUEST" => client.push(now),
            "EXIT" => self.remove(id, "left"),
            // Other messages need no action.
            _ => {}
        }
    }

    /// Handles a change of a client's address. The source of a data packet can be forged by the
    /// client: other clients at that address stay.
    fn float(&mut self, id: u32, remote: SocketAddr) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let line = format!("{}: moved to {remote}", client.label());
        self.addresses.remove(client.address, id);
        client.address = remote;
        self.addresses.insert(remote, id);
        self.log_line(&line);
    }

    /// Sends a client a final message and removes its peer at once.
    fn dismiss(&mut self, id: u32, word: &str, why: &str, now: Instant) {
        self.depart(id, why);
        if let Some(client) = self.clients.get_mut(&id) {
            client.dismiss(word, now);
            self.flush(id, now);
        }
    }

    /// Removes a client without a message.
    fn remove(&mut self, id: u32, why: &str) {
        self.depart(id, why);
        self.forget(id);
    }

    /// Logs the departure of a client, and releases its peer and addresses.
    fn depart(&mut self, id: u32, why: &str) {
        let Some(client) = self.clients.get(&id) else { return };
        if matches!(client.stage, Stage::Leaving { .. }) {
            return;
        }
        let mut line = format!("{}: {why}", client.label());
        if client.connected().is_some()
            && let Ok(statistics) = self.data.statistics(Peer::Id(id))
        {
            line +=
                &format!(" (received {} bytes, sent {})", statistics.rx_bytes, statistics.tx_bytes);
        }
        // Fails if the peer timed out or was never created.
        let _ = self.data.delete_peer(Peer::Id(id));
        self.pool.release(id);
        self.log_line(&line);
    }

    fn forget(&mut self, id: u32) {
        if let Some(client) = self.clients.remove(&id) {
            self.addresses.remove(client.address, id);
        }
    }

    fn log_client(&mut self, id: u32, what: &str) {
        if let Some(client) = self.clients.get(&id) {
            let line = format!("{}: {what}", client.label());
            self.log_line(&line);
        }
    }

    fn log_line(&mut self, line: &str) {
        (self.log)(line);
    }
}
