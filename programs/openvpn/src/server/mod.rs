//! The server: sessions with many clients, their addresses and networks, and one data path with a
//! peer for each.
//!
//! ```text
//! datagram ── known address ──> Session ──> events ──> DataChannel (peers, keys, iroutes)
//!    └──────── otherwise ─────> Door (stateless) ──> a new Session
//! ```
//!
//! [`Server`] reads no clock, waits for nothing and has no threads: [`run()`] moves datagrams,
//! events, commands and time into it.

mod admission;
mod client;
mod client_file;
mod host;
mod input;
mod management;
mod pool;
mod push;
mod responder;
mod run;
mod terms;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, anyhow};
pub use client_file::ClientFile;
pub use pool::{Lease, Pool, PoolError};
pub use responder::{Responder, ResponderError, Response};
pub use run::{block_signals, run};
pub use terms::{Terms, TermsError};

use crate::data_channel::{DataChannel, DataEvent, DataEventKind, Peer};
use crate::profile::ServerProfile;
use crate::session::{DatagramError, Hello, Session, SessionConfig, SessionEvent};
use crate::{Role, Suite};
use client::{Client, Stage};

const DEFAULT_CIPHERS: [Suite; 3] = [Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305];
/// A receive id has 24 bits, of which all ones mean none.
const MAX_ID: u32 = 0xFF_FFFE;
/// How many clients there may be at once of whom it is not known who they are, or who were told to
/// go; and how many with one address. Each has shown that its address is its own, and costs the
/// memory of a handshake.
const MAX_HANDSHAKES: usize = 512;
const MAX_HANDSHAKES_PER_ADDRESS: usize = 64;

/// What stock clients compare with their own, and warn of. They don't go on without any.
const OPTIONS: &str = "V4,dev-type tun,tun-mtu 1500,proto UDPv4,key-method 2,tls-server";

/// A server.
pub struct Server {
    profile: ServerProfile,
    ciphers: Vec<Suite>,
    session: SessionConfig,
    responder: Responder,
    pool: Pool,
    data: Arc<dyn DataChannel>,
    /// By the receive id of their peer.
    clients: BTreeMap<u32, Client>,
    addresses: HashMap<SocketAddr, u32>,
    last_id: u32,
    log: Box<dyn FnMut(&str) + Send>,
}

impl Server {
    /// A server over a data path that is bound, which has no clients yet. Its lines go to `log`.
    ///
    /// # Errors
    ///
    /// When a key or certificate of the profile is none, or there are no random bytes.
    pub fn new(
        profile: ServerProfile,
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
        Ok(Self {
            ciphers,
            session: SessionConfig::new(&profile.common, Role::Server, hello)?,
            responder: Responder::new(&profile, secret)
                .context("tls-auth, tls-crypt or tls-crypt-v2")?,
            pool: Pool::new(profile.network, profile.network_v6),
            profile,
            data,
            clients: BTreeMap::new(),
            addresses: HashMap::new(),
            last_id: 0,
            log,
        })
    }

    /// Takes a control datagram in.
    pub fn datagram_in(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        unix_time_s: u32,
        now: Instant,
    ) {
        if let Some(id) = self.addresses.get(&from).copied()
            && let Some(client) = self.clients.get_mut(&id)
        {
            match client.session.datagram_in(datagram, now) {
                Ok(()) => return self.drive(id, now),
                // It may be another session from the same address.
                Err(DatagramError::Session | DatagramError::Wrap(_)) => {}
                Err(DatagramError::Packet(_) | DatagramError::Key) => return,
            }
        }
        match self.responder.respond(from, datagram, unix_time_s) {
            Ok(Response::Reply(answer)) => {
                if let Err(error) = self.data.send_control(from, &answer) {
                    self.log_line(&format!("{from}: not answered: {error}"));
                }
            }
            Ok(Response::Accept { ids, wrap }) => {
                let session = Session::accept(self.session.clone(), wrap, ids, unix_time_s, now);
                match session {
                    Ok(session) => self.accept(from, session, datagram, now),
                    Err(error) => self.log_line(&format!("{from}: no session: {error}")),
                }
            }
            // Anybody can send such datagrams: a line for each would be a gift.
            Err(_) => {}
        }
    }

