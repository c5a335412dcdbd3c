//! Our OpenVPN client, with tunicd as its data path, against stock openvpn as server.

mod kept;
mod trust;

use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tunic::data_channel::{NewPeer, PeerTransport};
use tunic_tests::cases::at_once;
use tunic_tests::link::Link;
use tunic_tests::namespace::unique;
use tunic_tests::openvpn::{CLIENT_V4, Client, NEEDS, Pki, SERVER_V4, StockServer, Tunnel};
use tunic_tests::relay::{Direction, lossy, pass};
use tunic_tests::require::{Need, seconds};
use tunic_tests::tunicd::Tunicd;
use tunic_tests::{iperf, ping, require, wait};

/// The rows of reference openvpn-dco.md 4.6 that 2.6 has: what we say, what the server has, and
/// what comes of it.
const COMBINATIONS: [(&str, &str, [&str; 3]); 11] = [
    ("14", "", ["TLSv1_3", "AES-256-GCM", "Exporter"]),
    ("10", "", ["TLSv1_3", "AES-256-GCM", "Exporter"]),
    ("142", "", ["TLSv1_3", "AES-256-GCM", "Exporter"]),
    ("526", "", ["TLSv1_3", "AES-256-GCM", "Exporter"]),
    ("138", "data-ciphers CHACHA20-POLY1305", ["TLSv1_3", "CHACHA20-POLY1305", "Exporter"]),
    ("142", "data-ciphers CHACHA20-POLY1305", ["TLSv1_3", "CHACHA20-POLY1305", "Exporter"]),
    ("10", "tls-version-max 1.2", ["TLSv1_2", "AES-256-GCM", "Exporter"]),
    ("6", "", ["TLSv1_3", "AES-256-GCM", "Prf"]),
    (
        "2",
        "tls-version-max 1.2\ndata-ciphers CHACHA20-POLY1305",
        ["TLSv1_2", "CHACHA20-POLY1305", "Prf"],
    ),
    ("142", "data-ciphers AES-128-GCM", ["TLSv1_3", "AES-128-GCM", "Exporter"]),
    ("1950", "data-ciphers AES-192-GCM", ["TLSv1_3", "AES-192-GCM", "Exporter"]),
];

#[test]
fn packets_flow_in_every_combination_of_protocol_tls_and_cipher() -> Result<()> {
    if !require::all("combinations", &NEEDS) {
        return Ok(());
    }
    at_once(&COMBINATIONS, |(protocol, server, expected)| {
        let client = "data-ciphers AES-256-GCM:AES-128-GCM:AES-192-GCM:CHACHA20-POLY1305";
        let mut tunnel = Tunnel::begin(server, client, &["--iv-proto", protocol])?;
        let said = tunnel.client.await_connected(1)?;
        for word in expected {
            ensure!(said.contains(word), "no {word} in {said}");
        }
        tunnel.ping()?;
        tunnel.client.stop()?;
        Ok(())
    })
}

/// Without peer-ids the server sends DATA_V1, which the driver does not carry: it hands that up,
/// and the client says what is missing.
#[test]
fn a_server_without_peer_ids_is_refused_in_words() -> Result<()> {
    if !require::all("no peer-id", &NEEDS) {
        return Ok(());
    }
    const DATA_V1: u8 = 6;
    let (sender, sent) = mpsc::channel();
    let (mut tunnel, relay) = Tunnel::through_relay_saying("keepalive 1 20", &["--iv-proto", "0"])?;
    relay.set(move |datagram, direction| {
        if direction == Direction::Back && datagram[0] >> 3 == DATA_V1 {
            // Nobody may be left who waits for it.
            let _ = sender.send(datagram.to_vec());
        }
        pass(datagram, direction)
    });
    let said = tunnel.client.await_failure()?;
    ensure!(said.contains("no peer-id"), "{said}");
    // The server has not heard of that yet, and sends its pings.
    let datagram = sent.recv_timeout(Duration::from_secs(20)).context("no DATA_V1")?;
    let tunicd = Tunicd::start_openvpn(&tunnel.link.left, &unique("tv"))?;
    let channel = tunic::DataChannel::open(tunicd.interface())?;
    let socket = tunnel.link.left.enter(|| Ok(std::net::UdpSocket::bind("127.0.0.1:0")?))?;
    channel.new_peer(&NewPeer {
        receive_id: None,
        transmit_id: None,
        transport: PeerTransport::Udp,
        local: Some("127.0.0.1:6100".parse()?),
        remote: socket.local_addr()?,
        vpn4: None,
        vpn6: None,
    })?;
    socket.send_to(&datagram, "127.0.0.1:6100")?;
    let up = channel.receive_control(Some(Duration::from_secs(10)))?.context("not handed up")?;
    ensure!(up.data == datagram, "{:?} became {:?}", datagram, up.data);
    channel.stop()?;
    tunicd.stop()
}

