//! Verdicts of our programs, whose control channel runs in memory.

use std::path::Path;
use std::time::{Duration, Instant};

use tunic_openvpn::Role;
use tunic_openvpn::packet::{ControlPacket, Opcode, SessionId};
use tunic_openvpn::profile::{Profile, ServerProfile};
use tunic_openvpn::session::{Hello, Session, SessionConfig, SessionEvent};
use tunic_openvpn::tls::{
    ExpectedPeer, Identity, RequiredUsage, TlsConfig, Versions, certificates,
};
use tunic_openvpn::wrap::Plain;

/// The id of every server's session.
pub(crate) const SERVER_ID: SessionId = SessionId(*b"serverid");

/// The peer with the chain. It accepts any certificate of `ca`.
pub(crate) fn peer(role: Role, certificates_pem: &str, key: &str, ca: &str) -> SessionConfig {
    let identity = Identity::from_pem(certificates_pem, key, || unreachable!()).unwrap();
    let expected = ExpectedPeer {
        ca: certificates(ca).unwrap(),
        usage: RequiredUsage::default(),
        name: None,
        revocations: None,
    };
    let tls = match role {
        Role::Server => TlsConfig::server(expected, identity, Versions::Both),
        Role::Client => TlsConfig::client(expected, Some(identity), Versions::Both),
    };
    SessionConfig {
        tls: tls.unwrap(),
        hello: hello(),
        handshake_window: Duration::from_secs(30),
        transition_window: Duration::from_secs(30),
        renegotiate_after: None,
    }
}

fn hello() -> Hello {
    let options =
        "V4,dev-type null,tun-mtu 1500,proto UDPv4,cipher AES-256-GCM,key-method 2".into();
    Hello { options, ..Hello::default() }
}

/// Whether our program, with this configuration, accepts the peer.
pub(crate) fn accepts(role: Role, configuration: &str, peer: SessionConfig) -> bool {
    let folder = Path::new("/nonexistent");
    let profile = match role {
        Role::Client => Profile::parse(&format!("client\nremote a\n{configuration}"), folder),
        Role::Server => {
            let text = format!("server 10.8.0.0 255.255.255.0\n{configuration}");
            ServerProfile::parse(&text, folder).map(|server| server.common)
        }
    };
    // An unusable configuration accepts nobody.
    let Ok(profile) = profile else { return false };
    let Ok(ours) = SessionConfig::new(&profile, role, hello()) else { return false };
    let (client, server) = match role {
        Role::Client => (ours, peer),
        Role::Server => (peer, ours),
    };
    let now = Instant::now();
    let mut client = Session::connect(client, Box::new(Plain), 1, now).unwrap();
    client.poll_datagram(now).unwrap();
    client.datagram_in(&reset(client.id()), now).unwrap();
    let ids = (SERVER_ID, client.id());
    let mut server = Session::accept(server, Box::new(Plain), ids, 1, now).unwrap();
    loop {
        let mut is_quiet = true;
        while let Some(datagram) = client.poll_datagram(now) {
            is_quiet = false;
            server.datagram_in(&datagram, now).unwrap();
        }
        while let Some(datagram) = server.poll_datagram(now) {
            is_quiet = false;
            client.datagram_in(&datagram, now).unwrap();
        }
        if is_quiet {
            break;
        }
    }
    // Both sides must have come to an end: the peer sees the key message of a program that accepts.
    let peer = match role {
        Role::Client => &mut server,
        Role::Server => &mut client,
    };
    verdict(peer).expect("an end of the handshake")
}

/// The server's reset in reply to a client's.
pub(crate) fn reset(client: SessionId) -> Vec<u8> {
    let reset = ControlPacket {
        opcode: Opcode::HardResetServerV2,
        key_id: 0,
        session_id: SERVER_ID,
        acks: vec![0],
        acked_session: Some(client),
        packet_id: Some(0),
        payload: b"",
    };
    reset.encode()
}

/// Whether the other side of a session has accepted us; `None` while that is open.
pub(crate) fn verdict(session: &mut Session) -> Option<bool> {
    while let Some(event) = session.poll_event() {
        match event {
            SessionEvent::Established(_) => return Some(true),
            SessionEvent::Failed(_) => return Some(false),
            _ => {}
        }
    }
    None
}
