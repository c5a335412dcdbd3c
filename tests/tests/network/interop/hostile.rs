//! What must not get through, and the counters that say so.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::peer::Implementation;
use tunic_tests::relay::{Direction, Relay};
use tunic_tests::tunnel::{Initiator, OUR_V4, PEER_V4, Setup, Tunnel};
use tunic_tests::wg::{self, KeyPair};
use tunic_tests::{ping, wait};

/// What is damaged, the counter that says so, and how it is done.
type Damage = (&'static str, &'static str, fn(&mut Vec<u8>));

const RELAY: &str = "127.0.0.1:6000";

/// The type field of a data message (WireGuard paper, section 5.4.6).
const DATA: u8 = 4;

fn through_relay(implementation: Implementation) -> Result<(Tunnel, Relay)> {
    let tunnel = Tunnel::new(Setup { via: Some(RELAY.into()), ..Setup::new(implementation) })?;
    let target: SocketAddr = "10.9.0.2:51820".parse()?;
    let relay = Relay::start(&tunnel.namespace, RELAY.parse()?, target)?;
    tunnel.connect()?;
    Ok((tunnel, relay))
}

/// Packets that our interface has given to the stack.
fn delivered(tunnel: &Tunnel) -> Result<u64> {
    let device = tunnel.tunicd.interface();
    let path = format!("cat /sys/class/net/{device}/statistics/rx_packets");
    // Seen from the stack, what the adapter indicates is received.
    Ok(tunnel.namespace.shell(&path, Duration::from_secs(5))?.trim().parse()?)
}

/// A peer with a key that we don't have a peer for gets no answer.
pub(crate) fn refuses_an_unknown_key(implementation: Implementation) -> Result<()> {
    let setup = Setup { initiator: Initiator::Peer, ..Setup::new(implementation) };
    let mut tunnel = Tunnel::new(setup)?;
    tunnel.peer_keys = KeyPair::generate()?;
    tunnel.configure_peer()?;
    let before = delivered(&tunnel)?;
    ensure!(tunnel.connect().is_err(), "a stranger got through: {}", tunnel.explain());
    wait::until("the handshake is counted as bad", Duration::from_secs(10), || {
        tunnel.tunicd.discards("bad-handshake").is_ok_and(|count| count > 0)
    })?;
    ensure!(delivered(&tunnel)? == before, "a stranger's packet was delivered");
    ensure!(tunnel.tunicd.dump()?.peer()?.latest_handshake == 0, "{}", tunnel.explain());
    tunnel.tunicd.stop()
}

/// A peer with the right key and another preshared key makes no session.
pub(crate) fn refuses_a_wrong_preshared_key(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup { preshared: true, ..Setup::new(implementation) })?;
    let text = tunnel.peer_configuration();
    let line = text.lines().find(|line| line.starts_with("PresharedKey")).context("no key")?;
    let other = format!("PresharedKey = {}", wg::preshared_key()?);
    tunnel.peer.configure(&text.replace(line, &other))?;
    ensure!(!tunnel.reaches_peer(Duration::from_secs(7))?, "{}", tunnel.explain());
    ensure!(tunnel.tunicd.discards("bad-handshake")? > 0, "not counted: {}", tunnel.explain());
    ensure!(tunnel.tunicd.dump()?.peer()?.latest_handshake == 0, "{}", tunnel.explain());
    tunnel.tunicd.stop()
}

/// Every data packet that comes twice is delivered once.
pub(crate) fn refuses_replays(implementation: Implementation) -> Result<()> {
    let (tunnel, relay) = through_relay(implementation)?;
    relay.set(|datagram, direction| {
        let copies = if direction == Direction::Back { 3 } else { 1 };
        vec![datagram.to_vec(); copies]
    });
    let before = delivered(&tunnel)?;
    let lost = ping::lost(&tunnel.namespace, PEER_V4, 20, &[])?;
    ensure!(lost.is_empty(), "no reply to {lost:?} of 20: {}", tunnel.explain());
    let sent = u64::from(20 + ping::MORE);
    wait::until("the copies are counted", Duration::from_secs(5), || {
        tunnel.tunicd.discards("replayed").is_ok_and(|count| count >= 2 * sent)
    })
    .with_context(|| tunnel.explain())?;
    let after = delivered(&tunnel)?;
    ensure!(after - before <= sent + 2, "{} packets for {sent} replies", after - before);
    tunnel.tunicd.stop()
}

/// Data packets that were cut or changed on the way are dropped, one kind of damage at a time.
pub(crate) fn refuses_truncated_and_flipped_datagrams(
    implementation: Implementation,
) -> Result<()> {
    let (tunnel, relay) = through_relay(implementation)?;
    let damages: [Damage; 5] = [
        ("tag", "forged", |datagram| flip(datagram, usize::MAX)),
        ("ciphertext", "forged", |datagram| flip(datagram, 20)),
        ("receiver", "unknown-context", |datagram| flip(datagram, 5)),
        ("end", "forged", |datagram| datagram.truncate(datagram.len() - 16)),
        ("head", "malformed", |datagram| datagram.truncate(17)),
    ];
    for (what, reason, damage) in damages {
        relay.set(move |datagram, direction| {
            let mut datagram = datagram.to_vec();
            if direction == Direction::Back && datagram.first() == Some(&DATA) {
                damage(&mut datagram);
            }
            vec![datagram]
        });
        let (delivered_before, counted_before) =
            (delivered(&tunnel)?, tunnel.tunicd.discards(reason)?);
        let replies = ping::replies(&tunnel.namespace, PEER_V4, 5, &["-W", "1"])?;
        ensure!(replies == 0, "{replies} replies with a damaged {what}");
        ensure!(delivered(&tunnel)? == delivered_before, "a damaged {what} was delivered");
        let counted = tunnel.tunicd.discards(reason)? - counted_before;
        ensure!(counted >= 5, "{counted} of 5 damaged {what} counted as {reason}");
    }
    relay.set(tunic_tests::relay::pass);
    ensure!(tunnel.reaches_peer(Duration::from_secs(20))?, "{}", tunnel.explain());
    tunnel.tunicd.stop()
}

fn flip(datagram: &mut [u8], at: usize) {
    let last = datagram.len() - 1;
    datagram[at.min(last)] ^= 0x10;
}

/// A packet whose inner source is not among its sender's allowed IPs is dropped.
pub(crate) fn refuses_a_source_outside_allowed_ips(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    let before = delivered(&tunnel)?;
    let interface = tunnel.peer.interface();
    let spoofed = tunnel.peer.shell(&format!(
        "ip addr add 10.77.0.99/24 dev {interface}; ping -c 3 -W 1 -I 10.77.0.99 {OUR_V4}"
    ));
    ensure!(spoofed.is_err(), "a reply came to an address outside the allowed IPs");
    ensure!(tunnel.tunicd.discards("source-not-allowed")? >= 3, "{}", tunnel.explain());
    ensure!(delivered(&tunnel)? == before, "a packet from outside was delivered");
    tunnel.tunicd.stop()
}
