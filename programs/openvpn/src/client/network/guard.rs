//! Holds packets back while addresses of the tunnel change.
//!
//! Linux removes routes with the last address of an interface, and for a moment packets for the
//! tunnel would take other routes. The guard's routes have the same networks, no interface, and the
//! next metric, so that they apply exactly as long as the tunnel's are missing.

use crate::client::log::Log;
use crate::client::network::{Address, NextHop, PlannedRoute};
use crate::commands::{self, Command};
use crate::options::Network;

// Metrics of routes for which no metric is given: ours, and the kernel's for an address.
const METRIC_V4: u32 = 0;
const METRIC_V6: u32 = 1024;
const METRIC_V6_OF_ADDRESS: u32 = 256;

/// Routes that drop packets. Removed on drop.
pub(super) struct Guard {
    routes: Vec<String>,
    log: Log,
}

impl Guard {
    /// Guards the networks of these addresses and routes.
    pub(super) fn new(addresses: &[Address], routes: &[PlannedRoute], log: Log) -> Self {
        let mut guard = Self { routes: Vec::new(), log };
        for address in addresses {
            let of = address.remote.unwrap_or(address.local);
            let metric = if of.is_ipv4() { METRIC_V4 } else { METRIC_V6_OF_ADDRESS };
            if let Some(network) = Network::new(of, address.prefix_length) {
                guard.add(network, metric);
            }
        }
        for route in routes.iter().filter(|route| route.next_hop == NextHop::Tunnel) {
            let default = if route.network.address().is_ipv4() { METRIC_V4 } else { METRIC_V6 };
            guard.add(route.network, route.metric.unwrap_or(default));
        }
        guard
    }

    fn add(&mut self, network: Network, metric: u32) {
        let family = if network.address().is_ipv4() { "-4" } else { "-6" };
        let route = format!("{network} metric {}", metric.saturating_add(1));
        // Fails if there is a route with this metric, which applies in the guard's place.
        if self.ip(&format!("{family} route add blackhole {route}")) {
            self.routes.push(format!("{family} route del blackhole {route}"));
        }
    }

    fn ip(&self, arguments: &str) -> bool {
        self.log.detail(format_args!("ip {arguments}"));
        let arguments: Vec<_> = arguments.split(' ').collect();
        commands::run(&Command::ip(&arguments)).is_ok_and(|answer| answer.is_success)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        for command in std::mem::take(&mut self.routes) {
            self.ip(&command);
        }
    }
}
