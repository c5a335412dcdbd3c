//! The signals of stock OpenVPN's manual, to a server and a client of ours that run. Needs root.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use tunic_tests::link::Link;
use tunic_tests::openvpn::{Client, NEEDS, Network, Pki, StockServer};
use tunic_tests::require::Need;
use tunic_tests::{require, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// The last line of a stock client that has connected.
const UP: &str = "Initialization Sequence Completed";

#[test]
fn a_server_obeys_them() -> Result<()> {
    let needs = [&NEEDS[..], &[Need::Program("sysctl", "procps")]].concat();
    if !require::all("signals to the server", &needs) {
        return Ok(());
    }
    let network = Network::new()?;
    let mut server = network.serve("keepalive 1 20")?;
    let mut alice = network.connect("alice", 11, "")?;
    alice.is_up()?;
    let is_up_again = |times: usize| {
        wait::until("alice is back", PATIENCE, || alice.log().matches(UP).count() >= times)
            .with_context(|| alice.log())
    };
    let was_told = |times: usize| {
        let count = alice.log().matches("server-pushed-connection-reset").count();
        ensure!(count == times, "told {count} times: {}", alice.log());
        Ok(())
    };
    server.signal(Signal::SIGUSR2)?;
    server.says("\nalice\t10.9.0.11:")?;
    server.signal(Signal::SIGUSR1)?;
    is_up_again(2)?;
    was_told(1)?;
    // The configuration is read again, and clients have its options.
    let configuration = network.pki.file("server.conf");
    let text = std::fs::read_to_string(&configuration)?;
    network.write("server.conf", &format!("{text}push \"route 10.77.0.0 255.255.0.0\"\n"))?;
    server.signal(Signal::SIGHUP)?;
    is_up_again(3)?;
    was_told(2)?;
    let routes = alice.namespace.ip("route show")?;
    ensure!(routes.contains("10.77.0.0/16"), "{routes}\n{}", server.log());
    ensure!(server.command("status")?.starts_with("NAME"), "{}", server.log());
    // As in stock OpenVPN, a configuration with an error ends it.
    network.write("server.conf", &format!("{text}no-such-option\n"))?;
    server.signal(Signal::SIGHUP)?;
    let said = server.fails()?;
    ensure!(said.contains("unknown option: no-such-option"), "{said}");
    // SIGTERM is in most other tests.
    let server = network.serve("keepalive 1 20")?;
    is_up_again(4)?;
    was_told(3)?;
    server.end(Signal::SIGINT)?;
    wait::until("alice is told", PATIENCE, || was_told(4).is_ok())
}

#[test]
fn a_client_obeys_them() -> Result<()> {
    if !require::all("signals to the client", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (Link::new()?, Pki::new()?);
    // While nobody answers it, and between two attempts.
    for (options, said) in [
        ("connect-retry 1 1", "\nreceived 0 packets"),
        ("connect-retry 60 60\nserver-poll-timeout 1", "\nnot connected"),
    ] {
        let mut client = Client::start(&link.left, &pki, options)?;
        for times in 1..=3 {
            client.await_count("connecting to", times)?;
            if options.contains("60") {
                client.await_count("reconnecting in 60 s", times)?;
            }
            client.signal(Signal::SIGUSR2)?;
            client.await_count(said, times)?;
            client.signal(if times == 1 { Signal::SIGUSR1 } else { Signal::SIGHUP })?;
        }
        client.await_count("connecting to", 4)?;
        client.end(Signal::SIGTERM)?;
    }
    let server = StockServer::start(&link.right, &pki, "keepalive 1 20")?;
    let start = || Client::start(&link.left, &pki, "connect-retry 1 1");
    let mut client = start()?;
    client.await_connected(1)?;
    client.signal(Signal::SIGUSR2)?;
    client.await_count("received ", 1)?;
    client.signal(Signal::SIGUSR1)?;
    client.await_connected(2)?;
    client.append("route 10.78.0.0 255.255.0.0")?;
    client.signal(Signal::SIGHUP)?;
    client.await_connected(3)?;
    let routes = link.left.ip("route show")?;
    ensure!(routes.contains("10.78.0.0/16"), "{routes}\n{}", client.log());
    client.append("no-such-option")?;
    client.signal(Signal::SIGHUP)?;
    let said = client.await_failure()?;
    ensure!(said.contains("unknown option: no-such-option"), "{said}");
    let left = link.left.ip("addr show")?;
    ensure!(!left.contains(client.interface()), "{left}");
    // Of SIGHUP and at the end, and of each signal that ends it.
    for (count, signal) in [(3, Signal::SIGTERM), (4, Signal::SIGINT)] {
        let mut client = start()?;
        client.await_connected(1)?;
        client.end(signal)?;
        wait::until("the server is told", PATIENCE, || {
            server.log().matches("xit message received by peer").count() == count
        })
        .with_context(|| server.log())?;
    }
    Ok(())
}
