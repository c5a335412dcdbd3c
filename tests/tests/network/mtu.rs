//! The MTU of the interface may change at any time: packets of a tunnel follow it.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tunic_tests::bulk;
use tunic_tests::link::Outer;
use tunic_tests::namespace::Namespace;
use tunic_tests::peer::Implementation;
use tunic_tests::ping;
use tunic_tests::require;
use tunic_tests::tunnel::{PEER_V4, PEER_V6, Setup, Tunnel};

/// An outer MTU at which a datagram of 8920 bytes is not fragmented.
const OUTER_MTU: u32 = 9000;
/// The limit of waits for what has to happen.
const LIMIT: Duration = Duration::from_secs(60);

fn run(name: &str, test: fn() -> Result<()>) {
    if require::all(name, &Implementation::WireguardGo.needs())
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

fn tunnel(outer: Outer) -> Result<Tunnel> {
    let tunnel = Tunnel::new(Setup { outer, ..Setup::new(Implementation::WireguardGo) })?;
    tunnel.namespace.ip(&format!("link set v0 mtu {OUTER_MTU}"))?;
    tunnel.peer.shell(&format!("ip link set v0 mtu {OUTER_MTU}"))?;
    tunnel.connect()?;
    Ok(tunnel)
}

fn set_our_mtu(tunnel: &Tunnel, mtu: u32) -> Result<()> {
    tunnel.namespace.ip(&format!("link set {} mtu {mtu}", tunnel.tunicd.interface()))?;
    Ok(())
}

fn set_peer_mtu(tunnel: &Tunnel, mtu: u32) -> Result<()> {
    tunnel.peer.shell(&format!("ip link set {} mtu {mtu}", tunnel.peer.interface()))?;
    Ok(())
}

/// Which of so many pings are not answered that fill a packet of so many bytes, which may not be
/// cut.
fn lost(namespace: &Namespace, to: &str, bytes: u32, count: u32) -> Result<Vec<u32>> {
    let headers = if to.contains(':') { 48 } else { 28 };
    ping::lost(namespace, to, count, &["-M", "do", "-s", &(bytes - headers).to_string()])
}

#[test]
fn full_packets_pass_and_longer_ones_are_refused() {
    run("full_packets_pass_and_longer_ones_are_refused", || {
        for outer in [Outer::V4, Outer::V6] {
            let tunnel = tunnel(outer)?;
            for mtu in [8920, 1281, 1420] {
                set_peer_mtu(&tunnel, mtu)?;
                set_our_mtu(&tunnel, mtu)?;
                for to in [PEER_V4, PEER_V6] {
                    let explain = || format!("MTU {mtu}, {to} over {outer:?}");
                    // The news of the MTU may reach the daemon after the first packet.
                    tunic_tests::wait::until(&explain(), LIMIT, || {
                        lost(&tunnel.namespace, to, mtu, 1).is_ok_and(|lost| lost.is_empty())
                    })?;
                    let full = lost(&tunnel.namespace, to, mtu, 10)?;
                    ensure!(
                        full.is_empty(),
                        "{}: no reply to {full:?}: {}",
                        explain(),
                        tunnel.explain()
                    );
                    let long = lost(&tunnel.namespace, to, mtu + 1, 1)?;
                    ensure!(long == [1], "{}: a byte more passes", explain());
                }
            }
            ensure!(tunnel.tunicd.discards("no-memory")? == 0, "memory has run out");
            tunnel.tunicd.stop()?;
        }
        Ok(())
    });
}

/// Packets that fit before and after are not lost, and a TCP stream goes on.
#[test]
fn changes_amid_traffic_lose_no_more_than_what_is_under_way() {
    const PINGS: u32 = 300;
    run("changes_amid_traffic_lose_no_more_than_what_is_under_way", || {
        let tunnel = tunnel(Outer::V4)?;
        set_peer_mtu(&tunnel, 8920)?;
        tunnel.peer.start_echo()?;
        // So little is under way at once that no queue drops pings for what the stream sends.
        tunnel.namespace.shell(
            "for way in rmem wmem; do echo 4096 65536 65536 > /proc/sys/net/ipv4/tcp_$way; done",
            Duration::from_secs(10),
        )?;
        let server = format!("{PEER_V4}:9000").parse()?;
        thread::scope(|scope| {
            let tunnel = &tunnel;
            let pings = [PEER_V4, PEER_V6]
                .map(|to| scope.spawn(move || lost(&tunnel.namespace, to, 1200, PINGS)));
            let is_over = || pings.iter().all(thread::ScopedJoinHandle::is_finished);
            let mut changes = 0;
            while !is_over() || changes < 10 {
                let stream = scope.spawn(move || bulk::echo(&tunnel.namespace, server, 4));
                let deadline = Instant::now() + Duration::from_secs(60);
                while !stream.is_finished() {
                    ensure!(Instant::now() < deadline, "the stream has stopped");
                    set_our_mtu(tunnel, [1280, 8920, 1420, 8000][changes % 4])?;
                    changes += 1;
                    thread::park_timeout(Duration::from_millis(300));
                }
                stream.join().expect("no panic").context("the stream")?;
            }
            for pings in pings {
                let lost = pings.join().expect("no panic")?;
                ensure!(lost.len() <= 10, "no reply to {lost:?} of {PINGS} pings");
            }
            Ok(())
        })?;
        tunnel.tunicd.stop()
    });
}
