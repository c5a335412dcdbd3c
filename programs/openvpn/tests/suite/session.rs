//! Two sessions, a client's and a server's, over a network in memory.

use std::time::{Duration, Instant};

use crate::pki::{Authority, Issued};
use rcgen::ExtendedKeyUsagePurpose as Use;
use rustls::ProtocolVersion;
use tunic_openvpn::data_channel::{DataFormat, InstallKey, Slot};
use tunic_openvpn::packet::{ControlPacket, Opcode, SessionId};
use tunic_openvpn::session::{
    DataParameters, Derivation, Hello, Session, SessionConfig, SessionError, SessionEvent, Stage,
};
use tunic_openvpn::tls::{
    ExpectedPeer, Identity, NameRule, RequiredUsage, TlsConfig, Versions, certificates,
};
use tunic_openvpn::wrap::Plain;
use tunic_openvpn::{Role, Suite};

const PARAMETERS: DataParameters = DataParameters {
    suite: Suite::Aes256Gcm,
    derivation: Derivation::Exporter,
    format: DataFormat::Classic,
};

/// What becomes of the n-th datagram of all: how often it arrives.
type Network = fn(u32) -> usize;

/// Both ends, a clock, and what the ends have told.
struct Pair {
    ends: [Session; 2],
    told: [Vec<SessionEvent>; 2],
    now: Instant,
    network: Network,
    datagrams: u32,
}

/// What is not as usual about a pair.
struct Setup {
    versions: Versions,
    network: Network,
    renegotiate_after: [Option<Duration>; 2],
    server_uses: Vec<Use>,
    is_use_required: bool,
    name: Option<NameRule>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            versions: Versions::Both,
            network: |_| 1,
            renegotiate_after: [None, None],
            server_uses: vec![Use::ServerAuth],
            is_use_required: true,
            name: None,
        }
    }
}

impl Pair {
    fn new(setup: Setup) -> Self {
        let ca = Authority::new();
        let identity = |issued: &Issued| {
            Identity::from_pem(&issued.certificate, &issued.key, || unreachable!("it is plain"))
                .unwrap()
        };
        let peer = |role, name| ExpectedPeer {
            ca: certificates(&ca.pem()).unwrap(),
            usage: match setup.is_use_required {
                true => RequiredUsage::of_peer(role),
                false => RequiredUsage::default(),
            },
            name,
            revocations: None,
        };
        let config = |tls, username: &str, renegotiate_after| SessionConfig {
            tls,
            hello: Hello { username: username.into(), ..Hello::default() },
            handshake_window: Duration::from_secs(60),
            transition_window: Duration::from_secs(3600),
            renegotiate_after,
        };
        let server = identity(&ca.issue("server-1", &setup.server_uses));
        let client = identity(&ca.issue("client-1", &[Use::ClientAuth]));
        let server = TlsConfig::server(peer(Role::Client, None), server, setup.versions).unwrap();
        let client =
            TlsConfig::client(peer(Role::Server, setup.name), Some(client), setup.versions)
                .unwrap();
        let [client_after, server_after] = setup.renegotiate_after;
        let now = Instant::now();
        let mut client =
            Session::connect(config(client, "alice", client_after), Box::new(Plain), 1, now)
                .unwrap();
        // The server's answer to the first packet is stateless: it is not the session's.
        let server_id = SessionId(*b"server's");
        let reset = ControlPacket {
            opcode: Opcode::HardResetServerV2,
            key_id: 0,
            session_id: server_id,
            acks: vec![0],
            acked_session: Some(client.id()),
            packet_id: Some(0),
            payload: b"",
        };
        let first = client.poll_datagram(now).unwrap();
        assert_eq!(first[0], Opcode::HardResetClientV2.first_byte(0));
        client.datagram_in(&reset.encode(), now).unwrap();
        let ids = (server_id, client.id());
        let server =
            Session::accept(config(server, "", server_after), Box::new(Plain), ids, 1, now)
                .unwrap();
        Self {
            ends: [client, server],
            told: [Vec::new(), Vec::new()],
            now,
            network: setup.network,
            datagrams: 0,
        }
    }

