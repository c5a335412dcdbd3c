//! OpenVPN 2.7, which knows epochs: our client and a stock server, stock clients and our server.
//! Needs root, and `.ci/peers`.

use anyhow::{Result, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::openvpn::{NEEDS, Network, SERVER_V4, Stock, Tunnel};
use tunic_tests::ping;
use tunic_tests::require::{self, Need};

fn has_all(test: &str) -> bool {
    let more = [Stock::Newer.need(), Need::Program("iperf3", "iperf3")];
    require::all(test, &[&NEEDS[..], &more].concat())
}

/// The rows of reference openvpn-dco.md 4.6 that 2.7 has: what we say, the cipher, and the format
/// that comes of it.
const COMBINATIONS: [(&str, &str, &str); 5] = [
    ("14", "AES-256-GCM", "Classic format"),
    ("1038", "AES-256-GCM", "Epoch format"),
    ("1166", "AES-256-GCM", "Epoch format"),
    ("1162", "CHACHA20-POLY1305", "Epoch format"),
    ("1166", "CHACHA20-POLY1305", "Epoch format"),
];

#[test]
fn our_client_and_its_server_renew_keys_in_every_combination() -> Result<()> {
    if !has_all("2.7 as server") {
        return Ok(());
    }
    at_once(&COMBINATIONS, |(protocol, cipher, format)| {
        let server = format!("data-ciphers {cipher}\nreneg-sec 5");
        let client = "data-ciphers AES-256-GCM:CHACHA20-POLY1305";
        let arguments = ["--iv-proto", protocol];
        let mut tunnel = Tunnel::begin_as(Stock::Newer, &server, client, &arguments)?;
        let said = tunnel.client.await_connected(1)?;
        for word in ["TLSv1_3", "keys by Exporter", cipher, format] {
            ensure!(said.contains(word), "no {word} in {said}");
        }
        tunnel.ping()?;
        let lost = ping::lost(&tunnel.link.left, SERVER_V4, 160, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?} of 160\n{}", tunnel.explain());
        tunnel.client.await_count("keys renewed", 1)?;
        tunnel.ping()?;
        tunnel.client.stop()?;
        Ok(())
    })
}

#[test]
fn its_clients_and_our_server_renew_keys() -> Result<()> {
    if !has_all("2.7 as client") {
        return Ok(());
    }
    let network = Network::new()?;
    let options = "tls-crypt ta.key\nkeepalive 1 10\nreneg-sec 6\n\
                   data-ciphers AES-256-GCM:CHACHA20-POLY1305";
    let server = network.serve(options)?;
    let connect = |name, host, cipher| {
        let options = format!("tls-crypt ta.key\ndata-ciphers {cipher}");
        network.connect_as(Stock::Newer, name, host, &options)
    };
    let mut alice = connect("alice", 11, "AES-256-GCM")?;
    alice.is_up()?;
    let mut bob = connect("bob", 12, "CHACHA20-POLY1305")?;
    bob.is_up()?;
    ensure!(server.has_epochs()? == [true, true], "no epochs: {}", alice.log());
    let _iperf = network.serve_iperf()?;
    server.carries_pings_beside_a_stream(&bob, &alice, 14)?;
    for name in ["alice", "bob"] {
        let is_renewed = |line: &str| line.starts_with(name) && line.ends_with("has key 2");
        ensure!(server.log().lines().any(is_renewed), "{}", server.log());
    }
    for client in [&mut alice, &mut bob] {
        client.leave()?;
    }
    server.stop()
}
