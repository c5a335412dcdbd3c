//! A network that loses and reorders.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use tunic_tests::guest::TC;
use tunic_tests::peer::Implementation;
use tunic_tests::relay::{self, Relay};
use tunic_tests::router::NETEM;
use tunic_tests::tunnel::{PEER_V4, Setup, Tunnel};
use tunic_tests::{bulk, ping};

/// One datagram in a hundred is lost and some overtake others; TCP gets through whole.
///
/// The kernel's guest has netem for that. For the others a relay stands in its place: the kernel
/// that these tests run on may have no netem.
pub(crate) fn survives_loss_and_reorder(implementation: Implementation) -> Result<()> {
    let through_relay = implementation != Implementation::Kernel;
    let via = through_relay.then(|| "127.0.0.1:6000".to_owned());
    let tunnel = Tunnel::new(Setup { via, ..Setup::new(implementation) })?;
    let relay = if through_relay {
        let target: SocketAddr = "10.9.0.2:51820".parse()?;
        let relay = Relay::start(&tunnel.namespace, "127.0.0.1:6000".parse()?, target)?;
        relay.set(relay::lossy());
        Some(relay)
    } else {
        tunnel.peer.shell(&format!("{TC} qdisc add dev eth0 root {NETEM}"))?;
        None
    };
    tunnel.connect()?;
    let replies = ping::replies(&tunnel.namespace, PEER_V4, 200, &[])?;
    ensure!((150..=200).contains(&replies), "{replies} of 200: {}", tunnel.explain());
    tunnel.peer.start_echo()?;
    bulk::echo(&tunnel.namespace, format!("{PEER_V4}:9000").parse()?, 4)?;
    if let Some(relay) = relay {
        ensure!(relay.forwarded() > 1000, "only {} datagrams by the relay", relay.forwarded());
    }
    tunnel.tunicd.stop()
}
