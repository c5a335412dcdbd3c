//! Plans the network configuration for a tunnel's options: addresses, MTU, routes.

mod apply;
mod guard;
mod hop;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) use apply::Applied;
pub(super) use hop::{Hop, Hops, OwnRoutes};

use crate::options::{
    DnsOptions, Network, Route, RouteGateway, RouteNetwork, Topology, TunnelOptions, mask_length,
};

/// Default MTU.
const DEFAULT_MTU: u32 = 1500;

/// Both halves of the IPv4 and IPv6 address spaces. They are more specific than a default route,
/// which stays in place.
const HALVES_V4: [(Ipv4Addr, u8); 2] =
    [(Ipv4Addr::UNSPECIFIED, 1), (Ipv4Addr::new(128, 0, 0, 0), 1)];
const HALVES_V6: [(Ipv6Addr, u8); 2] =
    [(Ipv6Addr::UNSPECIFIED, 1), (Ipv6Addr::new(0x8000, 0, 0, 0, 0, 0, 0, 0), 1)];

/// The network configuration to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) mtu: u32,
    pub(super) addresses: Vec<Address>,
    /// The host route to the server, where a route of the tunnel covers its address.
    pub(super) way: Option<PlannedRoute>,
    /// The server is on link and needs no host route (`redirect-gateway local`).
    pub(super) is_server_local: bool,
    /// In the order of their creation.
    pub(super) routes: Vec<PlannedRoute>,
    pub(super) dns: DnsOptions,
}

/// An address of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) local: IpAddr,
    pub(super) prefix_length: u8,
    /// The peer address of a point-to-point interface.
    pub(super) remote: Option<IpAddr>,
}

/// A route of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedRoute {
    pub(super) network: Network,
    pub(super) next_hop: NextHop,
    pub(super) metric: Option<u32>,
}

/// Next hop of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NextHop {
    /// The tunnel.
    Tunnel,
    /// The machine's next hop without the tunnel.
    Hop(Hop),
    /// A gateway outside the tunnel, which the kernel resolves.
    Gateway(IpAddr),
}

/// Why options can't be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlanError {
    /// The mask of `ifconfig` is not contiguous.
    Mask(Ipv4Addr),
    /// The MTU is out of range.
    Mtu(u32),
    /// A route bypasses the tunnel, and the machine has no default route.
    NoWayAround(Network),
}

impl Plan {
    /// Plans these options for a server's address and the machine's present routes.
    pub(super) fn new(
        options: &TunnelOptions,
        server: IpAddr,
        hops: &Hops,
    ) -> Result<Self, PlanError> {
        let mtu = options.tun_mtu.unwrap_or(DEFAULT_MTU);
        // RFC 791's minimum, and the longest IP packet.
        if !(68..=65535).contains(&mtu) {
            return Err(PlanError::Mtu(mtu));
        }
        let mut plan = Self {
            mtu,
            addresses: addresses(options)?,
            way: None,
            is_server_local: options.redirect_gateway.is_some_and(|redirect| redirect.is_local),
            routes: Vec::new(),
            dns: options.dns.clone(),
        };
        for route in &options.routes {
            plan.routes.push(planned(route, options, server, hops)?);
        }
        plan.redirect(options);
        if !plan.is_server_local && is_within_tunnel(&plan.routes, server) {
            plan.way = hops.to_server.as_ref().and_then(|hop| way_to(server, hop));
        }
        Ok(plan)
    }

    fn redirect(&mut self, options: &TunnelOptions) {
        let Some(redirect) = options.redirect_gateway else { return };
        let mut halves = Vec::new();
        if !redirect.is_not_ipv4 {
            halves.extend(HALVES_V4.map(|(address, length)| (IpAddr::from(address), length)));
        }
        if redirect.is_ipv6 {
            halves.extend(HALVES_V6.map(|(address, length)| (IpAddr::from(address), length)));
        }
        let networks =
            halves.into_iter().filter_map(|(address, length)| Network::new(address, length));
        let route = |network| PlannedRoute { network, next_hop: NextHop::Tunnel, metric: None };
        self.routes.extend(networks.map(route));
    }
}

