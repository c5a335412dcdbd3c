//! OpenVPN over a network that loses and reorders by netem: our client and a stock server, a stock
//! client and our server. The kernel that the tests run on may have no netem, so Debian's does it,
//! in a virtual machine on the way.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::link::Link;
use tunic_tests::openvpn::{NEEDS, Network, OURS_V4, Pki, SERVER_V4, Stock, Tunnel};
use tunic_tests::require::{self, Need, seconds};
use tunic_tests::router::{Counts, Router};
use tunic_tests::{iperf, ping};

fn has_all(test: &str) -> bool {
    let more = [Need::Program("iperf3", "iperf3"), Need::Program("sysctl", "procps"), Need::Guest];
    require::all(test, &[&NEEDS[..], &more].concat())
}

/// Megabits per second that TCP has at least in each direction, at the same time.
const MIN_RATE: f64 = 0.1;

/// Packets went by netem, and some were lost on the way, and one in twenty was overtaken.
fn was_bad(counts: Counts) -> Result<()> {
    ensure!(counts.sent > 1000 && counts.dropped > 0, "{counts:?}");
    let percent = counts.overtaken * 100 / counts.sent;
    ensure!((1..50).contains(&percent), "{percent} % overtaken: {counts:?}");
    Ok(())
}

#[test]
fn our_client_renews_keys_under_traffic() -> Result<()> {
    if !has_all("our client over netem") {
        return Ok(());
    }
    let link = Link::new()?;
    link.bridge_left()?;
    let router = Router::connect(&link.left)?;
    router.stand_between([(&link.left, "br0", "10.9.0.1"), (&link.right, "v0", "10.9.0.2")])?;
    let pki = Pki::new()?;
    let mut tunnel = Tunnel::of(Stock::Installed, link, pki, "reneg-sec 4", "", &[])?;
    tunnel.client.await_connected(1)?;
    let is_there = ping::reaches(&tunnel.link.left, SERVER_V4, Duration::from_secs(30))?;
    ensure!(is_there, "no reply\n{}", tunnel.explain());
    let _iperf = tunnel.start_iperf()?;
    let rates = iperf::tcp_both_ways(&tunnel.link.left, SERVER_V4, seconds(20, 5), &[])
        .with_context(|| tunnel.explain())?;
    ensure!(rates.iter().all(|rate| *rate > MIN_RATE), "{rates:?} Mbit/s\n{}", tunnel.explain());
    tunnel.client.await_count("keys renewed", 1)?;
    ensure!(tunnel.client.count("disconnected") == 0, "{}", tunnel.explain());
    was_bad(router.counts()?)?;
    tunnel.client.stop()?;
    Ok(())
}

#[test]
fn our_server_renews_keys_under_traffic() -> Result<()> {
    if !has_all("our server over netem") {
        return Ok(());
    }
    let network = Network::new()?;
    let router = Router::connect(&network.namespace)?;
    let mut server = network.serve("tls-crypt ta.key\nkeepalive 1 20\nreneg-sec 4")?;
    let mut alice = network.connect("alice", 11, "tls-crypt ta.key")?;
    let ends = [(&alice.namespace, "v0", "10.9.0.11"), (&network.namespace, "br0", "10.9.0.1")];
    router.stand_between(ends)?;
    alice.is_up()?;
    let _iperf = network.serve_iperf()?;
    let rates = iperf::tcp_both_ways(&alice.namespace, OURS_V4, seconds(20, 5), &[])
        .with_context(|| format!("{}\n{}", alice.log(), server.log()))?;
    ensure!(rates.iter().all(|rate| *rate > MIN_RATE), "{rates:?} Mbit/s\n{}", alice.log());
    server.says("has key 1")?;
    let ups = alice.log().matches("Initialization Sequence Completed").count();
    ensure!(ups == 1, "{}", alice.log());
    was_bad(router.counts()?)?;
    server.stop()
}