#[test]
fn the_machine_is_as_before_when_the_client_ends() -> Result<()> {
    if !require::all("clean-up", &NEEDS) {
        return Ok(());
    }
    let server = "push \"redirect-gateway def1\"\npush \"route 10.70.0.0 255.255.0.0\"\n\
                  push \"dhcp-option DNS 10.98.0.1\"";
    let (link, pki) = (Link::new()?, Pki::new()?);
    let server = StockServer::start(&link.right, &pki, server)?;
    link.right.ip("addr add 10.70.0.1/32 dev lo")?;
    link.right.ip("addr add 192.0.2.9/32 dev lo")?;
    link.left.ip("route add default via 10.9.0.3")?;
    let routes = || link.left.ip("route show");
    let before = routes()?;
    let mut client = Client::start(&link.left, &pki, "")?;
    let said = client.await_connected(1)?;
    ensure!(said.contains("DNS: servers 10.98.0.1"), "{said}");
    let interface = client.interface().to_owned();
    ensure!(ping::reaches(&link.left, SERVER_V4, Duration::from_secs(10))?, "{}", server.log());
    for far in ["10.70.0.1", "192.0.2.9"] {
        let way = link.left.ip(&format!("route get {far}"))?;
        ensure!(way.contains(&interface), "{way}");
        let lost = ping::lost(&link.left, far, 3, &[])?;
        ensure!(lost.is_empty(), "no reply from {far} to {lost:?}: {}", server.log());
    }
    let way = link.left.ip("route get 10.9.0.2")?;
    ensure!(way.contains("dev v0"), "{way}");
    let said = client.stop()?;
    // OpenVPN 2.6 begins the line with "Exit" or "CC-EEN exit", by its release.
    server.await_line("xit message received by peer").with_context(|| said.clone())?;
    let after = routes()?;
    ensure!(after == before, "before: {before}\nafter: {after}\n{said}");
    ensure!(link.left.ip(&format!("link show {interface}")).is_err(), "{interface} is left");
    Ok(())
}

#[test]
fn addresses_of_every_topology_and_family_work() -> Result<()> {
    if !require::all("topologies", &NEEDS) {
        return Ok(());
    }
    let tunnel = Tunnel::new("server-ipv6 fd98::/64", "")?;
    tunnel.ping()?;
    let lost = ping::lost(&tunnel.link.left, "fd98::1", 3, &["-6"])?;
    ensure!(lost.is_empty(), "no reply over IPv6 to {lost:?}: {}", tunnel.explain());
    tunnel.client.stop()?;
    for topology in ["net30", "p2p"] {
        let tunnel = Tunnel::new(&format!("topology {topology}"), "")?;
        tunnel.ping().context(topology)?;
        tunnel.client.stop()?;
    }
    Ok(())
}

/// The server is gone without a word; when it is back, so is the tunnel.
#[test]
fn a_server_that_restarts_is_found_again() -> Result<()> {
    if !require::all("server restart", &NEEDS) {
        return Ok(());
    }
    let mut tunnel = Tunnel::new("keepalive 1 3", "connect-retry 1 2")?;
    tunnel.ping()?;
    tunnel.server.restart(&tunnel.link.right)?;
    tunnel.client.await_count("the server is silent", 1)?;
    tunnel.client.await_connected(2)?;
    tunnel.ping()?;
    // Told by a signal, it does the same at once.
    tunnel.client.signal(Signal::SIGUSR1)?;
    tunnel.client.await_connected(3)?;
    tunnel.ping()?;
    tunnel.client.stop()?;
    Ok(())
}

/// Either side notices when the other is silent; and not while it only has nothing to say.
#[test]
fn keepalives_keep_a_quiet_tunnel_and_end_a_dead_one() -> Result<()> {
    if !require::all("keepalive", &NEEDS) {
        return Ok(());
    }
    let mut tunnel = Tunnel::new("keepalive 1 4", "")?;
    let quiet = Duration::from_secs(7);
    let start = std::time::Instant::now();
    while start.elapsed() < quiet {
        ensure!(tunnel.client.count("disconnected") == 0, "{}", tunnel.explain());
        std::thread::park_timeout(Duration::from_millis(100));
    }
    tunnel.link.right.ip("link set v0 down")?;
    tunnel.client.await_count("the server is silent", 1)?;
    tunnel.server.await_line("Inactivity timeout")?;
    // The link is down, so no address of the tunnel's is left behind.
    let addresses = tunnel.link.left.ip("addr show")?;
    ensure!(!addresses.contains(CLIENT_V4), "{addresses}");
    tunnel.client.stop()?;
    let _ = &tunnel.pki;
    Ok(())
}

fn has_iperf(test: &str) -> bool {
    require::all(test, &[&NEEDS[..], &[Need::Program("iperf3", "iperf3")]].concat())
}

#[test]
fn tcp_flows_both_ways() -> Result<()> {
    if !has_iperf("iperf3") {
        return Ok(());
    }
    let tunnel = Tunnel::new("", "")?;
    tunnel.ping()?;
    let _iperf = tunnel.start_iperf()?;
    let rates = iperf::tcp_both_ways(&tunnel.link.left, SERVER_V4, seconds(30, 3), &[])?;
    ensure!(rates.iter().all(|rate| *rate > 5.0), "{rates:?} Mbit/s\n{}", tunnel.explain());
    ensure!(tunnel.client.discards("forged")? == 0, "{}", tunnel.explain());
    tunnel.client.stop()?;
    Ok(())
}

