//! The server and clients of ours over a network in memory, with a data path that only takes notes.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::pki::Authority;
use nix::sys::signal::Signal;
use rcgen::ExtendedKeyUsagePurpose as Use;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use tunic_openvpn::data_channel::{
    DataChannel, DataEvent, DataEventKind, DataFormat, InstallKey, NewPeer, Peer, PeerChange,
    PeerStatistics, Slot,
};
use tunic_openvpn::options::{Network, TunnelOptions, words};
use tunic_openvpn::packet::{ControlPacket, Opcode, SessionId};
use tunic_openvpn::profile::ServerProfile;
use tunic_openvpn::server::Server;
use tunic_openvpn::session::{
    DataParameters, Derivation, Hello, Session, SessionConfig, SessionEvent, peer_info,
};
use tunic_openvpn::tls::{
    ExpectedPeer, Identity, RequiredUsage, TlsConfig, Versions, certificates,
};
use tunic_openvpn::wrap::{ClientKey, Digest, Direction, Plain, TlsAuth, TlsCrypt, Wrap};
use tunic_openvpn::{Role, Suite};

const STATIC_KEY: &str = include_str!("wrap/static.key");
const SERVER_KEY: &str = include_str!("wrap/tls-crypt-v2-server.key");
const CLIENT_KEY: &str = include_str!("wrap/tls-crypt-v2-client.key");
const HANDSHAKE: u32 = 1000;

/// What the data path was told.
#[derive(Default)]
struct Notes {
    sent: VecDeque<(SocketAddr, Vec<u8>)>,
    peers: BTreeMap<u32, NewPeer>,
    changes: BTreeMap<u32, PeerChange>,
    keys: BTreeMap<u32, InstallKey>,
    routes: Vec<(u32, String)>,
}

#[derive(Default)]
struct Data(Mutex<Notes>);

impl DataChannel for Data {
    fn connect(&self, _: Option<SocketAddr>, _: SocketAddr) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn listen(&self, local: SocketAddr) -> io::Result<SocketAddr> {
        Ok(local)
    }
    fn new_peer(&self, peer: &NewPeer) -> io::Result<()> {
        self.0.lock().unwrap().peers.insert(peer.receive_id, *peer);
        Ok(())
    }
    fn delete_peer(&self, peer: Peer) -> io::Result<()> {
        let id = id(peer);
        let mut notes = self.0.lock().unwrap();
        notes.routes.retain(|(peer, _)| *peer != id);
        notes.peers.remove(&id).map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }
    fn set_peer(&self, peer: Peer, change: &PeerChange) -> io::Result<()> {
        self.0.lock().unwrap().changes.insert(id(peer), *change);
        Ok(())
    }
    fn install_key(&self, peer: Peer, key: &InstallKey, _: Option<u32>) -> io::Result<()> {
        self.0.lock().unwrap().keys.insert(id(peer), key.clone());
        Ok(())
    }
    fn swap_keys(&self, _: Peer) -> io::Result<()> {
        Ok(())
    }
    fn delete_key(&self, _: Peer, _: Slot) -> io::Result<()> {
        Ok(())
    }
    fn add_route(&self, id: u32, network: Network) -> io::Result<()> {
        self.0.lock().unwrap().routes.push((id, network.to_string()));
        Ok(())
    }
    fn remove_route(&self, _: Network) -> io::Result<()> {
        Ok(())
    }
    fn statistics(&self, _: Peer) -> io::Result<PeerStatistics> {
        Ok(PeerStatistics::default())
    }
    fn start(&self) -> io::Result<()> {
        Ok(())
    }
    fn stop(&self) -> io::Result<()> {
        Ok(())
    }
    fn send_control(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.0.lock().unwrap().sent.push_back((to, datagram.to_vec()));
        Ok(())
    }
    fn receive_control(&self) -> io::Result<(SocketAddr, Vec<u8>)> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn next_event(&self) -> io::Result<DataEvent> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A server's peers all have ids.
fn id(peer: Peer) -> u32 {
    match peer {
        Peer::Id(id) => id,
        Peer::Only => panic!("a server has no only peer"),
    }
}

/// A client, and what its session told.
struct Client {
    session: Session,
    messages: Vec<String>,
    key: Option<InstallKey>,
    is_over: bool,
}

/// A server and its clients, by address.
struct World {
    ca: Authority,
    data: Arc<Data>,
    server: Server,
    clients: BTreeMap<SocketAddr, Client>,
    now: Instant,
}

impl World {
    fn new(options: &str) -> Self {
        Self::of(Authority::new(), options)
    }

