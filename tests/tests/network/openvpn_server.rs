//! Stock OpenVPN clients against `openvpn-server` over `tunicd`, in network namespaces. Needs root.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::openvpn::{NEEDS, Network, OURS_V4 as SERVER, StockClient};
use tunic_tests::relay::{Relay, lossy};
use tunic_tests::require::{self, Need, seconds};
use tunic_tests::{iperf, ping, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs a test, or says why not.
fn run(name: &str, test: fn() -> Result<()>) {
    let more = [Need::Program("iperf3", "iperf3"), Need::Program("sysctl", "procps")];
    if require::all(name, &[&NEEDS[..], &more].concat())
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

#[test]
fn three_clients_reach_each_other() {
    run("three_clients_reach_each_other", || {
        let network = Network::new()?;
        std::fs::create_dir(network.pki.file("ccd"))?;
        network.write(
            "ccd/bob",
            "ifconfig-push 10.8.0.77 255.255.255.0\niroute 10.55.0.0 255.255.255.0\n",
        )?;
        let server = network.serve(
            "tls-crypt-v2 v2-server.key\nclient-config-dir ccd\nclient-to-client\nkeepalive 1 10\n\
             push \"route 10.55.0.0 255.255.255.0\"\nroute 10.55.0.0 255.255.255.0\n",
        )?;
        let mut clients = Vec::new();
        for (index, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
            let key = format!("{name}-v2.key");
            let genkey = format!("--genkey tls-crypt-v2-client {key}");
            network.pki.openvpn(&format!("--tls-crypt-v2 v2-server.key {genkey}"))?;
            let host = 11 + u8::try_from(index)?;
            clients.push(network.connect(name, host, &format!("tls-crypt-v2 {key}"))?);
        }
        clients.iter_mut().try_for_each(StockClient::is_up)?;
        let [alice, bob, carol] = &clients[..] else { unreachable!() };
        bob.namespace.ip("addr add 10.55.0.1/32 dev lo")?;

        // To the server, to each other, and into the network behind one of them.
        for (client, targets) in [
            (alice, &[SERVER, "fd08::1", "10.8.0.77", "10.55.0.1"][..]),
            (bob, &[SERVER, "fd08::1"]),
            (carol, &[SERVER, "fd08::1", "10.8.0.77", "10.55.0.1"]),
        ] {
            for target in targets {
                let lost = ping::lost(&client.namespace, target, 20, &[])?;
                ensure!(lost.is_empty(), "no reply from {target} to {lost:?}\n{}", server.log());
            }
        }
        // What claims to come from elsewhere stays out.
        alice.namespace.ip("addr add 10.66.0.1/32 dev lo")?;
        let forged = ping::replies(&alice.namespace, SERVER, 3, &["-W", "1", "-I", "10.66.0.1"])?;
        ensure!(forged == 0, "{forged} replies to a foreign source");

        let _iperf = network.serve_iperf()?;
        let rates = iperf::tcp_both_ways(&carol.namespace, SERVER, seconds(30, 3), &[])?;
        ensure!(rates.iter().all(|rate| *rate > 5.0), "{rates:?} Mbit/s");
        let status = server.command("status")?;
        ensure!(status.starts_with("NAME\tADDRESS"), "{status}");
        for client in &mut clients {
            client.leave()?;
        }
        wait::until("all have left", PATIENCE, || server.log().matches(": left").count() == 3)?;
        server.stop()
    });
}

#[test]
fn clients_renew_move_die_and_are_removed() {
    run("clients_renew_move_die_and_are_removed", || {
        let network = Network::new()?;
        let mut server =
            network.serve("tls-crypt ta.key\nkeepalive 1 5\nreneg-sec 6\ntran-window 12\n")?;
        let connect = |name, host| -> Result<StockClient> {
            let mut client = network.connect(name, host, "tls-crypt ta.key\nreneg-sec 0")?;
            client.is_up()?;
            Ok(client)
        };
        let (alice, mut bob, mut carol) =
            (connect("alice", 11)?, connect("bob", 12)?, connect("carol", 13)?);

        // Keys are renewed beneath connections, and no packet is lost by it.
        let _iperf = network.serve_iperf()?;
        server.carries_pings_beside_a_stream(&bob, &alice, 16)?;
        for name in ["alice", "bob"] {
            let is_renewed = |line: &str| line.starts_with(name) && line.ends_with("has key 2");
            wait::until("keys are renewed twice", PATIENCE, || {
                server.log().lines().any(is_renewed)
            })
            .with_context(|| format!("{name}: {}", server.log()))?;
        }

        // Alice moves to another address; the tunnel stays.
        alice.namespace.ip("addr del 10.9.0.11/24 dev v0")?;
        alice.namespace.ip("addr add 10.9.0.99/24 dev v0")?;
        ensure!(ping::reaches(&alice.namespace, SERVER, PATIENCE)?, "{}", server.log());
        server.says("moved to 10.9.0.99:")?;
        let lost = ping::lost(&alice.namespace, SERVER, 20, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?} after the move");

        bob.die()?;
        server.says("timed out")?;
        let status = server.command("kill carol HALT")?;
        ensure!(status == "SUCCESS: carol: 1 client(s) killed", "{status}");
        carol.ends()?;
        ensure!(server.command("kill carol")?.starts_with("ERROR"), "{}", server.log());
        let lost = ping::lost(&alice.namespace, SERVER, 20, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?} of who is left");
        server.stop()
    });
}

/// One datagram in a hundred is lost and one in twenty comes late, while keys are renewed.
#[test]
fn a_bad_network_ends_no_connection() {
    run("a_bad_network_ends_no_connection", || {
        let network = Network::new()?;
        let mut server = network.serve("tls-crypt ta.key\nkeepalive 1 20\nreneg-sec 4")?;
        let mut alice = network.connect("alice", 11, "remote 127.0.0.1 6000\ntls-crypt ta.key")?;
        let listen = "127.0.0.1:6000".parse()?;
        let relay = Relay::start(&alice.namespace, listen, "10.9.0.1:1194".parse()?)?;
        relay.set(lossy());
        alice.is_up()?;
        let _iperf = network.serve_iperf()?;
        let rates = iperf::tcp_both_ways(&alice.namespace, SERVER, seconds(20, 6), &[])?;
        ensure!(rates.iter().all(|rate| *rate > 0.5), "{rates:?} Mbit/s\n{}", alice.log());
        // The renewal's own packets may have been lost.
        server.says("has key 1")?;
        let ups = alice.log().matches("Initialization Sequence Completed").count();
        ensure!(ups == 1, "{}", alice.log());
        server.stop()
    });
}

#[test]
fn every_wrapping_and_cipher_connects() {
    run("every_wrapping_and_cipher_connects", || {
        let cases = [
            ("", "data-ciphers AES-128-GCM"),
            ("tls-auth ta.key 0\nauth SHA512", "tls-auth ta.key 1\nauth SHA512"),
            ("tls-crypt ta.key\ntls-version-min 1.3", "tls-crypt ta.key"),
            (
                "data-ciphers CHACHA20-POLY1305:AES-256-GCM\ntls-version-max 1.2",
                "data-ciphers AES-256-GCM:CHACHA20-POLY1305",
            ),
        ];
        at_once(&cases, |(ours, theirs)| {
            let network = Network::new()?;
            let server = network.serve(&format!("keepalive 1 10\n{ours}"))?;
            let mut client = network.connect("alice", 11, theirs)?;
            client.is_up()?;
            let lost = ping::lost(&client.namespace, SERVER, 10, &[])?;
            ensure!(lost.is_empty(), "no reply to {lost:?} with {ours:?}\n{}", client.log());
            // The server says so when it goes, and the client does not wait for its timeout.
            server.stop()?;
            client.says("server-pushed-connection-reset")
        })
    });
}

#[test]
fn who_has_another_key_or_certificate_stays_out() {
    run("who_has_another_key_or_certificate_stays_out", || {
        let network = Network::new()?;
        let other = Network::new()?;
        network.pki.certify("sybil")?;
        network.pki.revoke(&["sybil"])?;
        let mut server =
            network.serve("tls-crypt ta.key\nkeepalive 1 10\nmax-clients 8\ncrl-verify crl.pem")?;
        let mut inside = network.connect("alice", 11, "tls-crypt ta.key")?;
        inside.is_up()?;
        // With the key but a certificate of another CA, the handshake fails; with another key,
        // nobody answers.
        let (_, foreign) =
            (other.connect("mallory", 12, "")?, other.pki.file("").display().to_string());
        let options =
            format!("tls-crypt ta.key\ncert {foreign}/mallory.crt\nkey {foreign}/mallory.key");
        let mut certificate = network.connect("trudy", 13, &options)?;
        certificate.says("TLS: Initial packet")?;
        server.says("10.9.0.13:")?;
        server.says("TLS: ")?;
        // So it does with one that was revoked.
        let options = "tls-crypt ta.key\ncert sybil.crt\nkey sybil.key";
        let mut revoked = network.connect("renamed", 15, options)?;
        revoked.says("TLS: Initial packet")?;
        server.says("10.9.0.15:")?;
        server.says("revoked")?;
        let options = format!("tls-crypt {foreign}/ta.key\nconnect-timeout 3");
        let mut key = network.connect("eve", 14, &options)?;
        key.says("Server poll timeout")?;
        ensure!(!key.log().contains("Initial packet") && !server.log().contains("10.9.0.14"));
        let lost = ping::lost(&inside.namespace, SERVER, 10, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?}");
        server.stop()
    });
}
