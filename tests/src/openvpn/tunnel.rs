//! Our client and a stock server, with a link between them.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Client, Pki, SERVER_V4, Stock, StockServer};
use crate::link::Link;
use crate::namespace::Running;
use crate::relay::Relay;
use crate::{iperf, ping};

/// The relay in the client's namespace that stands for a bad network.
const RELAY: &str = "127.0.0.1:6000";
const VIA_RELAY: &str = "remote 127.0.0.1 6000";

/// A link, certificates, a server on its right, and our client on its left.
#[derive(Debug)]
pub struct Tunnel {
    /// Ours.
    pub client: Client,
    /// The stock one.
    pub server: StockServer,
    /// Whose certificates they have.
    pub pki: Pki,
    /// The client is on its left.
    pub link: Link,
}

impl Tunnel {
    /// Starts both, and waits until they are connected.
    pub fn new(server: &str, client: &str) -> Result<Self> {
        let mut tunnel = Self::begin(server, client, &[])?;
        tunnel.client.await_connected(1).with_context(|| tunnel.explain())?;
        Ok(tunnel)
    }

    /// Starts both. `PKI/` in options becomes the folder of certificates and keys.
    pub fn begin(server: &str, client: &str, arguments: &[&str]) -> Result<Self> {
        Self::begin_as(Stock::Installed, server, client, arguments)
    }

    /// Like [`Tunnel::begin`], with a server of another version.
    pub fn begin_as(stock: Stock, server: &str, client: &str, arguments: &[&str]) -> Result<Self> {
        Self::of(stock, Link::new()?, Pki::new()?, server, client, arguments)
    }

    /// Like [`Tunnel::begin_as`], over a link and with certificates that are there.
    pub fn of(
        stock: Stock,
        link: Link,
        pki: Pki,
        server: &str,
        client: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let folder = pki.file("");
        let with = |options: &str| options.replace("PKI/", &folder.to_string_lossy());
        let server = StockServer::start_as(stock, &link.right, &pki, &with(server))?;
        let client = Client::start_with(&link.left, &pki, &with(client), arguments)?;
        Ok(Self { client, server, pki, link })
    }

    /// Expects all of some pings of the server's inner address to be answered, once it is ready:
    /// stock servers have their data keys up to a second after they pushed.
    pub fn ping(&self) -> Result<()> {
        let is_there = ping::reaches(&self.link.left, SERVER_V4, Duration::from_secs(10))?;
        ensure!(is_there, "no reply\n{}", self.explain());
        let lost = ping::lost(&self.link.left, SERVER_V4, 5, &[])?;
        ensure!(lost.is_empty(), "no reply to {lost:?} of 5\n{}", self.explain());
        Ok(())
    }

    /// Starts an iperf3 server beside the openvpn server.
    pub fn start_iperf(&self) -> Result<Running> {
        let mut command = self.link.right.command("iperf3");
        command.args(["--server", "--port", &iperf::PORT.to_string()]);
        self.link.right.spawn(command.stdout(Stdio::null()))
    }

    /// The same between a relay that begins as a good network.
    pub fn through_relay(server: &str) -> Result<(Self, Relay)> {
        Self::through_relay_saying(server, &[])
    }

    /// Like [`Tunnel::through_relay`], with arguments for the client.
    pub fn through_relay_saying(server: &str, arguments: &[&str]) -> Result<(Self, Relay)> {
        let (link, pki) = (Link::new()?, Pki::new()?);
        let server = StockServer::start(&link.right, &pki, server)?;
        let relay = Relay::start(&link.left, RELAY.parse()?, "10.9.0.2:1194".parse()?)?;
        let client = Client::start_with(&link.left, &pki, VIA_RELAY, arguments)?;
        Ok((Self { client, server, pki, link }, relay))
    }

    /// What both said, for a test that fails.
    pub fn explain(&self) -> String {
        format!("client: {}\nserver: {}", self.client.log(), self.server.log())
    }
}
