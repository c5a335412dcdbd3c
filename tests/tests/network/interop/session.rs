//! Sessions begin, are renewed, move and end.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::peer::Implementation;
use tunic_tests::relay::Relay;
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
        let pings = scope.spawn(|| ping::lost(&tunnel.namespace, PEER_V4, 240, &[]));
        iperf::tcp(&tunnel.namespace, PEER_V4, 6, &iperf::GENTLE)?;
        iperf::tcp(&tunnel.namespace, PEER_V4, 6, &[&iperf::GENTLE[..], &["--reverse"]].concat())?;
        let lost = pings.join().ok().context("the pings panicked")??;
        ensure!(lost.len() <= 2, "no reply to {lost:?} of 240 while keys changed");
        Ok(())
    })?;
    let last = tunnel.tunicd.dump()?.peer()?.latest_handshake;
    ensure!(last >= first + 6, "handshakes at {first} and {last}: no rekey under traffic");
    tunnel.tunicd.stop()
}

/// The peer's address changes, and we follow as soon as an authentic packet comes from the new one.
///
/// The kernel's guest really changes its address. wireguard-go and boringtun stay bound to the old
/// one, so for them a relay moves.
pub(crate) fn follows_a_roaming_peer(implementation: Implementation) -> Result<()> {
    if implementation != Implementation::Kernel {
        return follows_a_roaming_relay(implementation);
    }
    let tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    expect_endpoint(&tunnel, "10.9.0.2:51820")?;
    tunnel.peer.shell(&format!(
        "ip addr del 10.9.0.2/24 dev eth0; ip addr del 10.9.0.3/24 dev eth0 2>/dev/null || true
         ip addr add 10.9.0.3/24 dev eth0; ping -c 2 -W 2 {OUR_V4}"
    ))?;
    expect_endpoint(&tunnel, "10.9.0.3:51820")?;
    expect_replies(&tunnel)?;
    tunnel.tunicd.stop()
}

fn follows_a_roaming_relay(implementation: Implementation) -> Result<()> {
    let via = Some("127.0.0.1:6000".to_owned());
    let tunnel = Tunnel::new(Setup { via, ..Setup::new(implementation) })?;
    let target = "10.9.0.2:51820".parse()?;
    let mut relay = Relay::start(&tunnel.namespace, "127.0.0.1:6000".parse()?, target)?;
    tunnel.connect()?;
    expect_endpoint(&tunnel, "127.0.0.1:6000")?;
    relay.roam(&tunnel.namespace, "127.0.0.2:6002".parse()?)?;
    expect_replies(&tunnel)?;
    expect_endpoint(&tunnel, "127.0.0.2:6002")?;
    tunnel.tunicd.stop()
}

fn expect_endpoint(tunnel: &Tunnel, expected: &str) -> Result<()> {
    let dump = tunnel.tunicd.dump()?;
    ensure!(dump.peer()?.endpoint == expected, "not {expected}: {}", tunnel.explain());
    Ok(())
}

fn expect_replies(tunnel: &Tunnel) -> Result<()> {
    let lost = ping::lost(&tunnel.namespace, PEER_V4, 5, &[])?;
    ensure!(lost.is_empty(), "no reply to {lost:?} of 5: {}", tunnel.explain());
    Ok(())
}

/// A persistent keepalive makes the handshake and then flows by itself.
pub(crate) fn keeps_alive(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup { keepalive: Some(1), ..Setup::new(implementation) })?;
    // An initiation has 148 bytes; every keepalive 32. boringtun does not count what has no
    // payload, so ask our side there.
    let flowed = || {
        let dump = match implementation {
            Implementation::Boringtun => tunnel.tunicd.dump()?,
            Implementation::Kernel | Implementation::WireguardGo => tunnel.peer.dump()?,
        };
        let peer = dump.peer()?;
        Ok::<_, anyhow::Error>(if implementation == Implementation::Boringtun {
            peer.sent
        } else {
            peer.received
        })
    };
    wait::until("the peer hears three keepalives", Duration::from_secs(20), || {
        flowed().is_ok_and(|bytes| bytes >= 148 + 3 * 32)
    })
    .with_context(|| tunnel.explain())?;
    let dump = tunnel.tunicd.dump()?;
    ensure!(dump.peer()?.latest_handshake > 0, "{}", tunnel.explain());
    ensure!(dump.peer()?.keepalive == "1", "{}", tunnel.explain());
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