/// Whether a route of the tunnel covers an address.
fn is_within_tunnel(routes: &[PlannedRoute], address: IpAddr) -> bool {
    let covers =
        |route: &PlannedRoute| route.next_hop == NextHop::Tunnel && route.network.contains(address);
    routes.iter().any(covers)
}

/// The host route to a server.
fn way_to(server: IpAddr, hop: &Hop) -> Option<PlannedRoute> {
    let network = Network::new(server, if server.is_ipv4() { 32 } else { 128 })?;
    Some(PlannedRoute { network, next_hop: NextHop::Hop(hop.clone()), metric: None })
}

fn addresses(options: &TunnelOptions) -> Result<Vec<Address>, PlanError> {
    let mut addresses = Vec::new();
    if let Some((local, second)) = options.ifconfig {
        addresses.push(match options.topology() {
            Topology::Subnet => Address {
                local: local.into(),
                prefix_length: mask_length(second).ok_or(PlanError::Mask(second))?,
                remote: None,
            },
            Topology::Net30 | Topology::P2p => {
                Address { local: local.into(), prefix_length: 32, remote: Some(second.into()) }
            }
        });
    }
    if let Some((local, prefix_length, _)) = options.ifconfig_v6 {
        addresses.push(Address { local: local.into(), prefix_length, remote: None });
    }
    Ok(addresses)
}

fn planned(
    route: &Route,
    options: &TunnelOptions,
    server: IpAddr,
    hops: &Hops,
) -> Result<PlannedRoute, PlanError> {
    let network = match route.network {
        RouteNetwork::Network(network) => Some(network),
        RouteNetwork::Server => Network::new(server, if server.is_ipv4() { 32 } else { 128 }),
    };
    // The prefix lengths are valid by construction.
    let network = network.ok_or(PlanError::Mtu(0))?;
    let hop = if network.address().is_ipv4() { &hops.default_v4 } else { &hops.default_v6 };
    let next_hop = match route.gateway {
        RouteGateway::Tunnel => NextHop::Tunnel,
        RouteGateway::Around => NextHop::Hop(hop.clone().ok_or(PlanError::NoWayAround(network))?),
        RouteGateway::Address(gateway) if is_within(gateway, options) => NextHop::Tunnel,
        RouteGateway::Address(gateway) => NextHop::Gateway(gateway),
    };
    Ok(PlannedRoute { network, next_hop, metric: route.metric.or(options.route_metric) })
}

