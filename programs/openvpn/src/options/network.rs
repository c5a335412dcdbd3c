//! Networks and routes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: an address with zero host bits, and a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix_length: u8,
}

impl Network {
    /// The network with this prefix length that contains an address; `None` if the length is
    /// invalid.
    pub fn new(address: IpAddr, prefix_length: u8) -> Option<Self> {
        let address = match address {
            IpAddr::V4(address) if prefix_length <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix_length)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) if prefix_length <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix_length)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
            _ => return None,
        };
        Some(Self { address, prefix_length })
    }

    /// Its first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The prefix length.
    pub const fn prefix_length(&self) -> u8 {
        self.prefix_length
    }

    /// Whether the network contains an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::new(address, self.prefix_length)
            .is_some_and(|network| network == *self && address.is_ipv4() == self.address.is_ipv4())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_length)
    }
}

/// The prefix length of a mask; `None` if the mask is not contiguous.
pub fn mask_length(mask: Ipv4Addr) -> Option<u8> {
    let bits = mask.to_bits();
    (bits.leading_ones() + bits.trailing_zeros().min(32) >= 32).then_some(bits.leading_ones() as u8)
}

/// A route into the tunnel or past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The destination.
    pub network: RouteNetwork,
    /// The gateway.
    pub gateway: RouteGateway,
    /// Its metric.
    pub metric: Option<u32>,
}

/// Destination of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteNetwork {
    /// A network.
    Network(Network),
    /// The server's own address (`remote_host`).
    Server,
}

/// Gateway of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteGateway {
    /// The tunnel (`vpn_gateway`, `default` or none).
    Tunnel,
    /// The machine's default gateway without the tunnel (`net_gateway`).
    Around,
    /// This gateway.
    Address(IpAddr),
}

impl Route {
    /// `route network [mask [gateway [metric]]]`, without the option name.
    pub fn parse_v4(words: &[&str]) -> Option<Self> {
        let (&network, rest) = words.split_first()?;
        let network = match network {
            "remote_host" => RouteNetwork::Server,
            _ => {
                let mask = match rest.first() {
                    None | Some(&"default") => Ipv4Addr::BROADCAST,
                    Some(mask) => mask.parse().ok()?,
                };
                let address: Ipv4Addr = network.parse().ok()?;
                RouteNetwork::Network(Network::new(address.into(), mask_length(mask)?)?)
            }
        };
        Self::with(network, rest.get(1..).unwrap_or_default())
    }

    /// `route-ipv6 network/length [gateway [metric]]`, without the option name.
    pub fn parse_v6(words: &[&str]) -> Option<Self> {
        let (&network, rest) = words.split_first()?;
        let (address, length) = network.split_once('/').unwrap_or((network, "128"));
        let address: Ipv6Addr = address.parse().ok()?;
        let network = Network::new(address.into(), length.parse().ok()?)?;
        Self::with(RouteNetwork::Network(network), rest)
    }

    /// Builds the route with `[gateway [metric]]`.
    fn with(network: RouteNetwork, words: &[&str]) -> Option<Self> {
        let (gateway, metric) = match words {
            [] => ("default", None),
            [gateway] => (*gateway, None),
            [gateway, metric] => (*gateway, Some(metric).filter(|metric| **metric != "default")),
            _ => return None,
        };
        let gateway = match gateway {
            "default" | "vpn_gateway" => RouteGateway::Tunnel,
            "net_gateway" | "net_gateway_ipv6" => RouteGateway::Around,
            address => RouteGateway::Address(address.parse().ok()?),
        };
        Some(Self { network, gateway, metric: metric.map(|text| text.parse()).transpose().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(route: Option<Route>) -> String {
        match route.map(|route| (route.network, route.gateway, route.metric)) {
            Some((RouteNetwork::Network(network), gateway, metric)) => {
                format!("{network} {gateway:?} {metric:?}")
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn routes_are_read() {
        let v4 = |words: &[&str]| shown(Route::parse_v4(words));
        assert_eq!(v4(&["10.1.2.3"]), "10.1.2.3/32 Tunnel None");
        assert_eq!(v4(&["10.1.2.3", "255.255.0.0"]), "10.1.0.0/16 Tunnel None");
        assert_eq!(v4(&["0.0.0.0", "0.0.0.0", "net_gateway", "7"]), "0.0.0.0/0 Around Some(7)");
        assert_eq!(
            v4(&["10.0.0.0", "255.0.0.0", "10.8.0.1", "default"]),
            "10.0.0.0/8 Address(10.8.0.1) None"
        );
        let v6 = |words: &[&str]| shown(Route::parse_v6(words));
        assert_eq!(v6(&["2001:db8::7/32"]), "2001:db8::/32 Tunnel None");
        assert_eq!(v6(&["::/0", "fd00::1", "3"]), "::/0 Address(fd00::1) Some(3)");
        for bad in [&["10.0.0.0", "255.0.255.0"][..], &["host.example"], &[], &["10.0.0.0", "x"]] {
            assert_eq!(Route::parse_v4(bad), None, "{bad:?}");
        }
        assert_eq!(Route::parse_v6(&["2001:db8::/129"]), None);
    }

    #[test]
    fn masks_have_no_holes() {
        let length = |mask: [u8; 4]| mask_length(mask.into());
        assert_eq!(length([0, 0, 0, 0]), Some(0));
        assert_eq!(length([255, 255, 255, 0]), Some(24));
        assert_eq!(length([255, 255, 255, 255]), Some(32));
        assert_eq!(length([255, 0, 255, 0]), None);
        assert_eq!(length([0, 0, 0, 255]), None);
    }
}
