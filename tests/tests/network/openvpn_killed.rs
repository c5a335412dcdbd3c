//! Our OpenVPN client or server is killed, which gives it no time to undo anything: its tunnel goes
//! all the same.

use std::time::Duration;

use anyhow::{Result, ensure};
use tunic::DataChannel;
use tunic_tests::link::Link;
use tunic_tests::namespace::unique;
use tunic_tests::openvpn::{Client, NEEDS, Network, Pki, SERVER_V4, StockServer};
use tunic_tests::require::Need;
use tunic_tests::tunicd::Tunicd;
use tunic_tests::{ping, require, wait};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_tunnel_goes_and_the_adapter_can_be_used_again() -> Result<()> {
    if !require::all("killed", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (Link::new()?, Pki::new()?);
    let server = StockServer::start(&link.right, &pki, "")?;
    let tunicd = Tunicd::start_openvpn(&link.left, &unique("tk"))?;
    let interface = tunicd.interface();
    for _ in 0..2 {
        let mut client = Client::start_as(&link.left, &pki, interface, "", &[])?;
        client.await_connected(1)?;
        ensure!(ping::reaches(&link.left, SERVER_V4, PATIENCE)?, "{}", server.log());
        let has_carrier = || -> Result<bool> {
            Ok(!link.left.ip(&format!("link show dev {interface}"))?.contains("NO-CARRIER"))
        };
        let (_, peers) = DataChannel::open(interface)?.status()?;
        let has_key = peers.iter().any(|peer| peer.primary.is_some());
        ensure!(has_carrier()? && has_key, "{peers:?}");
        client.kill()?;
        wait::until("the tunnel is gone", PATIENCE, || {
            let status = DataChannel::open(interface).and_then(|channel| channel.status());
            status.is_ok_and(|(_, peers)| peers.is_empty())
                && has_carrier().is_ok_and(|has_carrier| !has_carrier)
        })?;
    }
    tunicd.stop()
}

#[test]
fn a_tunicd_that_it_has_started_ends() -> Result<()> {
    if !require::all("killed with tunicd", &NEEDS) {
        return Ok(());
    }
    let (link, pki) = (Link::new()?, Pki::new()?);
    let _server = StockServer::start(&link.right, &pki, "")?;
    let mut client = Client::start(&link.left, &pki, "")?;
    client.await_connected(1)?;
    let interface = client.interface().to_owned();
    client.kill()?;
    wait::until("the interface is gone", PATIENCE, || {
        link.left.ip(&format!("link show dev {interface}")).is_err()
    })
}

#[test]
fn a_server_has_no_clients_any_more() -> Result<()> {
    let needs = [&NEEDS[..], &[Need::Program("sysctl", "procps")]].concat();
    if !require::all("killed server", &needs) {
        return Ok(());
    }
    let network = Network::new()?;
    let server = network.serve("keepalive 1 10\n")?;
    let mut client = network.connect("alice", 11, "")?;
    client.is_up()?;
    ensure!(server.has_epochs()?.len() == 1, "{}", server.log());
    server.kill()
}
