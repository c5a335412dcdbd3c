//! The outer route: the driver's datagrams go by the forwarding table without the tunnel's own
//! routes, and follow its changes. Needs root.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::{Namespace, unique};
use tunic_tests::peer::{Implementation, Peer};
use tunic_tests::require::{self, Need};
use tunic_tests::tunicd::Tunicd;
use tunic_tests::tunnel::{self, PORT};
use tunic_tests::wg::KeyPair;
use tunic_tests::{command, ping, uapi, wait};

const BOTH: [Outer; 2] = [Outer::V4, Outer::V6];
/// Addresses that only a default route leads to.
const FAR: [&str; 2] = ["192.0.2.1", "2001:db8::1"];
/// The peer, by way of both paths.
const SERVER: [&str; 2] = ["198.51.100.1", "2001:db8:5::1"];

fn run(name: &str, test: impl FnOnce() -> Result<()>) {
    let mut needs = Implementation::WireguardGo.needs();
    needs.push(Need::Program("sysctl", "procps"));
    needs.push(Need::Program("nft", "nftables"));
    if require::all(name, &needs)
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

fn index(outer: Outer) -> usize {
    usize::from(outer == Outer::V6)
}

/// A tunnel of `tunicd` and wireguard-go over a link with two cables: `v0` between 10.9.0.1 and
/// 10.9.0.2, `v1` between 10.8.0.1 and 10.8.0.2, and the same with fd09:: and fd08::.
struct TwoPaths {
    link: Link,
    peer: Peer,
    tunicd: Tunicd,
    keys: [KeyPair; 2],
}

impl TwoPaths {
    /// `keepalive` is ours, in seconds. Ours is the end that knows the other's address.
    fn new(outer: Outer, keepalive: Option<u16>) -> Result<Self> {
        let link = Link::new()?;
        let (a, b) = (unique("va"), unique("vb"));
        command::shell(&format!("ip link add {a} type veth peer name {b}"))?;
        for (namespace, device, host) in [(&link.left, &a, 1), (&link.right, &b, 2)] {
            command::shell(&format!("ip link set {device} netns {} name v1", namespace.name()))?;
            namespace.ip(&format!("addr add 10.8.0.{host}/24 dev v1"))?;
            namespace.ip(&format!("addr add fd08::{host}/64 dev v1 nodad"))?;
            namespace.ip("link set v1 up")?;
            let settings = "sysctl -qw net.ipv4.conf.all.rp_filter=0 \
                 net.ipv4.conf.v0.rp_filter=0 net.ipv4.conf.v1.rp_filter=0 \
                 net.ipv6.conf.v0.keep_addr_on_down=1 net.ipv6.conf.v1.keep_addr_on_down=1";
            namespace.shell(settings, Duration::from_secs(10))?;
        }
        for server in SERVER {
            let bits = if server.contains(':') { "128 nodad" } else { "32" };
            link.right.ip(&format!("addr add {server}/{bits} dev lo"))?;
        }
        let peer = Peer::start(Implementation::WireguardGo, &link)?;
        let tunicd = Tunicd::start(&link.left, &[])?;
        let keys = [KeyPair::generate()?, KeyPair::generate()?];
        let paths = Self { link, peer, tunicd, keys };
        let [ours, theirs] = &paths.keys;
        let endpoint = match outer {
            Outer::V4 => format!("{}:{PORT}", SERVER[0]),
            Outer::V6 => format!("[{}]:{PORT}", SERVER[1]),
        };
        let mut text = tunnel::configuration(ours, theirs, &["10.77.0.2"], Some(&endpoint), None);
        if let Some(seconds) = keepalive {
            text.push_str(&format!("PersistentKeepalive = {seconds}\n"));
        }
        paths.tunicd.configure(&text)?;
        let interface = paths.tunicd.interface();
        paths.link.left.ip(&format!("addr add 10.77.0.1/24 dev {interface}"))?;
        paths.link.left.ip(&format!("link set {interface} up"))?;
        paths.peer.configure(&tunnel::configuration(theirs, ours, &["10.77.0.1"], None, None))?;
        paths.peer.up(&["10.77.0.2/24"], 1420)?;
        // Neighbours are asked for from link-local addresses, which are checked first.
        for namespace in [&paths.link.left, &paths.link.right] {
            wait::until("link-local addresses are usable", Duration::from_secs(20), || {
                namespace.ip("-6 addr show tentative").is_ok_and(|text| text.trim().is_empty())
            })?;
        }
        Ok(paths)
    }

    /// Leads both ends' datagrams by a path.
    fn route(&self, namespace: &Namespace, device: &str) -> Result<()> {
        let net = if device == "v0" { ["10.9.0", "fd09:"] } else { ["10.8.0", "fd08:"] };
        let (host, targets) = if namespace.name() == self.link.left.name() {
            (2, [format!("{}/32", SERVER[0]), format!("{}/128", SERVER[1])])
        } else {
            (1, ["10.0.0.0/8".to_owned(), "fd00::/8".to_owned()])
        };
        for (target, net) in targets.iter().zip(net) {
            let gateway =
                if net.contains(':') { format!("{net}:{host}") } else { format!("{net}.{host}") };
            namespace.ip(&format!("route replace {target} via {gateway} dev {device}"))?;
        }
        Ok(())
    }

    fn connect(&self) -> Result<()> {
        self.route(&self.link.left, "v0")?;
        ensure!(
            ping::reaches(&self.link.left, "10.77.0.2", Duration::from_secs(20))?,
            "no reply: {}",
            self.explain()
        );
        Ok(())
    }

    fn explain(&self) -> String {
        let (ours, theirs) = (self.tunicd.dump(), self.peer.dump());
        format!("us: {ours:?}\npeer: {theirs:?}\nlog: {}", self.tunicd.log())
    }

    /// How long traffic is interrupted by `event`: pings go on until one is answered.
    fn outage(&self, event: impl FnOnce() -> Result<()>) -> Result<Duration> {
        event()?;
        let start = Instant::now();
        let mut ping = self.link.left.command("ping");
        ping.args(["-n", "-i", "0.02", "-c", "1", "-w", "20", "10.77.0.2"]);
        let output = command::run(&mut ping, b"", Duration::from_secs(40))?;
        ensure!(output.status.success(), "lost: {}", self.explain());
        Ok(start.elapsed())
    }

    /// Waits until the peer has the address of ours from which it hears us.
    fn peer_hears_from(&self, address: &str, timeout: Duration) -> Result<Duration> {
        let start = Instant::now();
        while !self.peer.dump()?.peer()?.endpoint.contains(address) {
            ensure!(start.elapsed() < timeout, "not from {address}: {}", self.explain());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Ok(start.elapsed())
    }
}

/// Most of it is `ping`'s start on a machine that does more than this test.
const UNDER_A_SECOND: Duration = Duration::from_secs(1);

fn ours(outer: Outer, path: usize, host: u8) -> String {
    let net = [["10.9.0.", "fd09::"], ["10.8.0.", "fd08::"]];
    format!("{}{host}", net[path][index(outer)])
}

#[test]
fn a_default_route_into_the_tunnel_leaves_its_datagrams_outside() {
    run("a_default_route_into_the_tunnel_leaves_its_datagrams_outside", || {
        at_once(&BOTH, |&outer| {
            let link = Link::new()?;
            // As at home: the server is behind the router. The wire has no other way to anywhere.
            link.left.ip("route add default via 10.9.0.2 metric 100")?;
            link.left.ip("-6 route add default via fd09::2 metric 1024")?;
            for server in SERVER {
                let bits = if server.contains(':') { "128 nodad" } else { "32" };
                link.right.ip(&format!("addr add {server}/{bits} dev lo"))?;
            }
            let peer = Peer::start(Implementation::WireguardGo, &link)?;
            let (ours, theirs) = (KeyPair::generate()?, KeyPair::generate()?);
            let inner = ["10.77.0.1", "fd77::1"];
            peer.configure(&tunnel::configuration(&theirs, &ours, &inner, None, None))?;
            let far = [format!("{}/32", FAR[0]), format!("{}/128", FAR[1])];
            peer.up(&[&far[0], &far[1], "10.77.0.2/24", "fd77::2/64"], 1420)?;

            let tunicd = Tunicd::start(&link.left, &[])?;
            let server = SERVER[index(outer)];
            let endpoint = if outer == Outer::V4 {
                format!("{server}:{PORT}")
            } else {
                format!("[{server}]:{PORT}")
            };
            let interface = tunicd.interface();
            link.left.ip(&format!("addr add 10.77.0.1/24 dev {interface}"))?;
            link.left.ip(&format!("addr add fd77::1/64 dev {interface} nodad"))?;
            link.left.ip(&format!("link set {interface} mtu 1420 up"))?;
            link.left.ip(&format!("route add default dev {interface} metric 0"))?;
            link.left.ip(&format!("-6 route add default dev {interface} metric 1"))?;
            let all = ["0.0.0.0/0", "::/0"];
            tunicd.configure(&tunnel::configuration(
                &ours,
                &theirs,
                &all,
                Some(&endpoint),
                None,
            ))?;
            for far in FAR {
                ensure!(
                    ping::reaches(&link.left, far, Duration::from_secs(20))?,
                    "{far}: {:?} {:?} {}",
                    tunicd.dump(),
                    peer.dump(),
                    tunicd.log()
                );
                let lost = ping::lost(&link.left, far, 20, &[])?;
                ensure!(lost.is_empty(), "no reply from {far} to {lost:?}");
            }
            // Only the tunnel leads anywhere: nothing is sent, and nothing loops.
            link.left.ip("route del default via 10.9.0.2")?;
            link.left.ip("-6 route del default via fd09::2")?;
            wait::until("what has no way is counted", Duration::from_secs(20), || {
                let _ = ping::replies(&link.left, FAR[0], 1, &["-w", "1"]);
                tunicd.discards("no-outer-route").is_ok_and(|count| count > 0)
            })?;
            link.left.ip("route add default via 10.9.0.2 metric 100")?;
            link.left.ip("-6 route add default via fd09::2 metric 1024")?;
            ensure!(ping::reaches(&link.left, FAR[0], Duration::from_secs(20))?, "not again");
            tunicd.stop()
        })
    });
}

#[test]
fn an_idle_client_with_another_address_is_heard_of_by_its_keepalive() {
    run("an_idle_client_with_another_address_is_heard_of_by_its_keepalive", || {
        at_once(&BOTH, |&outer| {
            let paths = TwoPaths::new(outer, Some(1))?;
            paths.connect()?;
            paths.peer_hears_from(&ours(outer, 0, 1), Duration::from_secs(5))?;
            let left = &paths.link.left;
            let (bits, new) = if outer == Outer::V4 { ("24", "24") } else { ("64", "64 nodad") };
            left.ip(&format!("addr del {}/{bits} dev v0", ours(outer, 0, 1)))?;
            left.ip(&format!("addr add {}/{new} dev v0", ours(outer, 0, 77)))?;
            let (server, gateway) = (SERVER[index(outer)], ours(outer, 0, 2));
            left.ip(&format!("route replace {server} via {gateway} dev v0"))?;
            let took = paths.peer_hears_from(&ours(outer, 0, 77), Duration::from_secs(20))?;
            ensure!(took <= Duration::from_millis(2500), "it took {took:?}");
            paths.tunicd.stop()
        })
    });
}

#[test]
fn traffic_takes_the_other_way_when_an_interface_goes_down() {
    run("traffic_takes_the_other_way_when_an_interface_goes_down", || {
        at_once(&BOTH, |&outer| {
            let paths = TwoPaths::new(outer, None)?;
            let server = SERVER[index(outer)];
            let far = ours(outer, 1, 2);
            paths.link.left.ip(&format!("route add {server} via {far} dev v1 metric 4096"))?;
            paths.connect()?;
            let took = paths.outage(|| {
                paths.link.left.ip("link set v0 down")?;
                Ok(())
            })?;
            ensure!(took < UNDER_A_SECOND, "it took {took:?}");
            paths.tunicd.stop()
        })
    });
}

#[test]
fn a_moved_route_counts_although_the_old_path_still_brings_datagrams() {
    run("a_moved_route_counts_although_the_old_path_still_brings_datagrams", || {
        at_once(&BOTH, |&outer| {
            let paths = TwoPaths::new(outer, None)?;
            paths.connect()?;
            // The peer goes on to send by the old path, on which it hears nothing of ours.
            let gateway = ours(outer, 0, 1);
            let network = if outer == Outer::V4 { "10.8.0.1/32" } else { "fd08::1/128" };
            paths.link.right.ip(&format!("route add {network} via {gateway} dev v0"))?;
            let took = paths.outage(|| paths.route(&paths.link.left, "v1"))?;
            ensure!(took < UNDER_A_SECOND, "it took {took:?}");
            paths.peer_hears_from(&ours(outer, 1, 1), Duration::from_secs(5))?;
            // And stays so under traffic.
            let lost = ping::lost(&paths.link.left, "10.77.0.2", 40, &[])?;
            ensure!(lost.is_empty(), "lost {lost:?}");
            paths
                .peer_hears_from(&ours(outer, 1, 1), Duration::ZERO.max(Duration::from_secs(1)))?;
            paths.tunicd.stop()
        })
    });
}

#[test]
fn a_server_with_two_uplinks_answers_by_its_route() {
    run("a_server_with_two_uplinks_answers_by_its_route", || {
        at_once(&BOTH, |&outer| {
            // Ours is the server, at an address of `v0`; its only way to the client is `v1`.
            let paths = TwoPaths::new(outer, None)?;
            let [our_keys, their_keys] = &paths.keys;
            paths.tunicd.configure(&tunnel::configuration(
                our_keys,
                their_keys,
                &["10.77.0.2"],
                None,
                None,
            ))?;
            let listens = ours(outer, 0, 1);
            let endpoint = if outer == Outer::V4 {
                format!("{listens}:{PORT}")
            } else {
                format!("[{listens}]:{PORT}")
            };
            paths.peer.configure(&tunnel::configuration(
                their_keys,
                our_keys,
                &["10.77.0.1"],
                Some(&endpoint),
                None,
            ))?;
            // The client's datagrams come by `v0` from an address that is behind `v1` for us.
            // Nothing goes back by `v0`.
            let rules = "nft add table inet t\n\
                 nft 'add chain inet t out { type filter hook output priority 0; }'\n\
                 nft add rule inet t out oifname v0 udp sport 51820 drop";
            paths.link.left.shell(rules, Duration::from_secs(10))?;
            paths.route(&paths.link.left, "v1")?;
            let source = SERVER[index(outer)];
            paths.link.right.ip(&format!("route add {listens} dev v0 src {source}"))?;
            let took = paths.outage_from_peer()?;
            // An initiation is repeated after 5 s.
            ensure!(took < 2 * UNDER_A_SECOND, "it took {took:?}");
            let pings = paths.peer.shell("ping -n -c 20 -i 0.05 -W 2 10.77.0.1")?;
            ensure!(pings.contains(" 0% packet loss"), "{pings} {}", paths.explain());
            paths.tunicd.stop()
        })
    });
}

impl TwoPaths {
    /// How long it takes the peer to reach us.
    fn outage_from_peer(&self) -> Result<Duration> {
        let start = Instant::now();
        self.peer.shell("ping -n -i 0.2 -c 1 -w 15 10.77.0.1").with_context(|| self.explain())?;
        Ok(start.elapsed())
    }
}

/// The name of an interface with a VLAN has a dot, as wg(8) writes it into a link-local endpoint.
#[test]
fn a_link_local_endpoint_is_on_the_interface_that_it_names() {
    run("a_link_local_endpoint_is_on_the_interface_that_it_names", || {
        let paths = TwoPaths::new(Outer::V6, None)?;
        let left = &paths.link.left;
        left.ip("link set v1 down")?;
        left.ip("link set v1 name eth0.100 up")?;
        // Both interfaces of the peer have this address; only one has a way back.
        for device in ["v0", "v1"] {
            paths.link.right.ip(&format!("addr add fe80::77/64 dev {device} nodad"))?;
        }
        paths.link.right.ip("link set v0 down")?;
        let interface = paths.tunicd.interface();
        let lines = uapi::request(interface, "get=1")?;
        let key = lines.iter().find(|line| line.starts_with("public_key="));
        let key = key.context("there is a peer")?;
        let set = format!("set=1\n{key}\nendpoint=[fe80::77%eth0.100]:{PORT}");
        let answer = uapi::request(interface, &set)?;
        ensure!(answer.contains(&"errno=0".to_owned()), "{answer:?}");
        let reached = ping::reaches(left, "10.77.0.2", Duration::from_secs(20))?;
        ensure!(reached, "no reply: {}", paths.explain());
        paths.tunicd.stop()
    });
}

/// A tunnel may be the route of another.
#[test]
fn a_tunnel_goes_through_another() {
    run("a_tunnel_goes_through_another", || {
        let paths = TwoPaths::new(Outer::V4, None)?;
        paths.connect()?;
        let second = Peer::start(Implementation::WireguardGo, &paths.link)?;
        let tunicd = Tunicd::start(&paths.link.left, &[])?;
        let (ours, theirs) = (KeyPair::generate()?, KeyPair::generate()?);
        let on_other_port = |text: String| text.replace("ListenPort = 51820", "ListenPort = 51821");
        let endpoint = Some("10.77.0.2:51821");
        let inner = tunnel::configuration(&ours, &theirs, &["10.66.0.2"], endpoint, None);
        tunicd.configure(&on_other_port(inner))?;
        let interface = tunicd.interface();
        paths.link.left.ip(&format!("addr add 10.66.0.1/24 dev {interface}"))?;
        paths.link.left.ip(&format!("link set {interface} mtu 1340 up"))?;
        let outer = tunnel::configuration(&theirs, &ours, &["10.66.0.1"], None, None);
        second.configure(&on_other_port(outer))?;
        second.up(&["10.66.0.2/24"], 1340)?;
        let reached = ping::reaches(&paths.link.left, "10.66.0.2", Duration::from_secs(20))?;
        ensure!(reached, "no reply: {:?} {}", tunicd.dump(), paths.explain());
        let heard = second.dump()?.peer()?.endpoint.clone();
        ensure!(heard == "10.77.0.1:51821", "it came from {heard}");
        tunicd.stop()?;
        paths.tunicd.stop()
    });
}
