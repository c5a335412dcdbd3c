//! `tunicd` against WireGuards that nobody here wrote, in network namespaces. Needs root.
//!
//! Every test runs against each implementation; `TUNIC_REQUIRE_ALL=1` makes a missing one an error.

mod bad_network;
mod hostile;
mod session;
mod traffic;

use anyhow::Result;
use tunic_tests::peer::Implementation;
use tunic_tests::require;

/// Runs a test against an implementation, or says why not.
fn run(name: &str, peer: Implementation, test: fn(Implementation) -> Result<()>) {
    let name = format!("{name} against {peer:?}");
    if require::all(&name, &peer.needs())
        && let Err(error) = test(peer)
    {
        panic!("{name}: {error:#}");
    }
}

/// Makes a test of each function for each implementation.
macro_rules! against_all {
    ($($area:ident :: $test:ident),* $(,)?) => { $(
        mod $test {
            use tunic_tests::peer::Implementation;

            #[test]
            fn boringtun() {
                super::run(stringify!($test), Implementation::Boringtun, super::$area::$test);
            }

            #[test]
            fn kernel() {
                super::run(stringify!($test), Implementation::Kernel, super::$area::$test);
            }

            #[test]
            fn wireguard_go() {
                super::run(stringify!($test), Implementation::WireguardGo, super::$area::$test);
            }
        }
    )* };
}

against_all!(
    traffic::pings_by_every_combination,
    traffic::carries_tcp_without_a_corrupt_byte,
    traffic::carries_iperf_both_ways,
    session::rekeys_under_traffic,
    session::follows_a_roaming_peer,
    session::keeps_alive,
    session::survives_our_restart,
    session::survives_the_peers_restart,
    bad_network::survives_loss_and_reorder,
    hostile::refuses_an_unknown_key,
    hostile::refuses_a_wrong_preshared_key,
    hostile::refuses_replays,
    hostile::refuses_truncated_and_flipped_datagrams,
    hostile::refuses_a_source_outside_allowed_ips,
);
