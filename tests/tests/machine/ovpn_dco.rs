//! ovpn-dco-win's ABI as OpenVPN's clients and its server use it, in each of their orders of calls.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_ALREADY_INITIALIZED, STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED, STATUS_CONNECTION_DISCONNECTED,
    STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE, STATUS_NOT_FOUND,
    STATUS_OBJECTID_EXISTS, STATUS_OBJECTID_NOT_FOUND,
};
use tunic_tests::machine::dco::{Dco, DcoKey, Notice, ended};
use tunic_tests::machine::{self, End, Loaded, alone, boot};

const TIME: Duration = Duration::from_secs(120);
/// How long a request is watched before it counts as one that waits.
const PENDING_TIME: Duration = Duration::from_millis(50);
const CLIENT: i32 = 7;
const AES_256: DcoKey =
    DcoKey { seed: 0x30, cipher: 1, key_bytes: 32, key_id: 0, slot: 0, is_epoch: false };
const SECONDARY: u32 = 1;
const DELETED_BY_USERSPACE: u32 = 1;
const DELETED_AS_EXPIRED: u32 = 2;

/// An adapter whose stack is at the other end's side of the tunnel.
fn openvpn(loaded: &Loaded, number: u8) -> (End, Dco) {
    let end = End::speaking(loaded, number, "openvpn");
    let dco = Dco(end.file.clone());
    (end, dco)
}

/// A server, as OpenVPN 2.7 starts one.
fn server(loaded: &Loaded) -> (End, Dco, SocketAddr) {
    let (end, dco) = openvpn(loaded, 2);
    assert_eq!(dco.set(10, &1_u32.to_le_bytes()), 0);
    assert!(end.edge.wait_for_link(true, machine::TIMEOUT), "SET_MODE connects the link");
    let at = dco.listen("127.0.0.1:0".parse().unwrap());
    assert_ne!(at.port(), 0);
    (end, dco, at)
}

/// The first messages of a handshake, after which the server has the peer. Where the client is.
fn handshake(client: &Dco, server: &Dco, addresses: (Ipv4Addr, Ipv6Addr)) -> SocketAddr {
    let answer = client.start_read();
    assert_eq!(client.write(None, b"\x38hello"), (0, 6));
    let (from, hello) = server.mp_read();
    assert_eq!(hello, b"\x38hello");
    assert_eq!(server.write(Some(from), b"\x40welcome"), (0, 16 + 8));
    assert_eq!(ended(&answer), (0, b"\x40welcome".to_vec()));
    assert_eq!(server.mp_new_peer(CLIENT, from, addresses.0, addresses.1), 0);
    from
}

/// Both ends of a tunnel, by these clients' order.
struct Tunnel {
    client: End,
    to_server: Dco,
    server: End,
    to_client: Dco,
    server_at: SocketAddr,
    client_at: SocketAddr,
}

impl Tunnel {
    /// With keys and a link.
    fn new(loaded: &Loaded) -> Self {
        let (server, to_client, server_at) = server(loaded);
        let (client, to_server) = openvpn(loaded, 1);
        assert_eq!(to_server.new_peer(server_at), 0);
        let client_at = handshake(&to_server, &to_client, (client.v4, client.v6));
        let tunnel = Self { client, to_server, server, to_client, server_at, client_at };
        tunnel.key(&AES_256);
        tunnel.start();
        tunnel
    }

    fn key(&self, key: &DcoKey) {
        assert_eq!(self.to_server.new_key(CLIENT, key, true), 0);
        assert_eq!(self.to_client.new_key(CLIENT, key, false), 0);
    }

    fn start(&self) {
        assert_eq!(self.to_server.set(6, &[]), 0);
        assert!(self.client.edge.wait_for_link(true, machine::TIMEOUT), "START_VPN connects");
    }

    fn carry(&self) {
        self.client.carry(&self.server);
        self.server.carry(&self.client);
    }

    fn end(self, loaded: Loaded) {
        let Self { client, to_server, server, to_client, .. } = self;
        drop((to_server, to_client));
        client.remove(false);
        server.remove(false);
        loaded.unload();
    }
}

fn word(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..][..4].try_into().unwrap())
}

