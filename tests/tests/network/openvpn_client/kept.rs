//! `persist-tun`: the tunnel stays while our client connects anew.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tunic_tests::link::Link;
use tunic_tests::openvpn::{CLIENT_V4, Client, NEEDS, Pki, SERVER_V4, StockServer};
use tunic_tests::plaintext::Plaintext;
use tunic_tests::{ping, require, wait};

const PATIENCE: Duration = Duration::from_secs(20);

/// Addresses behind the tunnel, and without the tunnel behind the link.
const FAR: [&str; 2] = ["10.70.0.1", "fd70::1"];

/// A link that carries packets to [`FAR`] in plaintext.
fn link() -> Result<Link> {
    let link = Link::new()?;
    link.left.ip("route add default via 10.9.0.3")?;
    link.left.ip("-6 route add default via fd09::3")?;
    link.right.ip("addr add 10.70.0.1/32 dev lo")?;
    link.right.ip("addr add fd70::1/128 dev lo")?;
    Ok(link)
}

fn reaches(link: &Link) -> Result<()> {
    for far in FAR {
        ensure!(ping::reaches(&link.left, far, PATIENCE)?, "no reply from {far}");
    }
    Ok(())
}

#[test]
fn nothing_leaves_in_plaintext_while_the_client_connects_anew() -> Result<()> {
    if !require::all("persist-tun", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (link()?, Pki::new()?);
    let options = "keepalive 1 2\nexplicit-exit-notify 1\nserver-ipv6 fd98::/64\n\
                   push \"route 10.70.0.0 255.255.0.0\"\npush \"route-ipv6 fd70::/64\"";
    let mut server = StockServer::start(&link.right, &pki, options)?;
    let packets = Plaintext::start(&link, &FAR)?;
    wait::until("packets arrive in plaintext", PATIENCE, || packets.arrived() > 10)?;
    let mut client =
        Client::start(&link.left, &pki, "persist-tun\nconnect-retry 1 1\nserver-poll-timeout 1")?;
    client.await_connected(1)?;
    let explain = |client: &Client| client.log();
    reaches(&link).with_context(|| explain(&client))?;
    // Those before the tunnel.
    let _ = packets.none_arrived();

    // By a signal.
    client.signal(Signal::SIGUSR1)?;
    client.await_connected(2)?;
    packets.none_arrived().with_context(|| explain(&client))?;
    // The server is killed: `ping-restart`. It stays away for some attempts.
    server.kill();
    client.await_count("the server is silent", 1)?;
    let attempts = client.count("connecting to");
    client.await_count("connecting to", attempts + 2)?;
    let addresses = link.left.ip(&format!("addr show dev {}", client.interface()))?;
    ensure!(addresses.contains(CLIENT_V4) && addresses.contains("LOWER_UP"), "{addresses}");
    packets.none_arrived().with_context(|| explain(&client))?;
    server.restart(&link.right)?;
    client.await_connected(3)?;
    packets.none_arrived().with_context(|| explain(&client))?;
    // The server says that it restarts.
    server.signal(Signal::SIGTERM)?;
    client.await_count("the server restarts", 1)?;
    server.restart(&link.right)?;
    client.await_connected(4)?;
    reaches(&link).with_context(|| explain(&client))?;
    packets.none_arrived().with_context(|| explain(&client))?;
    client.stop()?;
    let left = link.left.ip("route show")? + &link.left.ip("-6 route show")?;
    ensure!(!left.contains("10.70.") && !left.contains("fd70:"), "{left}");
    Ok(())
}

/// The next server has another address, which a route of the tunnel covers, and pushes other
/// options.
#[test]
fn the_next_server_is_reached_past_the_tunnel_that_stays() -> Result<()> {
    if !require::all("persist-tun, next server", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (link()?, Pki::new()?);
    let common = "keepalive 1 10\npush \"redirect-gateway def1 ipv6\"\n\
                  push \"route 10.9.0.0 255.255.255.128\"";
    let first = format!(
        "{common}\nlocal 10.9.0.2\nexplicit-exit-notify 2\nserver-ipv6 fd98::/64\n\
         push \"route 10.70.0.0 255.255.0.0\""
    );
    // Another address of the same network, another IPv6 network, other routes.
    let second = format!(
        "{common}\nlocal 10.9.0.3\ndev tunsecond\nserver 10.98.0.0 255.255.255.0 nopool\n\
         ifconfig-pool 10.98.0.100 10.98.0.200\nifconfig-ipv6 fd97::1/64 fd97::2\n\
         ifconfig-ipv6-pool fd97::1000/64\n\
         push \"route 10.71.0.0 255.255.0.0\"\npush \"tun-mtu 1400\""
    );
    let first = StockServer::start(&link.right, &pki, &first)?;
    let second = StockServer::start(&link.right, &pki, &second)?;
    let remotes = "remote 10.9.0.2 1194\nremote 10.9.0.3 1194";
    let options = format!("{remotes}\npersist-tun\nconnect-retry 1 1");
    let mut client = Client::start(&link.left, &pki, &options)?;
    client.await_connected(1)?;
    let is_way = |host: &str| -> Result<bool> {
        Ok(link
            .left
            .ip("route show")?
            .lines()
            .any(|line| line.starts_with(&format!("{host} dev v0"))))
    };
    ensure!(is_way("10.9.0.2")? && !is_way("10.9.0.3")?, "{}", client.log());
    let packets = Plaintext::start(&link, &FAR)?;
    first.signal(Signal::SIGTERM)?;
    client.await_connected(2)?;
    ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}\n{}", client.log(), second.log());
    reaches(&link).with_context(|| client.log())?;
    packets.none_arrived().with_context(|| client.log())?;
    ensure!(is_way("10.9.0.3")? && !is_way("10.9.0.2")?, "{}", client.log());
    let addresses = link.left.ip(&format!("addr show dev {}", client.interface()))?;
    for (address, is_there) in
        [("10.98.0.100/24", true), ("10.98.0.2/", false), ("fd97::", true), ("fd98::", false)]
    {
        ensure!(addresses.contains(address) == is_there, "{address}: {addresses}");
    }
    let routes = link.left.ip("route show")?;
    ensure!(routes.contains("10.71.0.0/16") && !routes.contains("10.70.0.0/16"), "{routes}");
    ensure!(!routes.contains("blackhole"), "{routes}");
    client.stop()?;
    Ok(())
}

/// Servers are reached over IPv6, and the tunnel has the default routes of both families. The first
/// server pushes what the profile rejects, the second, when it is back, what can't be applied.
#[test]
fn a_bad_push_does_not_end_a_tunnel() -> Result<()> {
    if !require::all("persist-tun, bad pushes", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (link()?, Pki::new()?);
    let common = "proto udp6\nkeepalive 1 2\nserver-ipv6 fd98::/64\n\
                  push \"redirect-gateway def1 ipv6\"";
    let first = format!("{common}\nlocal fd09::2\npush \"route 10.66.0.0 255.255.0.0\"");
    let second = format!("{common}\nlocal fd09::3\ndev tunsecond\npush \"ping 1\"");
    let mut first = StockServer::start(&link.right, &pki, &first)?;
    let mut second = StockServer::start(&link.right, &pki, &second)?;
    let options = "remote fd09::2 1194\nremote fd09::3 1194\npersist-tun\nconnect-retry 1 1\n\
                   server-poll-timeout 1\npull-filter reject \"route 10.66.\"";
    let mut client = Client::start(&link.left, &pki, options)?;
    client.await_connected(1)?;
    client.await_count("the profile rejects \"route 10.66.0.0 255.255.0.0\"", 1)?;
    // Both have the same network.
    first.kill();
    reaches(&link).with_context(|| client.log())?;
    let packets = Plaintext::start(&link, &FAR)?;

    let (good, bad) = ("push \"ping 1\"", "push \"route 10.67.0.0 no-mask\"");
    second.replace(good, bad)?;
    second.restart(&link.right)?;
    client.await_count("can not apply the pushed options", 1)?;
    packets.none_arrived().with_context(|| client.log())?;
    second.replace(bad, good)?;
    second.restart(&link.right)?;
    client.await_connected(2)?;
    reaches(&link).with_context(|| client.log())?;
    packets.none_arrived().with_context(|| client.log())?;
    client.stop()?;
    let left = link.left.ip("route show")? + &link.left.ip("-6 route show")?;
    ensure!(!left.contains("/1 ") && !left.contains("\nfd09::3 "), "{left}");
    Ok(())
}
