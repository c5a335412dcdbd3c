//! Adapters that speak OpenVPN, by the native ABI: with keys that are pushed they carry packets
//! over real UDP, everything else goes up to userspace and comes down from there, and everything
//! ends clean.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nt_host::{Handle, pool};
use tunic::{AdapterState, Error};
use tunic_ioctl::AdapterId;
use tunic_ioctl::data_channel::{
    DeleteReason, EventKind, Mode, NewPeer, PeerSelector, Prefix, SetPeer, Slot, Suite,
};
use tunic_ioctl::native::{channel, encode_select};
use tunic_ioctl::status::{
    STATUS_ACCESS_DENIED, STATUS_ALREADY_INITIALIZED, STATUS_BUFFER_TOO_SMALL, STATUS_CANCELLED,
    STATUS_INVALID_ADDRESS, STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER, STATUS_NOT_FOUND, STATUS_OBJECTID_EXISTS,
};
use tunic_tests::machine::{
    self, Channel, End, Loaded, Setup, TestKeys, add_as, alone, boot, multi_peer, peer_at,
};

const TIME: Duration = Duration::from_secs(120);
/// How long a request is watched before it counts as one that waits.
const PENDING_TIME: Duration = Duration::from_millis(50);
const KEYS: TestKeys = TestKeys { seed: 0x5a, suite: Suite::Aes256Gcm, is_epoch: false, key_id: 0 };
/// The server's name for its client.
const CLIENT: PeerSelector = PeerSelector::Id(7);

/// A client in point-to-point mode and a server in multi-peer mode, connected and without keys.
fn connect(client: &End, server: &End) {
    let (to_client, to_server) = (Channel(server), Channel(client));
    to_client.set_mode(Mode::MultiPeer).expect("a server");
    let listening = to_client.listen("127.0.0.1:0".parse().unwrap(), false).expect("it listens");
    to_server.new_peer(&peer_at(listening)).expect("a socket");
    let client_at = ([127, 0, 0, 1], to_server.local().port()).into();
    to_client.new_peer(&multi_peer(7, client_at, client.v4, client.v6)).expect("a client");
    for (end, channel) in [(client, to_server), (server, to_client)] {
        channel.start().expect("it starts");
        assert!(end.edge.wait_for_link(true, machine::TIMEOUT), "the link is up");
    }
}

/// Gives both ends keys.
fn key(client: &End, server: &End, keys: &TestKeys, slot: Slot) {
    keys.install(&Channel(client), PeerSelector::Only, slot, Some(7)).expect("the client's key");
    keys.install(&Channel(server), CLIENT, slot, None).expect("the server's key");
}

/// Both ends of a tunnel with keys.
fn tunnel(loaded: &Loaded) -> [End; 2] {
    let ends = [1, 2].map(|number| End::speaking(loaded, number, "openvpn"));
    let [client, server] = &ends;
    connect(client, server);
    key(client, server, &KEYS, Slot::Primary);
    ends
}

#[test]
fn a_protocol_that_is_not_known_makes_no_adapter() {
    alone("a_protocol_that_is_not_known_makes_no_adapter", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        for protocol in ["openvpn", "OpenVPN", "wireguard", ""] {
            let end = End::speaking(&loaded, 1, protocol);
            let is_wireguard = !protocol.eq_ignore_ascii_case("openvpn");
            assert_eq!(end.control.configuration().is_ok(), is_wireguard, "{protocol}");
            end.remove(false);
        }
        let setup = Setup { protocol: Some("ipsec"), ..Setup::new(1) };
        assert!(add_as(&loaded, &setup, &nt_host::edge::capture::Capture::new()).is_err());
        loaded.unload();
    });
}