#[test]
fn openvpn_2_in_its_order() {
    alone("openvpn_2_in_its_order", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (server, to_client, server_at) = server(&loaded);
        let (client, to_server) = openvpn(&loaded, 1);
        let (status, version) = to_server.call(8, &[], 12);
        assert_eq!((status, version), (0, [2, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0].to_vec()));
        assert_eq!(to_server.new_peer(server_at), 0);
        let client_at = handshake(&to_server, &to_client, (client.v4, client.v6));
        let tunnel = Tunnel { client, to_server, server, to_client, server_at, client_at };
        // The options are there: the link, and then the keys.
        tunnel.start();
        tunnel.key(&AES_256);
        assert_eq!(tunnel.to_server.set_peer(Some(10), Some(60), Some(1300)), 0);
        assert_eq!(tunnel.to_client.mp_set_peer(CLIENT, Some(10), Some(60)), 0);
        tunnel.carry();
        let (status, statistics) = tunnel.to_server.call(2, &[], 64);
        assert_eq!((status, statistics.len()), (0, 64));
        assert!(word(&statistics, 28) > 0 && word(&statistics, 16) > 0, "data both ways");
        assert_eq!((word(&statistics, 24), word(&statistics, 20)), (1, 1), "control both ways");
        // Renegotiations, with the other ciphers.
        for (round, cipher, key_bytes, is_epoch) in [
            (1, 1, 16, false),
            (2, 1, 24, true),
            (3, 2, 32, false),
            (4, 2, 32, true),
            (5, 1, 32, true),
        ] {
            let slot = SECONDARY;
            let key =
                DcoKey { seed: 0x40 + round, cipher, key_bytes, key_id: round, slot, is_epoch };
            tunnel.key(&key);
            tunnel.carry();
            assert_eq!(tunnel.to_server.set(4, &[]), 0);
            tunnel.carry();
            assert_eq!(tunnel.to_client.set(16, &CLIENT.to_le_bytes()), 0);
            tunnel.carry();
        }
        assert_eq!(tunnel.to_server.set(7, &[]), 0);
        tunnel.end(loaded);
    });
}

#[test]
fn openvpn_3_in_its_order_and_again_on_the_same_handle() {
    alone("openvpn_3_in_its_order_and_again_on_the_same_handle", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (server, to_client, server_at) = server(&loaded);
        let (client, to_server) = openvpn(&loaded, 1);
        let mut tunnel =
            Tunnel { client, to_server, server, to_client, server_at, client_at: server_at };
        for round in 0..3 {
            assert_eq!(tunnel.to_server.new_peer(server_at), 0);
            let addresses = (tunnel.client.v4, tunnel.client.v6);
            tunnel.client_at = handshake(&tunnel.to_server, &tunnel.to_client, addresses);
            tunnel.start();
            assert_eq!(tunnel.to_server.set_peer(Some(8), Some(40), None), 0);
            tunnel.key(&DcoKey { seed: 0x20 + round, ..AES_256 });
            assert_eq!(tunnel.to_server.set_peer(None, None, Some(1200)), 0);
            tunnel.carry();
            tunnel.key(&DcoKey { seed: 0x50 + round, key_id: 1, slot: SECONDARY, ..AES_256 });
            assert_eq!(tunnel.to_server.set(4, &[]), 0);
            tunnel.carry();
            let waits = tunnel.to_server.start_read();
            assert!(waits.wait(Some(PENDING_TIME)).is_none(), "there is nothing to read");
            assert_eq!(tunnel.to_server.set(7, &[]), 0);
            assert_eq!(ended(&waits), (STATUS_CANCELLED, Vec::new()));
            assert_eq!(tunnel.to_client.set(15, &CLIENT.to_le_bytes()), 0);
        }
        tunnel.end(loaded);
    });
}

#[test]
fn the_integration_guide_in_its_order() {
    alone("the_integration_guide_in_its_order", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let tunnel = Tunnel::new(&loaded);
        assert_eq!(tunnel.to_server.set_peer(Some(10), Some(60), Some(0)), 0);
        tunnel.carry();
        // The same slot again: packets count from the start.
        tunnel.key(&DcoKey { seed: 0x77, ..AES_256 });
        tunnel.carry();
        tunnel.end(loaded);
    });
}