    fn of(ca: Authority, options: &str) -> Self {
        let identity = ca.issue("server-1", &[Use::ServerAuth]);
        let text = format!(
            "server 10.8.0.0 255.255.255.0\nkeepalive 10 60\n{options}\n<ca>\n{}\n</ca>\n<cert>\n\
             {}\n</cert>\n<key>\n{}\n</key>\n",
            ca.pem(),
            identity.certificate,
            identity.key
        );
        let profile = ServerProfile::parse(&text, Path::new("/nonexistent")).unwrap();
        let data = Arc::new(Data::default());
        let server = Server::new(profile, data.clone(), Box::new(|_| {})).unwrap();
        Self { ca, data, server, clients: BTreeMap::new(), now: Instant::now() }
    }

    /// Lets a client begin, and carries its handshake.
    fn connect(&mut self, port: u16, name: &str, wrap: Box<dyn Wrap>) -> SocketAddr {
        let suites = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305];
        self.connect_saying(port, name, wrap, &peer_info(1166, &suites, &[]))
    }

    fn connect_saying(
        &mut self,
        port: u16,
        name: &str,
        wrap: Box<dyn Wrap>,
        peer_info: &str,
    ) -> SocketAddr {
        let tls = self.tls(name);
        self.connect_as(port, tls, wrap, peer_info)
    }

    /// The TLS of a client with a new certificate.
    fn tls(&self, name: &str) -> TlsConfig {
        let issued = self.ca.issue(name, &[Use::ClientAuth]);
        let identity =
            Identity::from_pem(&issued.certificate, &issued.key, || unreachable!("it is plain"))
                .unwrap();
        let peer = ExpectedPeer {
            ca: certificates(&self.ca.pem()).unwrap(),
            usage: RequiredUsage::of_peer(Role::Server),
            name: None,
            revocations: None,
        };
        TlsConfig::client(peer, Some(identity), Versions::Both).unwrap()
    }

    fn connect_as(
        &mut self,
        port: u16,
        tls: TlsConfig,
        wrap: Box<dyn Wrap>,
        peer_info: &str,
    ) -> SocketAddr {
        let config = SessionConfig {
            tls,
            hello: Hello { peer_info: peer_info.into(), ..Hello::default() },
            handshake_window: Duration::from_secs(60),
            transition_window: Duration::from_secs(3600),
            renegotiate_after: None,
        };
        let session = Session::connect(config, wrap, HANDSHAKE, self.now).unwrap();
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        let client = Client { session, messages: Vec::new(), key: None, is_over: false };
        self.clients.insert(address, client);
        self.exchange();
        if self.clients[&address].session.is_established() {
            self.client(address).session.send_message("PUSH_REQUEST").unwrap();
            self.exchange();
        }
        address
    }

    /// Begins a session by two forged datagrams: a reset, and the packet that returns the cookie.
    /// Returns whether there was an answer to the second one.
    fn begin(&mut self, address: SocketAddr, session_id: [u8; 8]) -> bool {
        let mut packet = ControlPacket {
            opcode: Opcode::HardResetClientV2,
            key_id: 0,
            session_id: SessionId(session_id),
            acks: vec![],
            acked_session: None,
            packet_id: Some(0),
            payload: b"",
        };
        self.server.datagram_in(address, &packet.encode(), HANDSHAKE, self.now);
        let Some((_, answer)) = self.sent() else { return false };
        let answer = ControlPacket::decode(&answer).unwrap();
        (packet.opcode, packet.packet_id) = (Opcode::ControlV1, Some(1));
        (packet.acks, packet.acked_session) = (vec![0], Some(answer.session_id));
        self.server.datagram_in(address, &packet.encode(), HANDSHAKE, self.now);
        self.sent().is_some()
    }

