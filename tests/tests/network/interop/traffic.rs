//! Packets get through, all of them right.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use tunic_tests::link::Outer;
use tunic_tests::peer::Implementation;
use tunic_tests::tunnel::{Initiator, PEER_V4, PEER_V6, Setup, Tunnel};
use tunic_tests::{bulk, iperf, ping};

/// Either family outside and inside, either side first, with and without a preshared key.
pub(crate) fn pings_by_every_combination(implementation: Implementation) -> Result<()> {
    for outer in [Outer::V4, Outer::V6] {
        for initiator in [Initiator::Us, Initiator::Peer] {
            for preshared in [false, true] {
                let setup = Setup { outer, initiator, preshared, ..Setup::new(implementation) };
                let description = format!("{setup:?}");
                let tunnel = Tunnel::new(setup)?;
                tunnel.connect()?;
                for address in [PEER_V4, PEER_V6] {
                    for (count, options) in [(10, &[][..]), (5, &["-s", "1300"])] {
                        let lost = ping::lost(&tunnel.namespace, address, count, options)?;
                        let what = format!("{options:?} {description}");
                        ensure!(lost.is_empty(), "no reply from {address} to {lost:?}: {what}");
                    }
                }
                let (ours, theirs) = (tunnel.tunicd.dump()?, tunnel.peer.dump()?);
                let (ours, theirs) = (ours.peer()?, theirs.peer()?);
                ensure!(ours.latest_handshake > 0, "no handshake on our side: {description}");
                // boringtun counts payloads where the others count datagrams.
                ensure!(
                    implementation == Implementation::Boringtun
                        || ours.received == theirs.sent && ours.sent == theirs.received,
                    "the counters differ: {ours:?} {theirs:?}: {description}"
                );
                tunnel.tunicd.stop()?;
            }
        }
    }
    Ok(())
}

/// A TCP stream through the tunnel and back again is the same to the byte.
pub(crate) fn carries_tcp_without_a_corrupt_byte(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    tunnel.peer.start_echo()?;
    let server: SocketAddr = format!("{PEER_V4}:9000").parse()?;
    bulk::echo(&tunnel.namespace, server, 32)?;
    tunnel.tunicd.stop()
}

/// iperf3 both ways, over either inner family, with one and four streams.
pub(crate) fn carries_iperf_both_ways(implementation: Implementation) -> Result<()> {
    let tunnel = Tunnel::new(Setup::new(implementation))?;
    tunnel.connect()?;
    tunnel.peer.start_iperf()?;
    for server in [PEER_V4, PEER_V6] {
        for options in [&[][..], &["--reverse"], &["--parallel", "4"]] {
            let rate = iperf::tcp(&tunnel.namespace, server, 3, options)?;
            // Far below any of them, even the emulated kernel on a busy machine: it is about
            // flowing at all.
            ensure!(rate > 2.0, "{rate} Mbit/s to {server} with {options:?}");
        }
    }
    tunnel.tunicd.stop()
}