#[test]
fn openvpn_2_7_serves_in_its_order() {
    alone("openvpn_2_7_serves_in_its_order", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let tunnel = Tunnel::new(&loaded);
        let server = &tunnel.to_client;
        let notify = server.start_notify();
        assert!(notify.wait(Some(PENDING_TIME)).is_none(), "nothing has happened");
        assert_eq!(server.iroute(17, CLIENT, "10.66.0.0".parse().unwrap(), 16), 0);
        assert_eq!(server.iroute(17, CLIENT, "fd66::".parse().unwrap(), 32), 0);
        tunnel.carry();
        // From behind the client, by its route; and no more once that is gone.
        let mut routed = tunnel.client.packet(&tunnel.server, 20, 1);
        routed[12..16].copy_from_slice(&[10, 66, 1, 2]);
        tunnel.client.offer(&routed, 1);
        assert_eq!(tunnel.server.edge.wait_for(1, machine::TIMEOUT), [routed.clone()]);
        assert_eq!(server.iroute(18, -1, "10.66.0.0".parse().unwrap(), 16), 0);
        tunnel.client.offer(&routed, 1);
        let discarded = || tunnel.server.discards("source-not-allowed") == 1;
        machine::wait_until(discarded, || format!("{:?}", tunnel.server.all_discards()));

        // Counters of one peer and of all, with their hole zero.
        let (status, one) = server.call(19, &CLIENT.to_le_bytes(), 40);
        assert_eq!((status, one.len(), word(&one, 0), word(&one, 4)), (0, 40, 7, 0));
        assert!(word(&one, 8) > word(&one, 24) && word(&one, 24) > 0);
        let all = [0xff; 4];
        let other = "127.0.0.1:9".parse().unwrap();
        assert_eq!(server.mp_new_peer(8, other, Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED), 0);
        assert_eq!(
            server.call(19, &all, 79),
            (STATUS_BUFFER_OVERFLOW, 80_u32.to_le_bytes().to_vec())
        );
        assert_eq!(server.call(19, &all, 3).0, STATUS_BUFFER_TOO_SMALL);
        let (status, both) = server.call(19, &all, 200);
        assert_eq!((status, both.len(), word(&both, 4), word(&both, 44)), (0, 80, 0, 0));
        assert_eq!(server.call(19, &9_i32.to_le_bytes(), 40).0, STATUS_OBJECTID_NOT_FOUND);

        // The client comes from another port, with new keys: it floats, once it has proved itself.
        assert_eq!(tunnel.to_server.set(7, &[]), 0);
        assert_eq!(tunnel.to_server.new_peer(tunnel.server_at), 0);
        tunnel.key(&DcoKey { seed: 0x66, ..AES_256 });
        assert_eq!(tunnel.to_server.write(None, b"\x28where"), (0, 6));
        let (client_at, _) = server.mp_read();
        assert_ne!(client_at, tunnel.client_at);
        tunnel.client.carry(&tunnel.server);
        assert_eq!(Dco::notice(&notify), Notice::Floated(CLIENT, client_at));
        tunnel.server.carry(&tunnel.client);

        // Removed peers are told, one that waits for events and one that doesn't.
        let notify = server.start_notify();
        assert_eq!(server.set(15, &8_i32.to_le_bytes()), 0);
        assert_eq!(Dco::notice(&notify), Notice::Deleted(8, DELETED_BY_USERSPACE));
        assert_eq!(server.set(15, &CLIENT.to_le_bytes()), 0);
        let notify = server.start_notify();
        assert_eq!(Dco::notice(&notify), Notice::Deleted(CLIENT, DELETED_BY_USERSPACE));
        assert_eq!(server.call(19, &all, 0), (0, Vec::new()), "there is nobody");
        tunnel.end(loaded);
    });
}