    /// Carries datagrams until there are none.
    fn exchange(&mut self) {
        loop {
            let mut is_quiet = true;
            for (address, client) in &mut self.clients {
                while let Some(datagram) = client.session.poll_datagram(self.now) {
                    is_quiet = false;
                    self.server.datagram_in(*address, &datagram, HANDSHAKE, self.now);
                }
            }
            while let Some((to, datagram)) = self.sent() {
                is_quiet = false;
                let Some(client) = self.clients.get_mut(&to) else { continue };
                let _ = client.session.datagram_in(&datagram, self.now);
                while let Some(event) = client.session.poll_event() {
                    client.told(event, self.now);
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    fn sent(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.notes().sent.pop_front()
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.data.0.lock().unwrap()
    }

    fn client(&mut self, address: SocketAddr) -> &mut Client {
        self.clients.get_mut(&address).unwrap()
    }

    /// Something happens to a peer of the data path.
    fn event(&mut self, id: u32, kind: DataEventKind) {
        self.server.event(DataEvent { peer: Peer::Id(id), kind }, self.now);
    }

    /// What a client was told last.
    fn last_word(&self, address: SocketAddr) -> &str {
        self.clients[&address].messages.last().map_or("", String::as_str)
    }

    /// The inner addresses of the data path's peers.
    fn peers(&self) -> Vec<String> {
        let notes = self.notes();
        notes.peers.values().map(|peer| peer.address_v4.unwrap().to_string()).collect()
    }
}

impl Client {
    fn told(&mut self, event: SessionEvent, now: Instant) {
        match event {
            SessionEvent::Message(text) => {
                if let Some(options) = text.strip_prefix("PUSH_REPLY,") {
                    let mut tunnel = TunnelOptions::default();
                    for option in options.split(',') {
                        let words = words(option).unwrap();
                        let words: Vec<&str> = words.iter().map(String::as_str).collect();
                        tunnel.apply(&words).unwrap();
                    }
                    let derivation =
                        if tunnel.is_exporter { Derivation::Exporter } else { Derivation::Prf };
                    let format =
                        if tunnel.is_epoch { DataFormat::Epoch } else { DataFormat::Classic };
                    let suite = tunnel.cipher.unwrap();
                    let parameters = DataParameters { suite, derivation, format };
                    self.session.set_data_parameters(parameters, now);
                }
                self.messages.push(text.to_string());
            }
            SessionEvent::InstallKey(key) => self.key = Some(*key),
            SessionEvent::Failed(_) => self.is_over = true,
            _ => {}
        }
    }
}

fn plain() -> Box<dyn Wrap> {
    Box::new(Plain)
}

#[test]
fn a_client_gets_its_configuration_and_the_servers_keys() {
    for (protocol, format) in [
        (1166, DataFormat::Epoch),
        (142, DataFormat::Classic),
        (14, DataFormat::Classic),
        (2, DataFormat::Classic),
    ] {
        let mut world = World::new("push \"route 10.77.0.0 255.255.0.0\"\nserver-ipv6 fd00::/64");
        let peer_info = peer_info(protocol, &[Suite::ChaCha20Poly1305], &[]);
        let address = world.connect_saying(1, "alice", plain(), &peer_info);
        let message = world.last_word(address);
        for option in [
            "PUSH_REPLY,route 10.77.0.0 255.255.0.0,route-gateway 10.8.0.1,topology subnet,ping 10\
             ,ping-restart 60,",
            ",ifconfig 10.8.0.2 255.255.255.0,ifconfig-ipv6 fd00::2/64 fd00::1,peer-id 1,cipher CH\
             ACHA20-POLY1305",
        ] {
            assert!(message.contains(option), "{message}");
        }
        let ours = world.clients[&address].key.as_ref().unwrap();
        let notes = world.notes();
        let theirs = &notes.keys[&1];
        assert!(ours.keys.send == theirs.keys.receive && ours.keys.receive == theirs.keys.send);
        assert_eq!((ours.format, theirs.format, theirs.slot), (format, format, Slot::Primary));
        let peer = notes.peers[&1];
        assert_eq!((peer.remote, peer.send_id), (address, 1));
        assert_eq!(peer.address_v6, "fd00::2".parse().ok());
        assert_eq!(notes.changes[&1].keepalive_timeout, Some(Duration::from_secs(120)));
    }
}

#[test]
fn nothing_is_remembered_before_the_cookie_comes_back() {
    let mut world = World::new("max-clients 1");
    let knock = |opcode, acks: Vec<u32>, acked_session| ControlPacket {
        opcode,
        key_id: 0,
        session_id: SessionId(*b"a client"),
        acks,
        acked_session,
        packet_id: Some(u32::from(opcode != Opcode::HardResetClientV2)),
        payload: b"",
    };
    let address = |port| SocketAddr::from(([192, 0, 2, 9], port));
    let reset = knock(Opcode::HardResetClientV2, vec![], None).encode();
    for port in 1..1000 {
        world.server.datagram_in(address(port), &reset, HANDSHAKE, world.now);
        assert_eq!(world.server.deadline(), None);
        let (to, answer) = world.sent().unwrap();
        assert_eq!(to, address(port));
        assert!(answer.len() <= 2 * reset.len(), "it amplifies");
    }
    world.server.datagram_in(address(1), &reset, HANDSHAKE, world.now);
    let (_, answer) = world.sent().unwrap();
    let answer = ControlPacket::decode(&answer).unwrap();
    assert_eq!((answer.opcode, answer.acks), (Opcode::HardResetServerV2, vec![0]));
    let back = knock(Opcode::ControlV1, vec![0], Some(answer.session_id)).encode();
    let mut forged = answer.session_id;
    forged.0[7] ^= 1;
    let forged = knock(Opcode::ControlV1, vec![0], Some(forged)).encode();
    for (from, datagram, time) in
        [(2, &back, HANDSHAKE), (1, &forged, HANDSHAKE), (1, &back, HANDSHAKE + 90)]
    {
        world.server.datagram_in(address(from), datagram, time, world.now);
        assert_eq!((world.server.deadline(), world.sent()), (None, None));
    }
    world.server.datagram_in(address(1), &back, HANDSHAKE + 29, world.now);
    assert!(world.server.deadline().is_some() && world.sent().is_some());
    // A session that comes to nothing makes room for the next.
    world.now += Duration::from_secs(61);
    world.server.timer(world.now);
    let address = world.connect(5, "alice", plain());
    assert!(world.last_word(address).starts_with("PUSH_REPLY"));
}

#[test]
fn every_wrapping_leads_in_and_no_other() {
    let client_key: ClientKey = CLIENT_KEY.parse().unwrap();
    let v2 = || -> Box<dyn Wrap> { Box::new(TlsCrypt::with_client_key(&client_key)) };
    let key = STATIC_KEY.parse().unwrap();
    let crypt = || -> Box<dyn Wrap> { Box::new(TlsCrypt::new(&key, tunic_openvpn::Role::Client)) };
    let auth = |direction| -> Box<dyn Wrap> {
        Box::new(TlsAuth::new(&key, Digest::Sha512, Some(direction)))
    };
    let block = |name: &str, key: &str| format!("<{name}>\n{key}\n</{name}>\n");
    let v2_and_auth = block("tls-crypt-v2", SERVER_KEY)
        + &block("tls-auth", STATIC_KEY)
        + "key-direction 0\nauth SHA512";
    for (options, wrap, gets_in) in [
        (block("tls-crypt", STATIC_KEY), crypt(), true),
        (block("tls-crypt", STATIC_KEY), plain(), false),
        (block("tls-crypt-v2", SERVER_KEY), v2(), true),
        (block("tls-crypt-v2", SERVER_KEY), plain(), false),
        (block("tls-crypt-v2", SERVER_KEY), crypt(), false),
        (v2_and_auth.clone(), v2(), true),
        (v2_and_auth.clone(), auth(Direction::Inverse), true),
        (v2_and_auth, auth(Direction::Normal), false),
        (String::new(), v2(), false),
    ] {
        let mut world = World::new(&options);
        let address = world.connect(1, "alice", wrap);
        assert_eq!(world.last_word(address).starts_with("PUSH_REPLY"), gets_in, "{options}");
    }
}

#[test]
fn who_is_not_to_come_in_is_told_so() {
    let folder = require::scratch().join(format!("tunic-ccd-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write(
        "branch",
        "ifconfig-push 10.8.0.50 255.255.255.0\niroute 10.55.0.0 255.255.0.0\npush-remove route\n",
    );
    write("lost", "disable\n");
    write("wrong", "iroute nowhere\n");
    // It is nobody's own.
    write("DEFAULT", "push-remove route\n");
    let mut world = World::new(&format!(
        "client-config-dir {}\nccd-exclusive\npush \"route 10.77.0.0 255.255.0.0\"",
        folder.display()
    ));
    let branch = world.connect(1, "branch", plain());
    let told = world.last_word(branch);
    assert!(told.contains("ifconfig 10.8.0.50 ") && !told.contains("route 10.77"), "{told}");
    assert_eq!(world.notes().routes, [(1, "10.55.0.0/16".to_owned())]);
    for (port, name) in [(2, "lost"), (3, "wrong"), (4, "unknown"), (5, "DEFAULT")] {
        let address = world.connect(port, name, plain());
        assert_eq!(world.last_word(address), "AUTH_FAILED", "{name}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
    let peer_info = peer_info(142, &[Suite::Aes192Gcm], &[]);
    let mut world = World::new("");
    let address = world.connect_saying(5, "other-ciphers", plain(), &peer_info);
    assert!(world.last_word(address).starts_with("AUTH_FAILED,Data channel cipher"));
    assert_eq!(world.peers(), Vec::<String>::new());
}

#[test]
fn clients_come_move_and_go() {
    let mut world = World::new("");
    let [alice, bob, carol] = [(1, "alice"), (2, "bob"), (3, "carol")]
        .map(|(port, name)| world.connect(port, name, plain()));
    assert_eq!(world.peers(), ["10.8.0.2", "10.8.0.3", "10.8.0.4"]);

    // The same name once more takes the place of the old one, and its address.
    let again = world.connect(4, "alice", plain());
    assert_eq!(world.peers(), ["10.8.0.3", "10.8.0.4", "10.8.0.2"]);
    world.clients.remove(&alice);

    // Bob moves: what is sent to him goes where he is.
    let moved = SocketAddr::from(([198, 51, 100, 7], 77));
    world.event(2, DataEventKind::Floated(moved));
    let client = world.clients.remove(&bob).unwrap();
    world.clients.insert(moved, client);
    world.event(2, DataEventKind::LimitNear);
    world.exchange();
    assert_eq!(world.clients[&moved].key.as_ref().map(|key| key.key_id), Some(1));
    assert_eq!(world.notes().keys[&2].slot, Slot::Secondary);

    // Carol dies, alice leaves, bob is removed.
    world.event(3, DataEventKind::TimedOut);
    assert_eq!(world.peers(), ["10.8.0.3", "10.8.0.2"]);
    world.client(again).session.send_message("EXIT").unwrap();
    world.exchange();
    assert_eq!(world.peers(), ["10.8.0.3"]);
    assert_eq!(world.server.kill("nobody", "HALT", world.now), 0);
    assert_eq!(world.server.kill("bob", "HALT", world.now), 1);
    world.exchange();
    assert_eq!((world.peers(), world.last_word(moved)), (vec![], "HALT"));

    // Nothing of them is left, and an address of before does not matter.
    world.now += Duration::from_secs(3);
    world.server.timer(world.now);
    assert_eq!(world.server.deadline(), None);
    world.clients.remove(&carol);
    let carol = world.connect(3, "carol", plain());
    assert!(world.last_word(carol).contains("ifconfig 10.8.0.4 "));
    world.server.stop(world.now);
    world.exchange();
    assert_eq!((world.peers(), world.last_word(carol)), (vec![], "RESTART"));
}

#[test]
fn strangers_take_no_clients_place() {
    let mut world = World::new("max-clients 2");
    let stranger = *b"stranger";
    for port in 1..=100 {
        let address = SocketAddr::from(([192, 0, 2, 9], port));
        assert!(world.begin(address, stranger), "the newest one gets a session");
    }
    assert_eq!(world.server.half_open_count(), 64, "handshakes of one address");
    // Those who show who they are still come in, as many as there may be.
    let [alice, bob, carol] = [(1, "alice"), (2, "bob"), (3, "carol")]
        .map(|(port, name)| world.connect(port, name, plain()));
    for address in [alice, bob] {
        assert!(world.last_word(address).starts_with("PUSH_REPLY"));
    }
    assert_eq!(world.last_word(carol), "RESTART,[N]the server is full");
    // Who is in already may come in anew, in its own place.
    let again = world.connect(4, "alice", plain());
    assert!(world.last_word(again).starts_with("PUSH_REPLY"));
    assert_eq!(world.peers().len(), 2);
}

/// SIGHUP and SIGUSR1.
#[test]
fn a_restarted_server_sends_its_clients_back() {
    let mut world = World::new("explicit-exit-notify 2");
    let alice = world.connect(1, "alice", plain());
    world.server.restart(world.now);
    assert!(!world.server.is_drained());
    world.exchange();
    assert!(world.server.is_drained());
    assert_eq!((world.peers(), world.last_word(alice)), (vec![], "RESTART"));
    let alice = world.connect(1, "alice", plain());
    assert!(world.last_word(alice).starts_with("PUSH_REPLY"));
    world.server.stop(world.now);
    world.exchange();
    assert_eq!((world.peers(), world.last_word(alice)), (vec![], "RESTART,[N]"));
}

#[test]
fn the_manuals_signals_do_not_kill_the_server() {
    let signals = tunic_openvpn::Signals::block().unwrap();
    for signal in [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2] {
        assert!(signals.contains(signal), "{signal}");
    }
}

/// An observer of a client knows its address and session id, and can forge both.
#[test]
fn a_session_stays_until_its_successor_is_authenticated() {
    let mut world = World::new("max-clients 1");
    let alice = world.connect(1, "alice", plain());
    let client_id = world.clients[&alice].session.id();
    for session_id in [*b"observer", *b"another!", client_id.0] {
        world.begin(alice, session_id);
        assert_eq!(world.peers(), ["10.8.0.2"], "{session_id:?}");
    }
    // The session still works: its keys are renewed.
    world.event(1, DataEventKind::LimitNear);
    world.exchange();
    assert_eq!(world.clients[&alice].key.as_ref().map(|key| key.key_id), Some(1));
    // An unauthenticated session expires without an effect on the client.
    world.now += Duration::from_secs(61);
    world.server.timer(world.now);
    world.exchange();
    assert_eq!((world.server.half_open_count(), world.peers().len()), (0, 1));
    // A client that was refused replaces nobody.
    world.clients.remove(&alice);
    let other_ciphers = peer_info(142, &[Suite::Aes192Gcm], &[]);
    world.connect_saying(1, "alice", plain(), &other_ciphers);
    assert!(world.last_word(alice).starts_with("AUTH_FAILED,Data channel cipher"));
    assert_eq!(world.peers(), ["10.8.0.2"]);
}

#[test]
fn an_authenticated_client_replaces_the_one_at_its_address() {
    for options in ["max-clients 1", "duplicate-cn\nmax-clients 1"] {
        let mut world = World::new(options);
        for _ in 0..2 {
            let alice = world.connect(1, "alice", plain());
            assert!(world.last_word(alice).starts_with("PUSH_REPLY"), "{options}");
            assert_eq!(world.peers(), ["10.8.0.2"]);
        }
    }
}

#[test]
fn half_open_sessions_lock_nobody_out() {
    let mut world = World::new("");
    // Of 800 hosts, and of one IPv6 network.
    for number in 0..800_u16 {
        let [high, low] = number.to_be_bytes();
        assert!(world.begin(SocketAddr::from(([198, 51, high, low], 1194)), *b"stranger"));
    }
    assert_eq!(world.server.half_open_count(), 512);
    let alice = world.connect(1, "alice", plain());
    assert!(world.last_word(alice).starts_with("PUSH_REPLY"));
    let mut world = World::new("");
    for number in 0..200_u16 {
        let host = [0x2001, 0xdb8, 0, 0, number, 0, 0, 1];
        assert!(world.begin(SocketAddr::from((host, 1194)), *b"stranger"));
    }
    assert_eq!(world.server.half_open_count(), 64);
}

/// Shows one identity first, and another one when keys are renewed.
#[derive(Debug)]
struct Changing([Arc<dyn ResolvesClientCert>; 2], AtomicUsize);

impl ResolvesClientCert for Changing {
    fn resolve(&self, hints: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        self.0[number.min(1)].resolve(hints, schemes)
    }
    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn a_client_stays_who_it_is_when_keys_are_renewed() {
    for (names, is_in) in
        [(["alice", "alice"], false), (["alice", "bob"], false), (["alice", ""], true)]
    {
        let mut world = World::new("");
        let configs = names.map(|name| match world.tls(name) {
            TlsConfig::Client(config) => config,
            TlsConfig::Server(_) => unreachable!("it is a client's"),
        });
        let mut config = (*configs[0]).clone();
        // Without a second name, it is the same certificate.
        let second = if names[1].is_empty() { &configs[0] } else { &configs[1] };
        let identities = [&configs[0], second].map(|it| it.client_auth_cert_resolver.clone());
        config.client_auth_cert_resolver = Arc::new(Changing(identities, AtomicUsize::new(0)));
        let peer_info = peer_info(1166, &[Suite::Aes256Gcm], &[]);
        let address = world.connect_as(1, TlsConfig::Client(Arc::new(config)), plain(), &peer_info);
        assert!(world.last_word(address).starts_with("PUSH_REPLY"), "{names:?}");
        world.event(1, DataEventKind::LimitNear);
        world.exchange();
        assert_eq!(!world.peers().is_empty(), is_in, "{names:?}");
        assert_eq!(world.last_word(address) == "AUTH_FAILED", !is_in, "{names:?}");
    }
}

/// The source address of a data packet is as its sender writes it.
#[test]
fn a_client_that_moves_to_the_address_of_another_ends_only_its_own() {
    let mut world = World::new("");
    let alice = world.connect(1, "alice", plain());
    world.connect(2, "mallory", plain());
    world.event(2, DataEventKind::Floated(alice));
    assert_eq!(world.peers(), ["10.8.0.2", "10.8.0.3"]);
    world.event(1, DataEventKind::LimitNear);
    world.exchange();
    assert_eq!(world.clients[&alice].key.as_ref().map(|key| key.key_id), Some(1));
}

/// A certificate is revoked from when on its number is the name of a file.
#[test]
fn who_has_a_file_in_the_folder_stays_out() {
    let folder = require::scratch().join(format!("tunic-revoked-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    let revoke = |name: &str| {
        // As the certificate's serial number is made.
        let serial = name.bytes().fold(0_u128, |serial, byte| serial << 8 | u128::from(byte));
        std::fs::write(folder.join(serial.to_string()), "").unwrap();
    };
    revoke("mallory");
    let mut world = World::of(Authority::new(), &format!("crl-verify {} dir", folder.display()));
    let is_in = |world: &mut World, port, name| {
        let address = world.connect(port, name, plain());
        !world.clients[&address].is_over
    };
    assert!(!is_in(&mut world, 1, "mallory"));
    assert!(is_in(&mut world, 2, "alice"));
    revoke("bob");
    assert!(!is_in(&mut world, 3, "bob"));
    // Without the folder nobody knows who is revoked.
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(!is_in(&mut world, 4, "carol"));
    assert_eq!(world.peers(), ["10.8.0.2"]);
}

#[test]
fn who_is_revoked_stays_out_and_goes_when_keys_are_renewed() {
    let file = require::scratch().join(format!("tunic-crl-{}.pem", std::process::id()));
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let ca = Authority::new();
    write(&ca.revocation_list(&["mallory"]));
    let mut world = World::of(ca, &format!("crl-verify {}", file.display()));
    let mallory = world.connect(1, "mallory", plain());
    assert!(world.clients[&mallory].is_over && world.peers().is_empty());
    let alice = world.connect(2, "alice", plain());
    let bob = world.connect(3, "bob", plain());
    assert_eq!(world.peers().len(), 2);
    // The file is read again, and both are asked for their certificates again.
    write(&world.ca.revocation_list(&["mallory", "alice"]));
    let ids: Vec<u32> = world.notes().peers.keys().copied().collect();
    for id in ids {
        world.event(id, DataEventKind::LimitNear);
    }
    world.exchange();
    assert!(world.clients[&alice].is_over && !world.clients[&bob].is_over);
    assert_eq!(world.peers(), ["10.8.0.3"]);
    // A list of another CA says nothing of ours, and what is no list says nothing at all: nobody
    // comes in.
    for list in [Authority::new().revocation_list(&[]), "none".into()] {
        write(&list);
        let carol = world.connect(4, "carol", plain());
        assert!(world.clients[&carol].is_over, "{list}");
    }
    std::fs::remove_file(&file).unwrap();
}
