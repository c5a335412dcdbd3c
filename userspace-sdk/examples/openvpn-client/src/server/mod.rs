//! The server: sessions with many clients, their addresses and networks, and one data path with a peer for each.
//!
//! ```text
//! datagram ── known address ──> Session ──> events ──> DataChannel (peers, keys, iroutes)
//!    └──────── otherwise ─────> Door (stateless) ──> a new Session
//! ```
//!
//! [`Server`] reads no clock, waits for nothing and has no threads: [`run()`] moves datagrams, events, commands and time into it.

mod client;
mod client_file;
mod door;
mod host;
mod management;
mod pool;
mod push;
mod run;
mod terms;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustls::pki_types::CertificateDer;

pub use client_file::ClientFile;
pub use door::{Door, Knock, KnockError};
pub use pool::{Lease, Pool, PoolError};
pub use run::{block_signals, run};
pub use terms::{Terms, TermsError};

use crate::Suite;
use crate::data_channel::{
    DataChannel, DataEvent, DataEventKind, DataFormat, NewPeer, Peer, PeerChange,
};
use crate::profile::{CertificateUse, ServerProfile, TlsVersion};
use crate::session::{DatagramError, Established, Hello, Session, SessionConfig, SessionEvent};
use crate::tls::{ExpectedPeer, Identity, Subject, TlsConfig, Versions, certificates};
use client::{Client, Connected, Stage};
use push::push_reply;

const DEFAULT_CIPHERS: [Suite; 3] = [Suite::Aes256Gcm, Suite::Aes128Gcm, Suite::ChaCha20Poly1305];
/// A receive id has 24 bits, of which all ones mean none.
const MAX_ID: u32 = 0xFF_FFFE;
/// The longest UDP payload that connections in the tunnel are held to, where `mssfix` does not say: 1492 with IPv6's and UDP's headers.
const DEFAULT_MSSFIX: u32 = 1492 - 48;

/// What stock clients compare with their own, and warn of. They don't go on without any.
const OPTIONS: &str = "V4,dev-type tun,tun-mtu 1500,proto UDPv4,key-method 2,tls-server";

/// A server.
pub struct Server {
    profile: ServerProfile,
    ciphers: Vec<Suite>,
    session: SessionConfig,
    door: Door,
    pool: Pool,
    data: Arc<dyn DataChannel>,
    /// By the receive id of their peer.
    clients: BTreeMap<u32, Client>,
    addresses: HashMap<SocketAddr, u32>,
    last_id: u32,
    log: Box<dyn FnMut(&str) + Send>,
}