/// A program that listens on an IPv6 address knows its IPv4 peers as IPv4-mapped addresses, as a
/// socket with IPV6_V6ONLY off has them: in reads, in float events, and in what it asks for.
#[test]
fn a_listener_for_both_families_names_ipv4_peers_as_mapped() {
    let name = "a_listener_for_both_families_names_ipv4_peers_as_mapped";
    alone(name, TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server) = openvpn(&loaded, 2);
        assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0);
        let at = server.listen("[::]:0".parse().unwrap());
        assert!(at.is_ipv6() && at.port() != 0, "{at}");
        let (client, to_server) = openvpn(&loaded, 1);
        // A client's own peer may be named in either form.
        let mapped_server: SocketAddr =
            format!("[::ffff:127.0.0.1]:{}", at.port()).parse().unwrap();
        assert_eq!(to_server.new_peer(mapped_server), 0);
        let client_at = handshake_mapped(&to_server, &server);
        assert_eq!(server.mp_new_peer(CLIENT, client_at, client.v4, client.v6), 0);
        let server_at = SocketAddr::from(([127, 0, 0, 1], at.port()));
        let tunnel =
            Tunnel { client, to_server, server: end, to_client: server, server_at, client_at };
        tunnel.start();
        tunnel.key(&AES_256);
        tunnel.carry();
        let server = &tunnel.to_client;

        // From another port: the float and the next messages are in one form.
        let notify = server.start_notify();
        assert_eq!(tunnel.to_server.set(7, &[]), 0);
        assert_eq!(tunnel.to_server.new_peer(server_at), 0);
        tunnel.key(&DcoKey { seed: 0x66, ..AES_256 });
        tunnel.client.carry(&tunnel.server);
        let Notice::Floated(CLIENT, floated_to) = Dco::notice(&notify) else {
            panic!("the client floats");
        };
        assert_eq!(handshake_mapped(&tunnel.to_server, server), floated_to);
        assert_ne!(floated_to, client_at);
        tunnel.server.carry(&tunnel.client);
        // What the program writes may be in either form.
        let plain = SocketAddr::new(floated_to.ip().to_canonical(), floated_to.port());
        for to in [floated_to, plain] {
            let answer = tunnel.to_server.start_read();
            let prefix_bytes = if to.is_ipv4() { 16 } else { 28 };
            assert_eq!(server.write(Some(to), b"\x40again"), (0, prefix_bytes + 6));
            assert_eq!(ended(&answer), (0, b"\x40again".to_vec()));
        }
        // Another peer with this address doesn't take it, in whichever form it is named.
        let other = (Ipv4Addr::new(10, 7, 7, 7), Ipv6Addr::UNSPECIFIED);
        for remote in [plain, floated_to] {
            assert_eq!(server.mp_new_peer(9, remote, other.0, other.1), 0);
            tunnel.server.carry(&tunnel.client);
            assert_eq!(server.set(15, &9_i32.to_le_bytes()), 0);
        }
        tunnel.end(loaded);
    });
}

/// The first messages of a handshake with a server that listens for both families. Where the
/// client is, as the server is told.
fn handshake_mapped(client: &Dco, server: &Dco) -> SocketAddr {
    let answer = client.start_read();
    assert_eq!(client.write(None, b"\x38hello"), (0, 6));
    let (from, hello) = server.mp_read();
    assert_eq!(hello, b"\x38hello");
    let SocketAddr::V6(v6) = from else { panic!("{from} is not an IPv6 address") };
    assert_eq!(v6.ip().to_ipv4_mapped(), Some(Ipv4Addr::LOCALHOST));
    assert_eq!((v6.flowinfo(), v6.scope_id()), (0, 0));
    assert_eq!(server.write(Some(from), b"\x40welcome"), (0, 28 + 8));
    assert_eq!(ended(&answer), (0, b"\x40welcome".to_vec()));
    from
}