#[test]
fn packets_flow_with_pushed_keys() {
    alone("packets_flow_with_pushed_keys", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let ends = [1, 2].map(|number| End::speaking(&loaded, number, "openvpn"));
        let [client, server] = &ends;
        connect(client, server);
        let mut key_id = 0;
        for suite in Suite::ALL {
            for is_epoch in [false, true] {
                let keys = TestKeys { seed: 0x40 + key_id, suite, is_epoch, key_id };
                key(client, server, &keys, Slot::Primary);
                client.carry(server);
                server.carry(client);
                key_id = (key_id + 1) % 8;
            }
        }
        // Paused and restarted, they go on with the same keys.
        for end in &ends {
            end.adapter.pause().expect("it pauses");
            end.adapter.restart().expect("it restarts");
        }
        client.carry(server);
        server.carry(client);

        let peer = Channel(server).query().1.remove(0);
        assert!(peer.traffic.rx_packets > 0 && peer.traffic.tx_packets > 0, "{peer:?}");
        assert!(peer.traffic.link_rx_bytes > peer.traffic.vpn_rx_bytes, "{peer:?}");
        assert_eq!(peer.routes_count, 2);

        // A client's address within the tunnel is its own alone.
        let mut foreign = client.packet(server, 20, 1);
        foreign[15] ^= 0x40;
        client.offer(&foreign, 1);
        machine::wait_until(
            || server.discards("source-not-allowed") > 0,
            || format!("{:?}", server.all_discards()),
        );
        for end in ends {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn keys_change_without_loss() {
    alone("keys_change_without_loss", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let ends = tunnel(&loaded);
        let [client, server] = &ends;
        client.carry(server);
        for round in 1..12_u8 {
            let keys = TestKeys { seed: 0x10 + round, key_id: 1 + (round - 1) % 7, ..KEYS };
            key(client, server, &keys, Slot::Secondary);
            client.carry(server);
            // The client seals with the new key before the server does.
            Channel(client).swap_keys(PeerSelector::Only).expect("it swaps");
            client.carry(server);
            server.carry(client);
            Channel(server).swap_keys(CLIENT).expect("it swaps");
            server.carry(client);
            client.carry(server);
        }
        // Without the old key what comes under it is not opened.
        Channel(server).swap_keys(CLIENT).expect("it swaps");
        Channel(server).delete_key(CLIENT, Slot::Secondary).expect("it is deleted");
        let nothing_there = Channel(server).delete_key(CLIENT, Slot::Secondary);
        assert_eq!(nothing_there, Err(STATUS_NOT_FOUND));
        let before = server.discards("unknown-context");
        client.offer(&client.packet(server, 10, 1), 1);
        machine::wait_until(
            || server.discards("unknown-context") > before,
            || format!("{:?}", server.all_discards()),
        );
        for end in ends {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn control_datagrams_go_up_and_down() {
    alone("control_datagrams_go_up_and_down", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let ends = [1, 2].map(|number| End::speaking(&loaded, number, "openvpn"));
        let [client, server] = &ends;
        assert_eq!(Channel(client).send_control(None, b"x"), Err(STATUS_INVALID_DEVICE_STATE));
        connect(client, server);
        let (to_server, to_client) = (Channel(client), Channel(server));
        let client_at = std::net::SocketAddr::from(([127, 0, 0, 1], to_server.local().port()));

        // One waits for a request, one is waited for; every opcode but that of data.
        to_server.send_control(None, &[7 << 3, 1, 2]).expect("it is sent");
        assert_eq!(to_client.read_control(), (Some(client_at), vec![7 << 3, 1, 2]));
        let waiting = to_server.start_read();
        assert!(waiting.wait(Some(PENDING_TIME)).is_none(), "nothing has come");
        for opcode in (0..32_u8).filter(|opcode| *opcode != 9) {
            let long = [&[opcode << 3][..], &[opcode; 1400]].concat();
            to_client.send_control(Some(client_at), &long).expect("it is sent");
            if opcode == 0 {
                let first = waiting.wait(Some(machine::TIMEOUT)).expect("it was waited for");
                let record = &first.output[..first.information];
                let datagram = channel::reply::decode_datagram(record).expect("a record");
                assert_eq!((datagram.address, datagram.data), (None, &long[..]));
            } else {
                assert_eq!(to_server.read_control(), (None, long));
            }
        }
        // The longest, and one byte more.
        to_client.send_control(Some(client_at), &[4 << 3; 2048]).expect("it is sent");
        assert_eq!(to_server.read_control().1.len(), 2048);
        let too_long = to_client.send_control(Some(client_at), &[4 << 3; 2049]);
        assert_eq!(too_long, Err(STATUS_INVALID_PARAMETER));
        assert_eq!(to_client.send_control(None, b"x"), Err(STATUS_INVALID_ADDRESS));

        // From strangers only a server takes them.
        let stranger = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        stranger.send_to(&[7 << 3; 50], client_at).expect("it is sent");
        let server_at = to_client.local();
        stranger.send_to(&[7 << 3; 50], server_at).expect("it is sent");
        let stranger_at = stranger.local_addr().expect("an address");
        assert_eq!(to_client.read_control(), (Some(stranger_at), vec![7 << 3; 50]));
        machine::wait_until(
            || client.discards("foreign-control") > 0,
            || format!("{:?}", client.all_discards()),
        );
        assert!(to_server.start_read().wait(Some(PENDING_TIME)).is_none());

        // To itself: it arrives on the thread that sends.
        for _ in 0..200 {
            to_client.send_control(Some(server_at), &[5 << 3; 100]).expect("it is sent");
            assert_eq!(to_client.read_control(), (Some(server_at), vec![5 << 3; 100]));
        }

        // Without a reader they are kept, the newest ones, and no more than there is room for.
        let flood = || {
            let _ = stranger.send_to(&[4 << 3; 100], server_at);
            server.discards("queue-full") > 0
        };
        machine::wait_until(flood, || format!("{:?}", server.all_discards()));
        to_client.send_control(Some(server_at), &[4 << 3, 0xff]).expect("it is sent");
        while to_client.read_control().1 != [4 << 3, 0xff] {}

        // Who waits is told of the end.
        let waiting = [to_server.start_read(), to_client.start_read()];
        to_server.stop().expect("it stops");
        to_client.stop().expect("it stops");
        for request in waiting {
            let ended = request.wait(Some(machine::TIMEOUT)).expect("it ends");
            assert_eq!(ended.status.cast_unsigned(), STATUS_CANCELLED);
        }
        assert!(client.edge.wait_for_link(false, machine::TIMEOUT));
        for end in ends {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn commands_are_refused_in_the_wrong_order() {
    alone("commands_are_refused_in_the_wrong_order", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let end = End::speaking(&loaded, 1, "openvpn");
        let it = Channel(&end);
        let somewhere = "127.0.0.1:9".parse().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let client = multi_peer(7, somewhere, end.v4, end.v6);
        let route = Prefix::new([10, 7, 0, 0].into(), 16).unwrap();
        let change = |peer| SetPeer { peer, keepalive_s: None, timeout_s: None, mss_bytes: None };
        let wrong_mode = Err(STATUS_INVALID_DEVICE_STATE);
        let no_peer = Err(STATUS_NOT_FOUND);

        assert_eq!(it.listen(any, false), wrong_mode.map(|()| any));
        assert_eq!(it.new_peer(&client), wrong_mode);
        assert_eq!(it.add_route(CLIENT, route), wrong_mode);
        assert_eq!(it.remove_route(route), wrong_mode);
        assert_eq!(it.start(), no_peer);
        for selector in [PeerSelector::Only, CLIENT] {
            let expected = if selector == CLIENT { wrong_mode } else { no_peer };
            assert_eq!(it.delete_peer(selector), expected);
            assert_eq!(it.swap_keys(selector), expected);
            assert_eq!(it.set_peer(&change(selector)), expected);
            assert_eq!(KEYS.install(&it, selector, Slot::Primary, Some(7)), expected);
        }

        it.set_mode(Mode::MultiPeer).expect("there is nobody yet");
        it.set_mode(Mode::MultiPeer).expect("it is in that mode");
        assert_eq!(it.new_peer(&peer_at(somewhere)), wrong_mode);
        // A client may come before the socket does.
        it.new_peer(&client).expect("a peer");
        assert_eq!(it.new_peer(&client), Err(STATUS_OBJECTID_EXISTS));
        assert_eq!(it.set_mode(Mode::PointToPoint), wrong_mode);
        let bound = it.listen(any, false).expect("it listens");
        assert_ne!(bound.port(), 0);
        assert_eq!(it.listen(any, false), Err(STATUS_ALREADY_INITIALIZED));
        assert_eq!(it.remove_route(route), no_peer);
        it.add_route(CLIENT, route).expect("a route");
        it.remove_route(route).expect("it was there");
        it.delete_peer(CLIENT).expect("it was there");
        assert_eq!(it.delete_peer(CLIENT), no_peer);
        let event = it.event(machine::TIMEOUT).expect("it is told").event;
        assert_eq!(event.peer, Some(7));
        assert_eq!(event.kind, EventKind::Deleted(DeleteReason::Userspace));

        // WireGuard's requests are none of an adapter that speaks OpenVPN, and the other way round.
        assert!(end.control.configuration().is_err());
        let other = End::new(&loaded, 2);
        assert_eq!(Channel(&other).start(), Err(STATUS_INVALID_DEVICE_REQUEST));
        assert_eq!(
            it.call(
                channel::IOCTL_CHANNEL_READ_EVENT,
                &tunic_ioctl::native::encode_select(tunic_ioctl::AdapterId([0; 16])),
                8
            ),
            Err(STATUS_BUFFER_TOO_SMALL)
        );
        end.remove(false);
        other.remove(true);
        loaded.unload();
    });
}

#[test]
fn what_a_file_owns_goes_with_it() {
    alone("what_a_file_owns_goes_with_it", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let ends = tunnel(&loaded);
        let [client, server] = &ends;
        // What is set up already becomes the owner's.
        let owner = client.open(&loaded);
        let select = encode_select(AdapterId([0; 16]));
        let own = |file: &Handle| {
            let (status, _) = file.ioctl(channel::IOCTL_CHANNEL_OWN, &select, &mut []);
            status.cast_unsigned()
        };
        assert_eq!((own(&owner), own(&owner)), (0, 0));
        client.carry(server);
        // Others see it, and change nothing, nor have what is the owner's.
        let other = Channel(client);
        assert_eq!(other.own(), Err(STATUS_ACCESS_DENIED));
        assert_eq!(other.stop(), Err(STATUS_ACCESS_DENIED));
        assert_eq!(other.delete_peer(PeerSelector::Only), Err(STATUS_ACCESS_DENIED));
        let down = client.control.set_state(AdapterState::Down);
        assert!(matches!(down, Err(Error::Refused(STATUS_ACCESS_DENIED))));
        let read = other.start_read().wait(Some(machine::TIMEOUT)).expect("it ends");
        assert_eq!(read.status.cast_unsigned(), STATUS_ACCESS_DENIED);
        assert_eq!(other.query().1.len(), 1);
        drop(client.open(&loaded));
        drop(owner);
        assert!(client.edge.wait_for_link(false, machine::TIMEOUT), "the link goes with the file");
        assert!(other.query().1.is_empty(), "the peer goes, and its keys with it");
        // What nobody owns stays.
        assert_eq!(Channel(server).query().1.len(), 1);
        // A file of the driver itself is none of an adapter's.
        let driver = loaded.open("").expect("it opens");
        assert_eq!(own(&driver), STATUS_NOT_FOUND);
        let id = server.control.info().expect("it is told").id;
        let (status, _) = driver.ioctl(channel::IOCTL_CHANNEL_OWN, &encode_select(id), &mut []);
        assert_eq!(status.cast_unsigned(), STATUS_INVALID_DEVICE_REQUEST);
        drop(driver);
        // The next owner begins anew, and may stop what it has, and go on.
        let owner = client.open(&loaded);
        assert_eq!(own(&owner), 0);
        drop(owner);
        other.own().expect("it is free");
        other.new_peer(&peer_at(([127, 0, 0, 1], 9).into())).expect("a socket");
        other.stop().expect("it stops");
        let denied = client.open(&loaded);
        assert_eq!(own(&denied), STATUS_ACCESS_DENIED, "it is owned until its file is closed");
        drop(denied);
        for end in ends {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn a_peer_is_replaced_on_its_own_port() {
    alone("a_peer_is_replaced_on_its_own_port", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        let [first, second] = [1, 2].map(|number| End::speaking(&loaded, number, "openvpn"));
        let (one, other) = (Channel(&first), Channel(&second));
        one.new_peer(&peer_at("127.0.0.1:9".parse().unwrap())).expect("a peer");
        let port = one.local().port();
        other.new_peer(&peer_at(([127, 0, 0, 1], port).into())).expect("a peer");
        let other_at = ([127, 0, 0, 1], other.local().port()).into();
        for local in ["0.0.0.0", "127.0.0.1", "0.0.0.0", "0.0.0.0"] {
            let local = (local.parse::<std::net::IpAddr>().unwrap(), port).into();
            one.new_peer(&NewPeer { local: Some(local), ..peer_at(other_at) }).expect("a peer");
            assert_eq!(one.local(), local);
            KEYS.install(&one, PeerSelector::Only, Slot::Primary, Some(7)).expect("a key");
            KEYS.install(&other, PeerSelector::Only, Slot::Primary, None).expect("a key");
            for end in [&first, &second] {
                Channel(end).start().expect("it starts");
                assert!(end.edge.wait_for_link(true, machine::TIMEOUT));
            }
            first.carry(&second);
            second.carry(&first);
        }
        first.remove(false);
        second.remove(false);
        loaded.unload();
    });
}

#[test]
fn adapters_vanish_while_requests_wait() {
    alone("adapters_vanish_while_requests_wait", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        drop(tunnel(&loaded));
        let before = pool::usage().0;
        for round in 0..20 {
            let ends = tunnel(&loaded);
            let waiting: Vec<_> = ends.iter().map(|end| Channel(end).start_read()).collect();
            let [client, server] = ends;
            client.carry(&server);
            let files = [client.file.clone(), server.file.clone()];
            client.remove(round % 2 == 0);
            server.remove(round % 3 == 0);
            for request in waiting {
                let ended = request.wait(Some(machine::TIMEOUT)).expect("it ends");
                assert_eq!(ended.status.cast_unsigned(), STATUS_CANCELLED);
            }
            drop(files);
        }
        machine::wait_for_blocks(before + 16);
        loaded.unload();
    });
}

#[test]
fn adapters_pause_and_vanish_under_traffic() {
    alone("adapters_pause_and_vanish_under_traffic", TIME, || {
        let loaded = Loaded::load(boot()).expect("the driver loads");
        for round in 0..10 {
            let [client, server] = tunnel(&loaded);
            let packet = client.packet(&server, 700, 0x11);
            let is_over = AtomicBool::new(false);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        client.offer(&packet, 32);
                        assert!(server.edge.take().iter().all(|found| *found == packet));
                    }
                });
                for end in [&server, &client, &server] {
                    let goal = server.statistics().traffic.rx_packets + 20;
                    machine::wait_until(
                        || server.statistics().traffic.rx_packets >= goal,
                        || format!("{:?}", server.all_discards()),
                    );
                    end.adapter.pause().expect("it pauses");
                    assert_eq!(end.adapter.outstanding(), (0, 0), "all packets are back");
                    end.adapter.restart().expect("it restarts");
                }
                // Everything goes while packets come.
                Channel(&server).stop().expect("it stops");
                is_over.store(true, Ordering::Relaxed);
            });
            client.remove(round % 2 == 0);
            server.remove(round % 2 == 1);
        }
        loaded.unload();
    });
}
