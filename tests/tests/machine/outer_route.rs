//! The outer route, by a forwarding table that the test sets: datagrams never go by the adapter's
//! own routes, and loops over two adapters are found.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nt_host::netio::{Network, NetworkAddress, NetworkInterface, NetworkRoute, set_network};
use nt_sys::netioapi::IpDadStatePreferred;
use tunic::{AllowedIp, AllowedIpChange};
use tunic_tests::machine::{End, Loaded, alone, boot, connect, wait_until};

const TIME: Duration = Duration::from_secs(90);
/// Linux's loopback interface, which datagrams really go by.
const LOOPBACK: u32 = 1;

/// A network with a loopback interface and adapters, whose indexes are 1001 and up.
fn network(adapters: &[&End]) -> Network {
    let interface =
        |index, luid| NetworkInterface { index, luid, metric: 0, mtu: 1500, is_connected: true };
    let tunnels = adapters.iter().zip(1001..);
    let tunnels = tunnels.map(|(end, index)| interface(index, end.adapter.luid()));
    Network {
        interfaces: std::iter::once(interface(LOOPBACK, 24 << 48)).chain(tunnels).collect(),
        routes: Vec::new(),
        addresses: vec![NetworkAddress {
            address: IpAddr::from(Ipv4Addr::LOCALHOST),
            prefix_length: 8,
            interface_index: LOOPBACK,
            dad_state: IpDadStatePreferred,
        }],
    }
}

fn route(first: [u8; 4], prefix_length: u8, interface_index: u32, metric: u32) -> NetworkRoute {
    NetworkRoute {
        destination: first.into(),
        prefix_length,
        gateway: None,
        interface_index,
        metric,
    }
}

#[test]
fn datagrams_never_go_by_the_tunnels_own_route() {
    alone("datagrams_never_go_by_the_tunnels_own_route", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        let ends = network(&[&first, &second]);
        let own = [route([0; 4], 0, 1001, 0)];
        let outside = route([127, 0, 0, 0], 8, LOOPBACK, 500);
        let routes = [&own[..], &[outside]].concat();
        set_network(Some(Network { routes, ..ends.clone() }));
        connect(&first, &second);
        first.carry(&second);
        second.carry(&first);

        // Its own route is the only one that is left: what it sends is counted, and goes nowhere.
        set_network(Some(Network { routes: own.into(), ..ends.clone() }));
        let packet = first.probe(&second);
        wait_until(
            || {
                first.offer(&packet, 1);
                first.discards("no-outer-route") > 0
            },
            || format!("{:?}", first.all_discards()),
        );
        assert_eq!(first.discards("send-failed"), 0);
        // A route comes, and packets go at once.
        set_network(Some(Network { routes: [&own[..], &[outside]].concat(), ..ends }));
        first.reach(&second);
        drop((first.edge.take(), second.edge.take()));
        for end in [first, second] {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn a_loop_over_two_tunnels_is_counted() {
    alone("a_loop_over_two_tunnels_is_counted", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [one, other, far, farther] = [1, 2, 3, 4].map(|number| End::new(&loaded, number));
        // Each of the two would carry the other's datagrams.
        for (end, peer) in [(&one, &far), (&other, &farther)] {
            peer.configure(end.as_peer(None));
            let mut peer = peer.as_peer(Some(peer.endpoint()));
            let all = AllowedIp::new(Ipv4Addr::new(127, 0, 0, 0).into(), 8);
            peer.allowed_ips.extend(all.map(AllowedIpChange::from));
            end.configure(peer);
        }
        let ends = network(&[&one, &other]);
        let [by_one, by_other] = [1001, 1002].map(|index| route([127, 0, 0, 0], 8, index, index));
        set_network(Some(Network { routes: vec![by_one, by_other], ..ends.clone() }));
        let ends_in_loop = [(&one, &far), (&other, &farther)];
        for (end, peer) in ends_in_loop {
            let packet = end.probe(peer);
            wait_until(
                || {
                    end.offer(&packet, 1);
                    end.discards("outer-route-loop") > 0
                },
                || format!("{:?}", end.all_discards()),
            );
        }
        // Without the loop, all is well.
        let outside = route([127, 0, 0, 0], 8, LOOPBACK, 1);
        set_network(Some(Network { routes: vec![outside, by_one, by_other], ..ends }));
        for (end, peer) in ends_in_loop {
            end.reach(peer);
        }
        for end in [one, other, far, farther] {
            end.remove(false);
        }
        loaded.unload();
    });
}

#[test]
fn what_could_not_be_sent_does_not_count_as_sent() {
    alone("what_could_not_be_sent_does_not_count_as_sent", TIME, || {
        let loaded = Loaded::load(boot()).expect("it loads");
        let [first, second] = [1, 2].map(|number| End::new(&loaded, number));
        let whole = Network {
            routes: vec![route([127, 0, 0, 0], 8, LOOPBACK, 1)],
            ..network(&[&first, &second])
        };
        set_network(Some(whole.clone()));
        second.configure(first.as_peer(None));
        let mut peer = second.as_peer(Some(second.endpoint()));
        peer.persistent_keepalive_s = Some(1);
        first.configure(peer);
        first.carry(&second);

        // The only interface is one that Linux doesn't have.
        let gone = |interface: NetworkInterface| NetworkInterface { index: 4242, ..interface };
        let mut broken = whole.clone();
        broken.interfaces.truncate(1);
        broken.interfaces = broken.interfaces.into_iter().map(gone).collect();
        broken.routes = vec![route([127, 0, 0, 0], 8, 4242, 1)];
        broken.addresses[0].interface_index = 4242;
        set_network(Some(broken));
        let packet = first.probe(&second);
        wait_until(
            || {
                first.offer(&packet, 1);
                first.discards("send-failed") > 0
            },
            || format!("{:?}", first.all_discards()),
        );
        // Now that nothing else is sent: a keepalive fails, once more from what is found then, and
        // both are counted.
        let (failed, sent) = (first.discards("send-failed"), first.peer().tx_bytes);
        let packets = first.statistics().traffic.tx_packets;
        wait_until(
            || first.discards("send-failed") >= failed + 4,
            || format!("{:?}", first.all_discards()),
        );
        assert_eq!(first.peer().tx_bytes, sent);
        assert_eq!(first.statistics().traffic.tx_packets, packets);

        // The next keepalive arrives by itself.
        let received = second.peer().rx_bytes;
        set_network(Some(whole));
        wait_until(|| second.peer().rx_bytes > received, || format!("{:?}", first.all_discards()));
        for end in [first, second] {
            end.remove(false);
        }
        loaded.unload();
    });
}