/// On an IPv4 address, or on IPv6 alone, addresses stay as they are.
#[test]
fn a_listener_for_one_family_names_peers_in_it() {
    alone("a_listener_for_one_family_names_peers_in_it", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server) = openvpn(&loaded, 2);
        for (listener, ipv6_only, client) in [
            ("127.0.0.1:0", 0_u32, "127.0.0.1:0"),
            ("0.0.0.0:0", 0, "127.0.0.1:0"),
            ("[::1]:0", 0, "[::1]:0"),
            ("[::]:0", 1, "[::1]:0"),
            ("[::]:0", 0, "[::1]:0"),
            // A mapped address is one of IPv4, and the program's socket one of IPv6.
            ("[::ffff:127.0.0.1]:0", 0, "127.0.0.1:0"),
        ] {
            assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0);
            let listener: SocketAddr = listener.parse().unwrap();
            let at = server.listen_as(listener, ipv6_only);
            assert_eq!(at.ip(), listener.ip());
            let client = UdpSocket::bind(client).expect("a socket");
            let from = client.local_addr().expect("it is bound");
            client.send_to(b"\x38hello", SocketAddr::new(from.ip(), at.port())).expect("sent");
            let (told, hello) = server.mp_read();
            assert_eq!(hello, b"\x38hello");
            assert_eq!(told.is_ipv4(), listener.is_ipv4(), "{told} at {listener}");
            assert_eq!((told.ip().to_canonical(), told.port()), (from.ip(), from.port()));
            assert_eq!(server.write(Some(told), b"\x40welcome").0, 0);
            let mut answer = [0; 16];
            client.set_read_timeout(Some(machine::TIMEOUT)).expect("a limit");
            assert_eq!(client.recv(&mut answer).expect("an answer"), 8);
            assert_eq!(server.set(7, &[]), 0);
        }
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