    /// Carries datagrams for so long.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.exchange();
            let deadline = self.ends.iter().filter_map(Session::deadline).min();
            match deadline.filter(|deadline| *deadline <= end) {
                Some(deadline) => self.now = self.now.max(deadline),
                None => break,
            }
            for session in &mut self.ends {
                session.timer(self.now);
            }
        }
        self.now = end;
    }

    fn exchange(&mut self) {
        loop {
            let mut is_quiet = true;
            for from in [0, 1] {
                while let Some(event) = self.ends[from].poll_event() {
                    self.told[from].push(event);
                }
                while let Some(datagram) = self.ends[from].poll_datagram(self.now) {
                    is_quiet = false;
                    self.datagrams += 1;
                    assert!(datagram.len() <= 1222);
                    for _ in 0..(self.network)(self.datagrams) {
                        self.ends[1 - from].datagram_in(&datagram, self.now).unwrap();
                    }
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// What both ends have told since the last time.
    fn told(&mut self) -> [Vec<SessionEvent>; 2] {
        std::mem::take(&mut self.told)
    }

    /// Shakes hands and installs the first keys.
    fn establish(&mut self) -> [InstallKey; 2] {
        self.run(Duration::from_secs(50));
        for session in &mut self.ends {
            assert!(session.is_established());
            session.set_data_parameters(PARAMETERS, self.now);
        }
        self.run(Duration::ZERO);
        let told = self.told();
        told.map(|events| installed(&events).expect("a key"))
    }
}

fn installed(events: &[SessionEvent]) -> Option<InstallKey> {
    events.iter().find_map(|event| match event {
        SessionEvent::InstallKey(key) => Some((**key).clone()),
        _ => None,
    })
}

fn failure(events: &[SessionEvent]) -> Option<&SessionError> {
    events.iter().find_map(|event| match event {
        SessionEvent::Failed(error) => Some(error),
        _ => None,
    })
}

fn is_swap(event: &SessionEvent) -> bool {
    matches!(event, SessionEvent::SwapKeys)
}

/// Asserts that what one seals, the other opens.
fn assert_agree([client, server]: &[InstallKey; 2]) {
    assert!(client.keys.send == server.keys.receive && client.keys.receive == server.keys.send);
    assert!(client.keys.send != client.keys.receive);
    assert_eq!(client.key_id, server.key_id);
}

#[test]
fn both_sides_come_to_the_same_keys() {
    for (versions, version) in [
        (Versions::Only12, ProtocolVersion::TLSv1_2),
        (Versions::Only13, ProtocolVersion::TLSv1_3),
        (Versions::Both, ProtocolVersion::TLSv1_3),
    ] {
        for derivation in [Derivation::Exporter, Derivation::Prf] {
            let mut pair = Pair::new(Setup { versions, ..Setup::default() });
            pair.run(Duration::ZERO);
            for session in &mut pair.ends {
                session.set_data_parameters(DataParameters { derivation, ..PARAMETERS }, pair.now);
            }
            pair.run(Duration::ZERO);
            let told = pair.told();
            let SessionEvent::Established(established) = &told[1][0] else { panic!("{told:?}") };
            assert_eq!(established.hello.username, "alice");
            assert_eq!(established.version, Some(version));
            assert!(established.certificate.is_some());
            let keys = told.map(|events| installed(&events).unwrap());
            assert_agree(&keys);
            assert_eq!((keys[0].slot, keys[0].key_id), (Slot::Primary, 0));
        }
    }
}

#[test]
fn messages_cross_whole_and_in_order() {
    let mut pair = Pair::new(Setup::default());
    pair.establish();
    let long = format!("PUSH_REPLY,{}", "x".repeat(20_000));
    pair.ends[0].send_message("PUSH_REQUEST").unwrap();
    pair.ends[1].send_message(&long).unwrap();
    pair.ends[1].send_message("RESTART").unwrap();
    pair.run(Duration::ZERO);
    let texts = pair.told().map(|events| {
        let text = |event| match event {
            SessionEvent::Message(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(text).collect::<Vec<_>>()
    });
    assert_eq!(texts[0], [long, "RESTART".into()]);
    assert_eq!(texts[1], ["PUSH_REQUEST"]);
}

/// As stock: a line break would become a line of its own in files that options end up in.
#[test]
fn messages_with_control_characters_are_dropped_whole() {
    let mut pair = Pair::new(Setup::default());
    pair.establish();
    let bad =
        ["a\nb", "PUSH_REPLY,dhcp-option DOMAIN a\nnameserver 1.2.3.4", "\x1b[2J", "\x7f", "\t"];
    for message in bad.into_iter().chain(["PUSH_REPLY,echo \u{e9}\r\n", "INFO,last"]) {
        pair.ends[1].send_message(message).unwrap();
    }
    pair.run(Duration::ZERO);
    let [told, _] = pair.told();
    let (invalid, texts) = told.split_at(bad.len());
    assert!(invalid.iter().all(|event| matches!(event, SessionEvent::InvalidMessage)), "{told:?}");
    let [SessionEvent::Message(first), SessionEvent::Message(last)] = texts else {
        panic!("{texts:?}");
    };
    assert_eq!((first.as_str(), last.as_str()), ("PUSH_REPLY,echo \u{e9}", "INFO,last"));
}

#[test]
fn handshakes_and_renewals_survive_a_bad_network() {
    let third_lost = |n: u32| usize::from(!n.is_multiple_of(3));
    let every_second_twice = |n: u32| 1 + (n % 2) as usize;
    for network in [third_lost as Network, every_second_twice] {
        let mut pair = Pair::new(Setup { network, ..Setup::default() });
        assert_agree(&pair.establish());
        pair.ends[0].renegotiate(pair.now);
        pair.run(Duration::from_secs(59));
        let keys = pair.told().map(|events| installed(&events).expect("a second key"));
        assert_agree(&keys);
        assert_eq!((keys[0].slot, keys[0].key_id), (Slot::Secondary, 1));
    }
}

#[test]
fn either_side_renews_and_so_do_both_at_once() {
    for starters in [&[0][..], &[1], &[0, 1]] {
        let mut pair = Pair::new(Setup::default());
        pair.establish();
        // 0, then 1 to 7 and again 1.
        for key_id in [1, 2, 3, 4, 5, 6, 7, 1] {
            for &starter in starters {
                pair.ends[starter].renegotiate(pair.now);
            }
            pair.run(Duration::ZERO);
            let [client, server] = pair.told();
            let keys = [&client, &server].map(|events| installed(events).expect("a key"));
            assert_agree(&keys);
            assert_eq!((keys[0].slot, keys[0].key_id), (Slot::Secondary, key_id));
            // Each seals with it when the other surely has it.
            assert!(!client.iter().chain(&server).any(is_swap));
            pair.run(Duration::from_secs(4));
            let [client, server] = pair.told();
            assert!(matches!(client[..], [SessionEvent::SwapKeys]) && server.is_empty());
            pair.run(Duration::from_secs(56));
            let [client, server] = pair.told();
            assert!(matches!(server[..], [SessionEvent::SwapKeys]) && client.is_empty());
        }
    }
}

/// Wherever in a renewal the network begins to lose everything: nobody seals with a key that the
/// other has not.
#[test]
fn no_key_is_used_before_the_peer_has_it() {
    let mut swaps = 0;
    for carried in 0..30 {
        let after = [None, Some(Duration::from_secs(20))];
        let mut pair = Pair::new(Setup { renegotiate_after: after, ..Setup::default() });
        pair.establish();
        drop(pair.told());
        const LAST: u32 = 1_000_000;
        pair.datagrams = LAST - carried;
        pair.network = |number| usize::from(number <= LAST);
        pair.ends[1].renegotiate(pair.now);
        pair.run(Duration::from_secs(15));
        let told = pair.told();
        for (events, other) in [(&told[0], &told[1]), (&told[1], &told[0])] {
            if events.iter().any(is_swap) {
                swaps += 1;
                assert!(installed(other).is_some(), "after {carried} datagrams");
            }
        }
    }
    assert!(swaps > 0);
}

#[test]
fn who_renews_again_seals_with_the_last_key_first() {
    for starter in [0, 1] {
        let mut pair = Pair::new(Setup::default());
        pair.establish();
        pair.ends[starter].renegotiate(pair.now);
        pair.run(Duration::ZERO);
        drop(pair.told());
        pair.ends[starter].renegotiate(pair.now);
        pair.run(Duration::ZERO);
        for events in pair.told() {
            assert!(is_swap(&events[0]) && installed(&events).is_some(), "{events:?}");
        }
    }
}

#[test]
fn keys_are_renewed_by_time_and_old_ones_are_deleted() {
    let hour = Duration::from_secs(3600);
    let mut pair = Pair::new(Setup {
        renegotiate_after: [None, Some(Duration::from_secs(10))],
        ..Setup::default()
    });
    pair.establish();
    pair.run(Duration::from_secs(101));
    let [client, _] = pair.told();
    let swaps = client.iter().filter(|event| is_swap(event)).count();
    assert!((9..=11).contains(&swaps), "{swaps}");

    let mut pair = Pair::new(Setup::default());
    pair.establish();
    pair.ends[0].renegotiate(pair.now);
    pair.run(hour - Duration::from_secs(1));
    let is_deletion =
        |event: &SessionEvent| matches!(event, SessionEvent::DeleteKey(Slot::Secondary));
    assert!(!pair.told().iter().flatten().any(is_deletion));
    pair.run(hour);
    for events in pair.told() {
        assert!(matches!(&events[..], [event] if is_deletion(event)), "{events:?}");
    }
}

#[test]
fn a_certificate_for_something_else_is_refused() {
    let cases = [
        (vec![Use::ClientAuth], false, None, false),
        (vec![], true, None, false),
        (vec![], false, None, true),
        (vec![Use::ServerAuth], true, Some(NameRule::CommonName("server-1".into())), true),
        (vec![Use::ServerAuth], true, Some(NameRule::CommonName("server".into())), false),
        (vec![Use::ServerAuth], true, Some(NameRule::CommonNamePrefix("server-".into())), true),
        (vec![Use::ServerAuth], true, Some(NameRule::Subject("O=Tunic, CN=server-1".into())), true),
        (vec![Use::ServerAuth], true, Some(NameRule::Subject("CN=server-1".into())), false),
    ];
    for (server_uses, is_use_required, name, is_good) in cases {
        let case = format!("{server_uses:?} {is_use_required} {name:?}");
        let mut pair = Pair::new(Setup { server_uses, is_use_required, name, ..Setup::default() });
        pair.run(Duration::ZERO);
        let [client, server] = pair.told();
        assert_eq!(pair.ends[0].is_established(), is_good, "{case}");
        if !is_good {
            assert!(matches!(failure(&client), Some(SessionError::Tls(_))), "{case}: {client:?}");
            // An alert tells the server.
            assert!(matches!(failure(&server), Some(SessionError::Tls(_))), "{case}: {server:?}");
        }
    }
}

#[test]
fn silence_ends_a_handshake_and_a_renewal() {
    let mut pair = Pair::new(Setup { network: |_| 0, ..Setup::default() });
    pair.run(Duration::from_secs(59));
    assert!(pair.told().iter().all(Vec::is_empty));
    pair.run(Duration::from_secs(1));
    for events in pair.told() {
        assert!(matches!(failure(&events), Some(SessionError::Timeout(Stage::Tls))), "{events:?}");
    }

    let mut pair = Pair::new(Setup::default());
    pair.establish();
    pair.network = |_| 0;
    pair.ends[0].renegotiate(pair.now);
    pair.run(Duration::from_secs(60));
    let [client, _] = pair.told();
    assert!(matches!(failure(&client), Some(SessionError::Timeout(Stage::Reset))), "{client:?}");
}

#[test]
fn what_is_not_the_servers_changes_nothing() {
    let mut pair = Pair::new(Setup::default());
    pair.establish();
    let now = pair.now;
    let client = &mut pair.ends[0];
    let peer = client.peer_id().unwrap();
    let packet = |opcode, key_id, session_id| ControlPacket {
        opcode,
        key_id,
        session_id,
        acks: Vec::new(),
        acked_session: None,
        packet_id: Some(0),
        payload: b"",
    };
    let soft_reset = |key_id, session_id| packet(Opcode::SoftResetV1, key_id, session_id).encode();
    assert!(client.datagram_in(b"", now).is_err());
    assert!(client.datagram_in(&soft_reset(1, SessionId(*b"stranger")), now).is_err());
    assert!(client.datagram_in(&soft_reset(2, peer), now).is_err());
    assert!(client.poll_datagram(now).is_none());
    assert!(client.poll_event().is_none());
    // The next key it is.
    client.datagram_in(&soft_reset(1, peer), now).unwrap();
    let answer = client.poll_datagram(now).unwrap();
    assert_eq!(answer[0], Opcode::SoftResetV1.first_byte(1));
}