/// Whether a gateway is inside the tunnel. Its address then does not matter: the tunnel has no
/// link layer.
fn is_within(gateway: IpAddr, options: &TunnelOptions) -> bool {
    let gateways = [
        options.route_gateway.map(IpAddr::from),
        options.route_gateway_v6.map(IpAddr::from),
        options.ifconfig_v6.and_then(|(.., remote)| remote).map(IpAddr::from),
    ];
    let subnet = |address: &Address| {
        address.remote == Some(gateway)
            || Network::new(address.local, address.prefix_length)
                .is_some_and(|network| network.contains(gateway))
    };
    gateways.contains(&Some(gateway))
        || addresses(options).is_ok_and(|addresses| addresses.iter().any(subnet))
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mask(mask) => write!(f, "ifconfig: mask is not contiguous: {mask}"),
            Self::Mtu(mtu) => write!(f, "MTU of {mtu} bytes is out of range (68 to 65535)"),
            Self::NoWayAround(network) => {
                write!(f, "route {network} bypasses the tunnel, but there is no default route")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(options: &[&str]) -> Result<Plan, PlanError> {
        let mut tunnel = TunnelOptions::default();
        for option in options {
            let words: Vec<_> = option.split(' ').collect();
            assert_eq!(tunnel.apply(&words), Ok(true), "{option}");
        }
        let hop = || Some(Hop { gateway: Some([192, 0, 2, 1].into()), device: "eth0".into() });
        let hops = Hops { to_server: hop(), default_v4: hop(), default_v6: None };
        Plan::new(&tunnel, [198, 51, 100, 7].into(), &hops)
    }

    fn routes(options: &[&str]) -> Vec<String> {
        let shown = |route: &PlannedRoute| {
            let next_hop = match &route.next_hop {
                NextHop::Tunnel => "tunnel".to_owned(),
                NextHop::Hop(hop) => hop.device.clone(),
                NextHop::Gateway(gateway) => gateway.to_string(),
            };
            format!("{} {next_hop} {}", route.network, route.metric.unwrap_or(0))
        };
        let plan = plan(options).unwrap();
        plan.way.iter().chain(&plan.routes).map(shown).collect()
    }

    #[test]
    fn addresses_follow_the_topology() {
        let subnet = plan(&["topology subnet", "ifconfig 10.8.0.2 255.255.255.0"]).unwrap();
        let address = Address { local: [10, 8, 0, 2].into(), prefix_length: 24, remote: None };
        assert_eq!(subnet.addresses, [address]);
        let remote = Some([10, 8, 0, 5].into());
        let address = Address { local: [10, 8, 0, 6].into(), prefix_length: 32, remote };
        for topology in ["topology net30", "topology p2p"] {
            assert_eq!(
                plan(&[topology, "ifconfig 10.8.0.6 10.8.0.5"]).unwrap().addresses,
                [address]
            );
        }
        let v6 = plan(&["ifconfig-ipv6 fd00::2/112 fd00::1"]).unwrap();
        assert_eq!(v6.addresses[0].prefix_length, 112);
        let holes = plan(&["topology subnet", "ifconfig 10.8.0.2 255.0.255.0"]);
        assert_eq!(holes, Err(PlanError::Mask([255, 0, 255, 0].into())));
        assert_eq!(plan(&["tun-mtu 20"]), Err(PlanError::Mtu(20)));
    }

    #[test]
    fn routes_go_into_the_tunnel_or_around() {
        let options = [
            "topology subnet",
            "ifconfig 10.8.0.2 255.255.255.0",
            "route-metric 9",
            "route 10.1.0.0 255.255.0.0",
            "route 10.2.0.0 255.255.0.0 10.8.0.1 3",
            "route 10.3.0.0 255.255.0.0 net_gateway",
            "route 10.4.0.0 255.255.0.0 172.16.0.1",
        ];
        let expected = [
            "10.1.0.0/16 tunnel 9",
            "10.2.0.0/16 tunnel 3",
            "10.3.0.0/16 eth0 9",
            "10.4.0.0/16 172.16.0.1 9",
        ];
        assert_eq!(routes(&options), expected);
        let around = plan(&["route-ipv6 fd00::/64 net_gateway"]);
        assert!(matches!(around, Err(PlanError::NoWayAround(_))), "{around:?}");
    }

    #[test]
    fn the_server_is_still_reached_when_all_goes_into_the_tunnel() {
        assert_eq!(
            routes(&["redirect-gateway def1"]),
            ["198.51.100.7/32 eth0 0", "0.0.0.0/1 tunnel 0", "128.0.0.0/1 tunnel 0"]
        );
        assert_eq!(routes(&["redirect-gateway def1 local"]).len(), 2);
        assert_eq!(
            routes(&["redirect-gateway ipv6 !ipv4"]),
            ["::/1 tunnel 0", "8000::/1 tunnel 0"]
        );
        assert_eq!(
            routes(&["route 198.51.0.0 255.255.0.0"]),
            ["198.51.100.7/32 eth0 0", "198.51.0.0/16 tunnel 0"]
        );
    }
}
