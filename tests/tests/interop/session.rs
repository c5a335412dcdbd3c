//! Sessions begin, are renewed, move and end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::peer::Implementation;
use tunic_tests::tunnel::{OUR_V4, PEER_V4, Setup, Tunnel};
use tunic_tests::{iperf, ping, wait};

/// Divides WireGuard's times on our side: rekey after 3 s instead of 120.
const FAST_TIMERS: [&str; 2] = ["--timer-divisor", "40"];

/// New keys come while packets flow, and none is lost.
pub(crate) fn rekeys_under_traffic(implementation: Implementation) -> Result<()> {
    let setup = Setup { options: FAST_TIMERS.to_vec(), ..Setup::new(implementation) };
    let tunnel = Tunnel::new(setup)?;
    tunnel.connect()?;
    tunnel.peer.start_iperf()?;
    let first = tunnel.tunicd.dump()?.peer()?.latest_handshake;
    std::thread::scope(|scope| {
        let pings = scope.spawn(|| ping::replies(&tunnel.namespace, PEER_V4, 240, &[]));
        iperf::tcp(&tunnel.namespace, PEER_V4, 6, &[])?;
        iperf::tcp(&tunnel.namespace, PEER_V4, 6, &["--reverse"])?;
        let replies = pings.join().ok().context("the pings panicked")??;
        ensure!(replies >= 238, "{replies} of 240 pings while keys changed");
        Ok(())
    })?;
    let last = tunnel.tunicd.dump()?.peer()?.latest_handshake;
    ensure!(last >= first + 6, "handshakes at {first} and {last}: no rekey under traffic");
    tunnel.tunicd.stop()
}

/// The peer's address changes, and we follow as soon as an authentic packet comes from the new one.
pub(crate) fn follows_a_roaming_peer(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    let device = if implementation == Implementation::Kernel { "eth0" } else { "v0" };
    let endpoint =
        |tunnel: &Tunnel| Ok::<_, anyhow::Error>(tunnel.tunicd.dump()?.peer()?.endpoint.clone());
    ensure!(endpoint(&tunnel)? == "10.9.0.2:51820", "{}", tunnel.explain());
    tunnel.peer.shell(&format!(
        "ip addr del 10.9.0.2/24 dev {device}; ip addr del 10.9.0.3/24 dev {device} 2>/dev/null || true
         ip addr add 10.9.0.3/24 dev {device}; ping -c 2 -W 2 {OUR_V4}"
    ))?;
    ensure!(endpoint(&tunnel)? == "10.9.0.3:51820", "{}", tunnel.explain());
    let replies = ping::replies(&tunnel.namespace, PEER_V4, 5, &[])?;
    ensure!(replies == 5, "{replies} of 5 after the move: {}", tunnel.explain());
    tunnel.tunicd.stop()
}

/// A persistent keepalive makes the handshake and then flows by itself.
pub(crate) fn keeps_alive(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup { keepalive: Some(1), ..Setup::new(implementation) })?;
    let received = || tunnel.peer.dump().and_then(|dump| Ok(dump.peer()?.received)).unwrap_or(0);
    // An initiation has 148 bytes; every keepalive 32.
    wait::until("the peer hears three keepalives", Duration::from_secs(20), || {
        received() >= 148 + 3 * 32
    })
    .with_context(|| tunnel.explain())?;
    ensure!(tunnel.tunicd.dump()?.peer()?.keepalive == "1", "{}", tunnel.explain());
    tunnel.tunicd.stop()
}

/// We end and come back with the same keys; the tunnel works again.
pub(crate) fn survives_our_restart(implementation: Implementation) -> Result<()> {
    let mut tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    tunnel.replace_us()?;
    ensure!(tunnel.reaches_peer(Duration::from_secs(30))?, "{}", tunnel.explain());
    tunnel.tunicd.stop()
}

/// The peer ends and comes back without a session; we notice and make a new one.
pub(crate) fn survives_the_peers_restart(implementation: Implementation) -> Result<()> {
    let mut tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    tunnel.peer.restart()?;
    tunnel.configure_peer()?;
    tunnel.raise_peer()?;
    // 15 seconds of silence, then a handshake.
    ensure!(tunnel.reaches_peer(Duration::from_secs(40))?, "{}", tunnel.explain());
    tunnel.tunicd.stop()
}