#[test]
fn silent_peers_are_told() {
    alone("silent_peers_are_told", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let tunnel = Tunnel::new(&loaded);
        // A client's read ends, also one that comes later.
        assert_eq!(tunnel.to_client.set(15, &CLIENT.to_le_bytes()), 0);
        assert_eq!(Dco::notice(&tunnel.to_client.start_notify()), Notice::Deleted(7, 1));
        let read = tunnel.to_server.start_read();
        assert_eq!(tunnel.to_server.set_peer(Some(0), Some(1), None), 0);
        assert_eq!(ended(&read), (STATUS_CONNECTION_DISCONNECTED, Vec::new()));
        assert_eq!(tunnel.to_server.set_peer(None, Some(1), None), 0);
        let later = loop {
            let read = tunnel.to_server.start_read();
            if let Some(completed) = read.wait(Some(Duration::from_secs(3))) {
                break completed.status.cast_unsigned();
            }
            assert!(read.cancel());
        };
        assert_eq!(later, STATUS_CONNECTION_DISCONNECTED);
        // A server's peer is removed, and what is done to it then fails softly.
        let nowhere = "127.0.0.1:9".parse().unwrap();
        let no_address = (Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
        let server = &tunnel.to_client;
        assert_eq!(server.mp_new_peer(5, nowhere, no_address.0, no_address.1), 0);
        assert_eq!(server.mp_set_peer(5, None, Some(1)), 0);
        assert_eq!(Dco::notice(&server.start_notify()), Notice::Deleted(5, DELETED_AS_EXPIRED));
        assert_eq!(server.new_key(5, &AES_256, false), STATUS_OBJECTID_NOT_FOUND);
        assert_eq!(server.mp_set_peer(5, Some(1), None), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(server.set(16, &5_i32.to_le_bytes()), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(server.set(15, &5_i32.to_le_bytes()), STATUS_NOT_FOUND);
        tunnel.end(loaded);
    });
}

#[test]
fn one_handle_owns_the_adapter_until_it_is_closed() {
    alone("one_handle_owns_the_adapter_until_it_is_closed", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let tunnel = Tunnel::new(&loaded);
        let denied = loaded.open("end1").err().map(i32::cast_unsigned);
        assert_eq!(denied, Some(STATUS_ACCESS_DENIED));
        let read = tunnel.to_server.start_read();
        let notify = tunnel.to_server.start_notify();
        // Closed with what waits: all ends, and the adapter is anybody's.
        let Tunnel { client, to_server, server, to_client, server_at, .. } = tunnel;
        let End { edge, control, file, adapter, .. } = client;
        drop((control, file, to_server));
        for pending in [read, notify] {
            assert_eq!(ended(&pending), (STATUS_CANCELLED, Vec::new()));
        }
        assert!(edge.wait_for_link(false, machine::TIMEOUT), "the link is down");
        let next = Dco(loaded.open("end1").expect("it is free"));
        assert_eq!(next.new_key(CLIENT, &AES_256, true), STATUS_OBJECTID_NOT_FOUND);
        assert_eq!(next.write(None, b"\x38x").0, STATUS_INVALID_DEVICE_STATE);
        assert_eq!(next.set(6, &[]), STATUS_INVALID_DEVICE_REQUEST, "there is no peer");
        assert_eq!(next.new_peer(server_at), 0);
        assert_eq!(next.write(None, b"\x38x"), (0, 2));
        assert_eq!(to_client.mp_read().1, b"\x38x");
        drop((next, to_client));
        adapter.remove(false);
        server.remove(false);
        loaded.unload();
    });
}

#[test]
fn modes_are_kept_apart() {
    alone("modes_are_kept_apart", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let tunnel = Tunnel::new(&loaded);
        let (client, server) = (&tunnel.to_server, &tunnel.to_client);
        let somewhere: SocketAddr = "127.0.0.1:9".parse().unwrap();
        let v4 = Ipv4Addr::new(10, 9, 9, 9);
        // Of point-to-point mode, at a server.
        assert_eq!(server.new_peer(somewhere), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(server.set(4, &[]), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(server.set_peer(None, None, None), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(server.set(6, &[]), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(server.set(10, &1_u32.to_le_bytes()), STATUS_ALREADY_INITIALIZED);
        let listen = [&somewhere_to_listen()[..], &[0; 4]].concat();
        assert_eq!(server.call(11, &listen, 32).0, STATUS_ALREADY_INITIALIZED);
        // Of multi-peer mode, at a client.
        assert_eq!(client.call(11, &listen, 32).0, STATUS_INVALID_DEVICE_STATE);
        assert_eq!(
            client.mp_new_peer(1, somewhere, v4, Ipv6Addr::UNSPECIFIED),
            STATUS_INVALID_DEVICE_STATE
        );
        assert_eq!(client.mp_set_peer(1, None, None), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(client.set(15, &1_i32.to_le_bytes()), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(client.set(16, &1_i32.to_le_bytes()), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(client.iroute(17, 1, v4.into(), 32), STATUS_INVALID_DEVICE_STATE);
        assert_eq!(client.iroute(18, -1, v4.into(), 32), STATUS_INVALID_DEVICE_STATE);
        // Peers are told apart by id and address.
        assert_eq!(
            server.mp_new_peer(CLIENT, somewhere, v4, Ipv6Addr::UNSPECIFIED),
            STATUS_OBJECTID_EXISTS
        );
        assert_eq!(server.iroute(17, 9, v4.into(), 32), STATUS_INVALID_DEVICE_REQUEST);
        assert_eq!(server.iroute(18, -1, v4.into(), 32), STATUS_NOT_FOUND);
        tunnel.carry();
        tunnel.end(loaded);
    });
}

#[test]
fn a_stop_leaves_nothing_to_be_told() {
    alone("a_stop_leaves_nothing_to_be_told", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let (end, server, at) = server(&loaded);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        assert_eq!(server.mp_new_peer(CLIENT, at, end.v4, end.v6), 0);
        assert_eq!(server.set(15, &CLIENT.to_le_bytes()), 0);
        socket.send_to(b"\x38old", at).expect("it is sent");
        assert_eq!(server.write(Some(at), b"\x38old").0, 0);
        assert_eq!(server.set(7, &[]), 0);
        assert_eq!(server.set(10, &1_u32.to_le_bytes()), 0);
        let at = server.listen("127.0.0.1:0".parse().unwrap());
        let (read, notify) = (server.start_read(), server.start_notify());
        socket.send_to(b"\x38new", at).expect("it is sent");
        assert!(ended(&read).1.ends_with(b"\x38new"), "the old datagrams are gone");
        assert_eq!(server.mp_new_peer(9, at, end.v4, end.v6), 0);
        assert_eq!(server.set(15, &9_i32.to_le_bytes()), 0);
        assert_eq!(Dco::notice(&notify), Notice::Deleted(9, 1), "the old event is gone");
        drop(server);
        end.remove(false);
        loaded.unload();
    });
}

fn somewhere_to_listen() -> Vec<u8> {
    let mut bytes = tunic_tests::machine::dco::prefix("127.0.0.1:0".parse().unwrap());
    bytes.resize(28, 0);
    bytes
}
