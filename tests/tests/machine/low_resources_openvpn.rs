//! Memory runs out, once, at every place where it can, in an adapter that speaks OpenVPN: what
//! fails says so and has changed nothing, and afterwards all works and nothing is left.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use nt_host::edge::capture::Capture;
use nt_host::pool;
use tunic_ioctl::data_channel::{Mode, PeerSelector, Prefix, SetPeer, Slot, Suite};
use tunic_ioctl::status::STATUS_INSUFFICIENT_RESOURCES;
use tunic_tests::machine::{
    self, Channel, End, Loaded, Refused, Setup, TestKeys, add_as, alone, boot, every_allocation,
    multi_peer, peer_at,
};

const TIME: Duration = Duration::from_secs(120);
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const CLIENT: PeerSelector = PeerSelector::Id(7);
const KEYS: TestKeys =
    TestKeys { seed: 0x5a, suite: Suite::ChaCha20Poly1305, is_epoch: true, key_id: 0 };

/// What a command changes: all that is told, but for counters.
fn state(end: &Channel<'_>) -> String {
    let (info, mut peers) = end.query();
    peers.iter_mut().for_each(|peer| peer.traffic = Default::default());
    format!("{info:?} {peers:?}")
}

/// A command fails for want of memory, and has changed nothing; or it is done, and is then undone.
fn command<'e>(
    what: &str,
    end: &Channel<'e>,
    act: impl Fn(&Channel<'e>) -> Refused<()>,
    undo: impl Fn(&Channel<'e>),
) {
    let before = state(end);
    every_allocation(
        what,
        || act(end),
        |failing, outcome| {
            match outcome {
                Ok(()) => undo(end),
                Err(status) => {
                    assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "{what}: {failing}");
                }
            }
            assert_eq!(state(end), before, "{what}, allocation {failing}");
        },
    );
}

#[test]
fn an_adapter_is_whole_or_not_there() {
    alone("an_adapter_is_whole_or_not_there", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        drop(End::speaking(&loaded, 1, "openvpn"));
        let (blocks, _) = pool::usage();
        let setup = Setup { protocol: Some("openvpn"), ..Setup::new(1) };
        every_allocation(
            "add",
            || add_as(&loaded, &setup, &Capture::new()),
            |failing, outcome| {
                match outcome {
                    Ok(adapter) => adapter.remove(false),
                    Err(status) => {
                        let status = status.cast_unsigned();
                        assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "allocation {failing}");
                    }
                }
                machine::wait_for_blocks(blocks);
            },
        );
        loaded.unload();
    });
}

#[test]
fn commands_are_whole_or_not_done() {
    alone("commands_are_whole_or_not_done", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::speaking(&loaded, number, "openvpn"));
        let (client, server) = (Channel(&first), Channel(&second));
        let stop = |end: &Channel<'_>| end.stop().expect("it stops");
        command("the only peer", &client, |end| end.new_peer(&peer_at(NOWHERE)), stop);

        let listen = |end: &Channel<'_>| {
            end.set_mode(Mode::MultiPeer)?;
            end.listen("127.0.0.1:0".parse().unwrap(), false).map(|_| ()).inspect_err(|_| {
                end.set_mode(Mode::PointToPoint).expect("nothing was bound");
            })
        };
        command("a socket", &server, listen, stop);
        listen(&server).expect("it listens");
        let delete = |end: &Channel<'_>| {
            end.delete_peer(CLIENT).expect("it is there");
            assert!(end.event(machine::TIMEOUT).is_some(), "that is told");
        };
        let peer = multi_peer(7, NOWHERE, Ipv4Addr::new(10, 0, 0, 7), Ipv6Addr::LOCALHOST);
        command("a peer", &server, |end| end.new_peer(&peer), delete);
        server.new_peer(&peer).expect("there is memory again");

        let empty = |end: &Channel<'_>| {
            end.delete_key(CLIENT, Slot::Secondary).expect("it is there");
        };
        command("a key", &server, |end| KEYS.install(end, CLIENT, Slot::Secondary, None), empty);
        for number in 0..40 {
            let route = Prefix::new(Ipv4Addr::new(10, 8, number, 0).into(), 24).unwrap();
            let remove = |end: &Channel<'_>| end.remove_route(route).expect("it is there");
            if number < 8 {
                command("a route", &server, |end| end.add_route(CLIENT, route), remove);
            }
            server.add_route(CLIENT, route).expect("there is memory again");
        }
        let change = SetPeer {
            peer: CLIENT,
            keepalive_s: Some(10),
            timeout_s: Some(60),
            mss_bytes: Some(1200),
        };
        let nothing =
            SetPeer { keepalive_s: Some(0), timeout_s: Some(0), mss_bytes: Some(0), ..change };
        let undo = |end: &Channel<'_>| end.set_peer(&nothing).expect("it is changed back");
        command("a change", &server, |end| end.set_peer(&change), undo);

        // A datagram is sent or refused, and arrives or is lost.
        let server_at = server.local();
        client.new_peer(&peer_at(server_at)).expect("there is memory again");
        every_allocation(
            "a control datagram",
            || client.send_control(None, &[7 << 3; 300]),
            |failing, outcome| {
                if let Err(status) = outcome {
                    assert_eq!(status, STATUS_INSUFFICIENT_RESOURCES, "allocation {failing}");
                }
            },
        );
        client.send_control(None, &[7 << 3, 1]).expect("there is memory again");
        while server.read_control().1 != [7 << 3, 1] {}
        first.remove(false);
        second.remove(true);
        loaded.unload();
    });
}