    /// Takes in what happened in the data path.
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
            DataEventKind::Deleted => self.remove(receive_id, "lost its peer"),
            DataEventKind::Floated(remote) => self.float(receive_id, remote),
        }
    }

    /// When [`Server::timer`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).min()
    }

    /// Does what time alone brings.
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

    /// Removes clients by their common name or address, and tells them so by a word: `RESTART`,
    /// upon which they connect again, or `HALT`. Says how many they were.
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

    /// A line for each client: name, address, inner addresses, bytes received and sent, seconds
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

    /// Sends all clients away; they may come back when the server does.
    pub fn stop(&mut self, now: Instant) {
        let all: Vec<u32> = self.clients.keys().copied().collect();
        for id in all {
            self.dismiss(id, "RESTART", "sent away", now);
            self.forget(id);
        }
    }

    /// Begins a session with the datagram that brought our cookie back.
    fn accept(&mut self, from: SocketAddr, session: Session, datagram: &[u8], now: Instant) {
        if let Some(old) = self.addresses.get(&from).copied() {
            self.remove(old, "began a new session");
        }
        let handshakes = || self.clients.values().filter(|client| client.connected().is_none());
        let of_address = handshakes().filter(|client| client.address.ip() == from.ip()).count();
        // It may come again. A line for each would be a gift.
        if of_address >= MAX_HANDSHAKES_PER_ADDRESS || handshakes().count() >= MAX_HANDSHAKES {
            return;
        }
        let id = self.free_id();
        self.clients.insert(id, Client { address: from, session, stage: Stage::Handshake });
        self.addresses.insert(from, id);
        self.log_line(&format!("{from}: connects"));
        if let Some(client) = self.clients.get_mut(&id)
            && let Err(error) = client.session.datagram_in(datagram, now)
        {
            self.remove(id, &error.to_string());
        }
        self.drive(id, now);
    }

    /// An id that was not used for long, so that late events of a peer are not taken for another's.
    fn free_id(&mut self) -> u32 {
        loop {
            self.last_id = if self.last_id < MAX_ID { self.last_id + 1 } else { 1 };
            if !self.clients.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Does what a client's session wants.
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
                let line = format!("{}: not sent: {error}", client.label());
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
            SessionEvent::Failed(error) => {
                self.flush(id, now);
                return self.remove(id, &error.to_string());
            }
            SessionEvent::InstallKey(key) => self.data.install_key(Peer::Id(id), &key, None),
            SessionEvent::SwapKeys => self.data.swap_keys(Peer::Id(id)),
            SessionEvent::DeleteKey(slot) => self.data.delete_key(Peer::Id(id), slot),
        };
        if let Err(error) = result {
            self.dismiss(id, "RESTART", &format!("its keys can't be set: {error}"), now);
        }
    }

    /// Takes in what a client says inside of TLS.
    fn message(&mut self, id: u32, message: &str, now: Instant) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        match message {
            "PUSH_REQUEST" => client.push(now),
            "EXIT" => self.remove(id, "left"),
            // Others are news of a client that nothing follows from here.
            _ => {}
        }
    }

    /// A client sends from another address.
    fn float(&mut self, id: u32, remote: SocketAddr) {
        if let Some(other) = self.addresses.get(&remote).copied().filter(|other| *other != id) {
            self.remove(other, "its address is another client's");
        }
        let Some(client) = self.clients.get_mut(&id) else { return };
        let line = format!("{}: moved to {remote}", client.label());
        self.addresses.remove(&client.address);
        client.address = remote;
        self.addresses.insert(remote, id);
        self.log_line(&line);
    }

    /// Tells a client to go; its peer goes at once.
    fn dismiss(&mut self, id: u32, word: &str, why: &str, now: Instant) {
        self.depart(id, why);
        if let Some(client) = self.clients.get_mut(&id) {
            client.dismiss(word, now);
            self.flush(id, now);
        }
    }

    /// Removes a client without a word.
    fn remove(&mut self, id: u32, why: &str) {
        self.depart(id, why);
        self.forget(id);
    }

    /// Says that a client goes, and takes from it what it has.
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
        // There may be none: it timed out, or none was made.
        let _ = self.data.delete_peer(Peer::Id(id));
        self.pool.release(id);
        self.log_line(&line);
    }

    fn forget(&mut self, id: u32) {
        if let Some(client) = self.clients.remove(&id)
            && self.addresses.get(&client.address) == Some(&id)
        {
            self.addresses.remove(&client.address);
        }
    }

    fn log_line(&mut self, line: &str) {
        (self.log)(line);
    }
}