/// Why a client is not let in.
struct Refusal {
    /// What it is told.
    told: &'static str,
    /// What the log says.
    logged: String,
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
        Ok(Self {
            ciphers,
            session: session_config(&profile)?,
            door: Door::new(&profile, secret).context("tls-auth, tls-crypt or tls-crypt-v2")?,
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
        match self.door.knock(from, datagram, unix_time_s) {
            Ok(Knock::Answer(answer)) => {
                if let Err(error) = self.data.send_control(from, &answer) {
                    self.say(&format!("{from}: not answered: {error}"));
                }
            }
            Ok(Knock::Enter { ids, wrap }) => {
                let session = Session::accept(self.session.clone(), wrap, ids, unix_time_s, now);
                match session {
                    Ok(session) => self.enter(from, session, datagram, now),
                    Err(error) => self.say(&format!("{from}: no session: {error}")),
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

    /// Removes clients by their common name or address, and tells them so by a word: `RESTART`, upon which they connect again, or
    /// `HALT`. Says how many they were.
    pub fn kill(&mut self, whom: &str, word: &str, now: Instant) -> usize {
        let is_meant = |client: &Client| {
            client.connected().is_some_and(|connected| connected.name == whom)
                || client.address.to_string() == whom
        };
        let found: Vec<u32> =
            self.clients.iter().filter(|(_, client)| is_meant(client)).map(|(id, _)| *id).collect();
        for id in &found {
            self.dismiss(*id, word, "removed", now);
        }
        found.len()
    }

    /// A line for each client: name, address, inner addresses, bytes received and sent, seconds connected.
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
    fn enter(&mut self, from: SocketAddr, session: Session, datagram: &[u8], now: Instant) {
        if let Some(old) = self.addresses.get(&from).copied() {
            self.remove(old, "began a new session");
        }
        if self.clients.len() >= self.profile.max_clients {
            return self.say(&format!("{from}: turned away: {} clients", self.clients.len()));
        }
        let id = self.free_id();
        self.clients.insert(id, Client { address: from, session, stage: Stage::Handshake });
        self.addresses.insert(from, id);
        self.say(&format!("{from}: connects"));
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
                return self.say(&line);
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

    /// A key is established: the first one says who the client is, later ones that it is still the same.
    fn established(&mut self, id: u32, established: &Established, now: Instant) {
        let name = established
            .certificate
            .as_ref()
            .and_then(|certificate: &CertificateDer<'_>| Subject::of(certificate))
            .and_then(|subject| subject.common_name().map(str::to_owned));
        let Some(client) = self.clients.get_mut(&id) else { return };
        if let Stage::Connected(connected) = &client.stage {
            if name.as_ref() != Some(&connected.name) {
                return self.dismiss(id, "AUTH_FAILED", "came back as another", now);
            }
            let line = format!("{}: has key {}", client.label(), established.key_id);
            return self.say(&line);
        }
        let result = match name {
            Some(name) => self.admit(id, name, &established.hello, now),
            None => Err(Refusal { told: "", logged: "its certificate has no common name".into() }),
        };
        if let Err(refusal) = result {
            let word = match refusal.told {
                "" => "AUTH_FAILED".into(),
                told => format!("AUTH_FAILED,{told}"),
            };
            self.dismiss(id, &word, &format!("refused: {}", refusal.logged), now);
        }
    }

    /// Gives a client that is known now what it needs.
    fn admit(&mut self, id: u32, name: String, hello: &Hello, now: Instant) -> Result<(), Refusal> {
        let refusal = |logged: String| Refusal { told: "", logged };
        let file = match &self.profile.client_folder {
            Some(folder) => ClientFile::load(folder, &name)
                .map_err(|error| refusal(format!("{name}'s file: {error}")))?,
            None => None,
        };
        if file.is_none() && self.profile.is_client_file_required {
            return Err(refusal(format!("{name} has no file")));
        }
        let file = file.unwrap_or_default();
        if file.is_disabled {
            return Err(refusal(format!("{name} is disabled")));
        }
        let terms = Terms::agree(&hello.peer_info, &self.ciphers).map_err(|error| Refusal {
            told: match error {
                TermsError::NoSharedCipher => {
                    "Data channel cipher negotiation failed (no shared cipher)"
                }
                TermsError::NoPeerId => "The client is too old",
            },
            logged: format!("{name}: {error}"),
        })?;
        if !self.profile.is_duplicate_name_allowed {
            self.remove_older(id, &name);
        }
        let lease = self
            .pool
            .lease(id, &name, file.address, file.address_v6)
            .map_err(|error| refusal(format!("{name}: {error}")))?;
        self.add_peer(id, &file, &terms, lease)
            .map_err(|error| refusal(format!("{name}: no peer: {error}")))?;
        let push = push_reply(&self.profile, &self.pool, &file, &terms, &lease, id);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        client.stage =
            Stage::Connected(Connected { name, lease, since: now, push, pushed_at: None });
        client.session.set_data_parameters(terms.data, now);
        if terms.is_dynamic_tls_crypt {
            // It fails for a session alone that is not established.
            let _ = client.session.use_dynamic_tls_crypt();
        }
        if terms.is_push_unasked {
            client.push(now);
        }
        let line = format!("{}: has {}, {}", client.label(), lease.address, terms.data.suite);
        self.say(&line);
        Ok(())
    }

    /// Makes a client's peer in the data path. When that fails, the client's removal takes back what was made.
    fn add_peer(
        &self,
        id: u32,
        file: &ClientFile,
        terms: &Terms,
        lease: Lease,
    ) -> std::io::Result<()> {
        let Some(client) = self.clients.get(&id) else { return Ok(()) };
        self.data.new_peer(&NewPeer {
            receive_id: id,
            send_id: id,
            remote: client.address,
            address_v4: Some(lease.address),
            address_v6: lease.address_v6,
        })?;
        let tunnel = &self.profile.common.tunnel;
        self.data.set_peer(
            Peer::Id(id),
            &PeerChange {
                keepalive_interval: tunnel.ping,
                // A server waits twice as long as it tells its clients to (manual, `--keepalive`).
                keepalive_timeout: tunnel.ping_restart.map(|timeout| timeout * 2),
                mss_bytes: Some(mss(&self.profile, terms.data.format)),
            },
        )?;
        for network in &file.networks {
            self.data.add_route(id, *network)?;
        }
        Ok(())
    }

    /// Removes the clients that had a name before this one.
    fn remove_older(&mut self, id: u32, name: &str) {
        let is_older = |(other, client): &(&u32, &Client)| {
            **other != id && client.connected().is_some_and(|connected| connected.name == name)
        };
        let older: Vec<u32> = self.clients.iter().filter(is_older).map(|(id, _)| *id).collect();
        for id in older {
            self.remove(id, "connected once more");
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
        self.say(&line);
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
        self.say(&line);
    }

    fn forget(&mut self, id: u32) {
        if let Some(client) = self.clients.remove(&id)
            && self.addresses.get(&client.address) == Some(&id)
        {
            self.addresses.remove(&client.address);
        }
    }

    fn say(&mut self, line: &str) {
        (self.log)(line);
    }
}

/// The TCP MSS, of IPv4, that the profile's `mssfix` comes to.
fn mss(profile: &ServerProfile, format: DataFormat) -> u16 {
    // Headers of IPv4 and TCP, and what the data channel adds (reference openvpn-dco.md 3.2, 3.3).
    let headers = 40
        + match format {
            DataFormat::Classic => 24,
            DataFormat::Epoch => 28,
        };
    let most = profile.common.mssfix.unwrap_or(DEFAULT_MSSFIX);
    most.checked_sub(headers).and_then(|mss| u16::try_from(mss).ok()).unwrap_or(0)
}

/// How sessions are led.
fn session_config(profile: &ServerProfile) -> anyhow::Result<SessionConfig> {
    let common = &profile.common;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let key = common.private_key.as_ref().map_or("", |key| key.as_str());
    let identity = Identity::from_pem(&text(&common.certificate), key).context("cert and key")?;
    let peer = ExpectedPeer {
        ca: certificates(&text(&common.ca)).context("ca")?,
        is_use_required: common.remote_certificate_use == Some(CertificateUse::Client),
        name: None,
    };
    let versions = match (common.tls_version_min, common.tls_version_max) {
        (Some(TlsVersion::V13), _) => Versions::Only13,
        (_, Some(TlsVersion::V12)) => Versions::Only12,
        _ => Versions::Both,
    };
    let hour = Duration::from_secs(3600);
    let renegotiate_after = common.renegotiate_after.unwrap_or(hour);
    Ok(SessionConfig {
        tls: TlsConfig::server(peer, identity, versions).context("TLS")?,
        hello: Hello { options: OPTIONS.into(), ..Hello::default() },
        handshake_window: common.handshake_window.unwrap_or(Duration::from_secs(60)),
        transition_window: common.transition_window.unwrap_or(hour),
        renegotiate_after: (!renegotiate_after.is_zero()).then_some(renegotiate_after),
    })
}
