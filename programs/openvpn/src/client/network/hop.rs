//! Next hops of the machine's routes without the tunnel.

use std::io;
use std::net::IpAddr;
use std::process::Command;

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

impl Hops {
    /// Reads them from `ip route`.
    pub(in crate::client) fn find(server: IpAddr) -> io::Result<Self> {
        Ok(Self {
            to_server: Hop::read(&ip(&["route", "get", &server.to_string()])?),
            default_v4: Hop::read(&ip(&["-4", "route", "show", "default"])?),
            default_v6: Hop::read(&ip(&["-6", "route", "show", "default"])?),
        })
    }
}

impl Hop {
    /// Parses the first line of `ip route`: `... [via GATEWAY] dev DEVICE ...`.
    fn read(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.lines().next()?.split_whitespace().collect();
        let after = |name| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        // `via inet6 ADDRESS`: a gateway of the other family is not supported.
        let gateway = after("via").and_then(|gateway| gateway.parse().ok());
        Some(Self { gateway, device: after("dev")?.to_owned() })
    }
}

/// The output of `ip`; empty if it fails, as on a machine without IPv6.
fn ip(arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("ip").args(arguments).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        let hop = |gateway: Option<[u8; 4]>, device: &str| {
            Some(Hop { gateway: gateway.map(IpAddr::from), device: device.into() })
        };
        assert_eq!(
            Hop::read("1.1.1.1 via 10.0.0.1 dev eth0 src 10.0.0.2 uid 0 \n    cache \n"),
            hop(Some([10, 0, 0, 1]), "eth0")
        );
        assert_eq!(Hop::read("10.0.0.9 dev eth0 src 10.0.0.2 uid 0"), hop(None, "eth0"));
        assert_eq!(
            Hop::read(
                "default via 10.0.0.1 dev wlan0 proto dhcp metric 600\n\
                 default via 10.0.1.1 dev eth0"
            ),
            hop(Some([10, 0, 0, 1]), "wlan0")
        );
        assert_eq!(Hop::read(""), None);
        assert_eq!(Hop::read("unreachable 10.0.0.0/8"), None);
    }
}
