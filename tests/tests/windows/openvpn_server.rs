//! `openvpn.exe` 2.7 as server of stock clients, on a listener for IPv4 and IPv6.

use anyhow::{Context, Result, ensure};
use tunic_tests::openvpn::{self, Network, OURS_V4, Stock, StockClient};
use tunic_tests::require::Need;
use tunic_tests::windows::{
    Adapter, Form, Kind, NEEDS, OpenVpn, OpenVpnVersion as Version, PATIENCE, Windows,
};
use tunic_tests::{ping, require, wait};

/// How often each client is pinged while keys are renewed.
const PINGS: u32 = 160;
const SERVER: &str = "proto udp6\nport 1194\nserver 10.8.0.0 255.255.255.0\ntopology subnet\n\
     ca ca.crt\ncert server.crt\nkey server.key\ndh none\nclient-config-dir ccd\n\
     data-ciphers AES-256-GCM:CHACHA20-POLY1305\nkeepalive 1 5\nreneg-sec 4\n\
     route 10.55.0.0 255.255.255.0";

#[test]
fn openvpn_exe_is_a_server() -> Result<()> {
    let more = [Version::V27.need(), Stock::Newer.need(), Need::Program("sysctl", "procps")];
    let needs = [&NEEDS[..], &openvpn::NEEDS, &more].concat();
    if !require::all("openvpn_exe_is_a_server", &needs) {
        return Ok(());
    }
    serves(Form::Image)
}

fn serves(form: Form) -> Result<()> {
    let network = Network::new()?;
    let namespace = &network.namespace;
    namespace.ip("addr add fd09::1/64 dev br0 nodad")?;
    std::fs::create_dir(network.pki.file("ccd"))?;
    network.write("ccd/bob", "iroute 10.55.0.0 255.255.255.0\n")?;
    let adapter = Adapter::start(namespace, Kind::OpenVpn, form)?;
    let windows = Windows::boot(namespace, vec![adapter])?;
    let adapter = &windows.adapters()[0];
    namespace.ip(&format!("addr add {OURS_V4}/24 dev {}", adapter.interface()))?;
    namespace.ip(&format!("link set {} up", adapter.interface()))?;
    namespace.ip(&format!("route add 10.55.0.0/24 dev {}", adapter.interface()))?;
    let folder = network.pki.file("");
    let mut server = OpenVpn::start(&windows, Version::V27, adapter, &folder, SERVER)?;
    server.says(1, "Initialization Sequence Completed")?;

    // Two by IPv4 and two by IPv6; two with epochs.
    let connect = |stock, name, host: u8, options: &str| {
        let mut client = network.connect_as(stock, name, host, &format!("verb 4\n{options}"))?;
        client.namespace.ip(&format!("addr add fd09::{host}/64 dev v0 nodad"))?;
        client.is_up().map(|()| client)
    };
    let alice = connect(Stock::Installed, "alice", 11, "data-ciphers AES-256-GCM")?;
    let v6 = "remote fd09::1";
    let bob = connect(Stock::Newer, "bob", 12, v6)?;
    let mut carol = connect(Stock::Newer, "carol", 13, "data-ciphers CHACHA20-POLY1305")?;
    let mut dave = connect(Stock::Installed, "dave", 14, v6)?;
    bob.namespace.ip("addr add 10.55.0.1/32 dev lo")?;
    ensure!(ping::reaches(namespace, "10.55.0.1", PATIENCE)?, "no iroute: {}", server.log());

    // Keys are renewed beneath traffic.
    let mut lost = pings_beneath_renewals(&[&alice, &bob, &carol, &dave])?;

    // Clients of both families get another address, and their keys are renewed from there.
    alice.namespace.ip("addr del 10.9.0.11/24 dev v0")?;
    alice.namespace.ip("addr add 10.9.0.99/24 dev v0")?;
    bob.namespace.ip("addr add fd09::99/64 dev v0 nodad")?;
    bob.namespace.ip("addr del fd09::12/64 dev v0")?;
    for client in [&alice, &bob] {
        let is_there = ping::reaches(&client.namespace, OURS_V4, PATIENCE)?;
        ensure!(is_there, "{}\n{}", client.log(), server.log());
    }
    lost += pings_beneath_renewals(&[&alice, &bob]).with_context(|| server.log())?;
    for client in [&alice, &bob] {
        let ups = client.log().matches("Initialization Sequence Completed").count();
        ensure!(ups == 1, "it connected again: {}", client.log());
    }

    // One dies without a word, another is removed.
    carol.die()?;
    wait::until("who is dead has gone", PATIENCE, || {
        client_id(&server, "carol").is_ok_and(|id| id.is_none())
    })?;
    let id = client_id(&server, "dave")?.context("dave is there")?;
    let answer = server.manage(&format!("client-kill {id} HALT"))?;
    ensure!(answer.last().is_some_and(|line| line.starts_with("SUCCESS")), "{answer:?}");
    // Whether the farewell arrives is not the driver's: where it doesn't, he connects again.
    wait::until("who was removed has gone", PATIENCE, || {
        client_id(&server, "dave").is_ok_and(|now| now != Some(id))
    })
    .with_context(|| server.log())?;
    dave.die()?;
    for client in [&alice, &bob] {
        ensure!(ping::reaches(&client.namespace, OURS_V4, PATIENCE)?, "{}", server.log());
    }
    let clients = [&alice, &bob, &carol, &dave];
    let too_early: usize = clients.map(dropped).iter().sum();
    server.terminate()?;
    // As for clients: each side uses a new key when the other may not have it yet.
    let explained = too_early + usize::try_from(adapter.discards("unknown-context")?)?;
    ensure!(lost <= explained, "{lost} pings lost, {explained} dropped");
    windows.stop()
}

/// Pings the server from each client until each has renewed its keys twice, and gives the number of
/// pings without a reply.
fn pings_beneath_renewals(clients: &[&StockClient]) -> Result<usize> {
    let renewals = |client: &StockClient| client.log().matches("Control Channel: TLS").count();
    let before: Vec<_> = clients.iter().map(|client| renewals(client)).collect();
    let lost = std::thread::scope(|scope| {
        let pings: Vec<_> = clients
            .iter()
            .map(|client| scope.spawn(|| ping::lost(&client.namespace, OURS_V4, PINGS, &[])))
            .collect();
        let lost = pings.into_iter().map(|it| it.join().ok().context("the pings panicked")?);
        lost.map(|lost| Ok(lost?.len())).sum::<Result<usize>>()
    })?;
    for (client, before) in clients.iter().zip(before) {
        wait::until("keys are renewed twice", PATIENCE, || renewals(client) >= before + 2)
            .with_context(|| client.log())?;
    }
    Ok(lost)
}

/// How many packets a client dropped for a key that it hadn't yet.
fn dropped(client: &StockClient) -> usize {
    client.log().matches("not initialized (yet), dropping").count()
}

/// The id that the server has for a client, if it is there.
fn client_id(server: &OpenVpn<'_>, name: &str) -> Result<Option<u32>> {
    let status = server.manage("status 2")?;
    let prefix = format!("CLIENT_LIST,{name},");
    let line = status.iter().find(|line| line.starts_with(&prefix));
    line.map(|line| Ok(line.split(',').nth(10).context("it has an id")?.parse()?)).transpose()
}
