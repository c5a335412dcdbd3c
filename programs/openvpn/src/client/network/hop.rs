//! Next hops of the machine's routes without the tunnel.

use std::cmp::Reverse;
use std::io;
use std::net::IpAddr;

use crate::commands::{self, Command};
use crate::options::Network;

/// A device, and the gateway if the destination is not on link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct Hop {
    pub(in crate::client) gateway: Option<IpAddr>,
    pub(in crate::client) device: String,
}

/// The next hops that a plan needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct Hops {
    pub(in crate::client) to_server: Option<Hop>,
    pub(in crate::client) default_v4: Option<Hop>,
    pub(in crate::client) default_v6: Option<Hop>,
}

/// Routes that are the tunnel's.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct OwnRoutes<'r> {
    /// The tunnel's interface.
    pub(in crate::client) interface: &'r str,
    /// The host route to the server.
    pub(in crate::client) way: Option<Network>,
}

impl Hops {
    /// Reads them from `ip route`, as if the tunnel's own routes did not exist.
    pub(in crate::client) fn find(server: IpAddr, own: OwnRoutes<'_>) -> io::Result<Self> {
        let text = server.to_string();
        // The kernel's choice takes account of rules and other tables, and of the tunnel.
        let chosen = Hop::read(&ip(&["route", "get", &text])?);
        let is_ours = |hop: &Hop| {
            hop.device == own.interface || own.way.is_some_and(|way| way.contains(server))
        };
        let to_server = match chosen {
            Some(hop) if is_ours(&hop) => {
                let family = if server.is_ipv4() { "-4" } else { "-6" };
                Hop::best(&ip(&[family, "route", "show", "match", &text])?, own)
            }
            chosen => chosen,
        };
        Ok(Self {
            to_server,
            default_v4: Hop::best(&ip(&["-4", "route", "show", "default"])?, own),
            default_v6: Hop::best(&ip(&["-6", "route", "show", "default"])?, own),
        })
    }
}

impl Hop {
    /// The next hop of the most specific route in the output of `ip route show` that can be used
    /// and is none of the tunnel's.
    fn best(text: &str, own: OwnRoutes<'_>) -> Option<Self> {
        let mut best: Option<(u8, Reverse<u32>, Self)> = None;
        let mut prefix = "";
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(&first) = words.first() else { continue };
            // `nexthop`: one of several hops of the route above.
            if first != "nexthop" {
                prefix = first;
            }
            // Also skips types such as `unreachable`, whose prefix follows.
            let Some(length) = prefix_length(prefix) else { continue };
            let is_way = own.way.is_some_and(|way| {
                length == way.prefix_length() && prefix == way.address().to_string()
            });
            let Some(hop) = Self::read(line).filter(|hop| hop.device != own.interface) else {
                continue;
            };
            if is_way || words.iter().any(|word| matches!(*word, "linkdown" | "dead")) {
                continue;
            }
            let metric = after(&words, "metric").and_then(|metric| metric.parse().ok());
            let rank = (length, Reverse(metric.unwrap_or(0)));
            if best.as_ref().is_none_or(|(length, metric, _)| rank > (*length, *metric)) {
                best = Some((rank.0, rank.1, hop));
            }
        }
        best.map(|(.., hop)| hop)
    }

    /// Parses the first line of `ip route`: `... [via GATEWAY] dev DEVICE ...`.
    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.lines().next()?.split_whitespace().collect();
        // `via inet6 ADDRESS`: a gateway of the other family is not supported.
        let gateway = after(&words, "via").and_then(|gateway| gateway.parse().ok());
        Some(Self { gateway, device: after(&words, "dev")?.to_owned() })
    }
}

/// The word after a word.
fn after<'t>(words: &[&'t str], name: &str) -> Option<&'t str> {
    let at = words.iter().position(|word| *word == name)?;
    words.get(at + 1).copied()
}

/// The length of a prefix as `ip` prints it.
fn prefix_length(prefix: &str) -> Option<u8> {
    if prefix == "default" {
        return Some(0);
    }
    match prefix.split_once('/') {
        Some((_, length)) => length.parse().ok(),
        None => prefix.parse().ok().map(|address: IpAddr| if address.is_ipv4() { 32 } else { 128 }),
    }
}

/// The output of `ip`; empty if it fails, as on a machine without IPv6.
fn ip(arguments: &[&str]) -> io::Result<String> {
    Ok(commands::run(&Command::ip(arguments))?.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: OwnRoutes<'_> = OwnRoutes { interface: "tun0", way: None };

    fn hop(gateway: Option<[u8; 4]>, device: &str) -> Option<Hop> {
        Some(Hop { gateway: gateway.map(IpAddr::from), device: device.into() })
    }

    #[test]
    fn hops_are_read() {
        assert_eq!(
            Hop::read("1.1.1.1 via 10.0.0.1 dev eth0 src 10.0.0.2 uid 0 \n    cache \n"),
            hop(Some([10, 0, 0, 1]), "eth0")
        );
        assert_eq!(Hop::read("10.0.0.9 dev eth0 src 10.0.0.2 uid 0"), hop(None, "eth0"));
        assert_eq!(
            Hop::best(
                "default via 10.0.0.1 dev wlan0 proto dhcp metric 600\n\
                 default via 10.0.1.1 dev eth0 metric 700",
                NONE
            ),
            hop(Some([10, 0, 0, 1]), "wlan0")
        );
        assert_eq!(Hop::read(""), None);
        assert_eq!(Hop::read("unreachable 10.0.0.0/8"), None);
    }

    /// Routes of the tunnel, which stay while the client connects anew, are no way to the server.
    #[test]
    fn the_way_to_the_server_is_never_the_tunnel() {
        let routes = "default dev tun0 \n\
            default via 10.0.0.1 dev eth0 metric 100 \n\
            0.0.0.0/1 dev tun0 scope link \n\
            192.0.0.0/8 via 10.0.0.3 dev eth1 linkdown \n\
            unreachable 192.0.2.0/24 \n\
            192.0.2.0/24 proto static \n\
            \tnexthop via 10.0.0.4 dev eth2 weight 1 dead \n\
            \tnexthop via 10.0.0.5 dev eth3 weight 1 \n\
            192.0.2.9 via 10.0.0.2 dev eth0 \n";
        let way = Network::new([192, 0, 2, 9].into(), 32);
        let best = |text, way| Hop::best(text, OwnRoutes { interface: "tun0", way });
        assert_eq!(best(routes, None), hop(Some([10, 0, 0, 2]), "eth0"));
        assert_eq!(best(routes, way), hop(Some([10, 0, 0, 5]), "eth3"));
        let first_lines = |count| routes.lines().take(count).map(|line| format!("{line}\n"));
        let text: String = first_lines(5).collect();
        assert_eq!(best(&text, way), hop(Some([10, 0, 0, 1]), "eth0"));
        assert_eq!(best("default dev tun0\n0.0.0.0/1 dev tun0\n", way), None);
    }
}