/// Either side renews the keys while packets flow, and no flow stalls.
#[test]
fn keys_are_renewed_under_traffic() -> Result<()> {
    if !has_iperf("renewal under traffic") {
        return Ok(());
    }
    let (interval, duration) = (seconds(10, 5), seconds(25, 13));
    let renews = format!("reneg-sec {interval}");
    let count = duration * 20;
    let case = |server: &str, client: &str| -> Result<()> {
        // A burst in a stock server's small buffer would lose pings, too.
        let buffers = "sndbuf 1048576\nrcvbuf 1048576";
        let mut tunnel = Tunnel::new(&format!("{buffers}\n{server}"), client)?;
        tunnel.ping()?;
        let _iperf = tunnel.start_iperf()?;
        std::thread::scope(|scope| {
            let pings = scope.spawn(|| ping::lost(&tunnel.link.left, SERVER_V4, count, &[]));
            iperf::tcp_both_ways(&tunnel.link.left, SERVER_V4, duration, &iperf::GENTLE)?;
            let lost = pings.join().ok().context("the pings panicked")??;
            ensure!(lost.is_empty(), "no reply to {lost:?} of {count}\n{}", tunnel.explain());
            Ok(())
        })?;
        tunnel.client.await_count("keys renewed", 2)?;
        ensure!(tunnel.client.count("disconnected") == 0, "{}", tunnel.explain());
        tunnel.ping()?;
        tunnel.client.stop()?;
        Ok(())
    };
    at_once(&[(renews.as_str(), ""), ("reneg-sec 0", &renews)], |(server, client)| {
        case(server, client)
    })
}

/// Our address changes, and the server follows.
#[test]
fn the_server_follows_when_our_address_changes() -> Result<()> {
    if !require::all("float", &NEEDS) {
        return Ok(());
    }
    let tunnel = Tunnel::new("keepalive 1 20", "")?;
    tunnel.ping()?;
    tunnel.link.left.ip("addr del 10.9.0.1/24 dev v0")?;
    tunnel.link.left.ip("addr add 10.9.0.7/24 dev v0")?;
    wait::until("the server answers at the new address", Duration::from_secs(20), || {
        ping::reaches(&tunnel.link.left, SERVER_V4, Duration::from_secs(1)).unwrap_or(false)
    })
    .with_context(|| tunnel.explain())?;
    tunnel.server.await_line("floated from")?;
    ensure!(tunnel.client.count("disconnected") == 0, "{}", tunnel.explain());
    tunnel.ping()?;
    tunnel.client.stop()?;
    Ok(())
}

/// One datagram in a hundred is lost and one in twenty comes late, those of the handshakes too.
#[test]
fn handshakes_and_tcp_survive_loss_and_reordering() -> Result<()> {
    if !has_iperf("loss") {
        return Ok(());
    }
    let (mut tunnel, relay) = Tunnel::through_relay("reneg-sec 4")?;
    relay.set(lossy());
    tunnel.client.await_connected(1)?;
    let _iperf = tunnel.start_iperf()?;
    let rates = iperf::tcp_both_ways(&tunnel.link.left, SERVER_V4, seconds(30, 6), &[])?;
    ensure!(rates.iter().all(|rate| *rate > 0.5), "{rates:?} Mbit/s\n{}", tunnel.explain());
    tunnel.client.await_count("keys renewed", 1)?;
    ensure!(tunnel.client.count("disconnected") == 0, "{}", tunnel.explain());
    tunnel.client.stop()?;
    Ok(())
}

/// Every data packet comes twice, once more with a flipped bit, and cut: none of that gets through,
/// and it is counted.
#[test]
fn replayed_flipped_and_cut_packets_do_not_get_through() -> Result<()> {
    if !require::all("hostile", &NEEDS) {
        return Ok(());
    }
    let (mut tunnel, relay) = Tunnel::through_relay("")?;
    tunnel.client.await_connected(1)?;
    tunnel.ping()?;
    relay.set(|datagram, direction| {
        let mut datagrams = vec![datagram.to_vec()];
        if direction == Direction::Back && datagram[0] >> 3 == 9 {
            let mut flipped = datagram.to_vec();
            *flipped.last_mut().expect("a data packet") ^= 1;
            // With the number of a packet that has not come.
            flipped[4] ^= 1;
            datagrams.insert(0, flipped);
            datagrams.push(datagram.to_vec());
            datagrams.push(datagram[..datagram.len() / 2].to_vec());
        }
        datagrams
    });
    let output = tunnel
        .link
        .left
        .shell(&format!("ping -n -i 0.05 -c 20 {SERVER_V4}"), Duration::from_secs(20))?;
    ensure!(output.contains("20 received, 0% packet loss"), "{output}");
    ensure!(!output.contains("DUP") && !output.contains("duplicates"), "{output}");
    for (reason, least) in [("forged", 20), ("replayed", 20)] {
        let count = tunnel.client.discards(reason)?;
        ensure!(count >= least, "{count} {reason}");
    }
    tunnel.client.stop()?;
    Ok(())
}
