//! Network configuration of the server's interface: addresses, MTU, routes.

use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};

use super::pool::Pool;
use crate::commands::{self, Command};
use crate::options::{RouteGateway, RouteNetwork};
use crate::profile::ServerProfile;

/// A configured interface. Restored on drop.
pub(super) struct Host {
    interface: String,
    addresses: Vec<String>,
}

impl Host {
    /// Configures addresses and routes.
    pub(super) fn configure(interface: &str, profile: &ServerProfile, pool: &Pool) -> Result<Self> {
        let mtu = profile.common.tunnel.tun_mtu.unwrap_or(1500);
        let mut host = Self { interface: interface.to_owned(), addresses: Vec::new() };
        ip(&["link", "set", interface, "mtu", &mtu.to_string(), "up"])?;
        let (address, length) = pool.own();
        host.add_address(format!("{address}/{length}"), &[])?;
        if let Some((address, length)) = pool.own_v6() {
            // A tunnel has no other node that could hold the address.
            host.add_address(format!("{address}/{length}"), &["nodad"])?;
        }
        for route in &profile.common.tunnel.routes {
            let RouteNetwork::Network(network) = route.network else { continue };
            let network = network.to_string();
            let mut words = vec!["route", "replace", &network];
            let gateway;
            match route.gateway {
                RouteGateway::Tunnel => words.extend(["dev", interface]),
                RouteGateway::Address(address) => {
                    gateway = address.to_string();
                    words.extend(["via", &gateway]);
                }
                RouteGateway::Around => continue,
            }
            ip(&words)?;
        }
        Ok(host)
    }

    fn add_address(&mut self, address: String, more: &[&str]) -> Result<()> {
        ip(&[&["address", "replace", &address, "dev", &self.interface], more].concat())?;
        self.addresses.push(address);
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for address in &self.addresses {
            let _ = ip(&["address", "delete", address, "dev", &self.interface]);
        }
        // The kernel removes routes over an interface that is down.
        let _ = ip(&["link", "set", &self.interface, "down"]);
    }
}

/// The sysctl that is missing for packets between clients, which pass through the host's IP stack.
pub(super) fn forwarding_hint(family: IpAddr) -> Option<&'static str> {
    let (file, setting) = match family {
        IpAddr::V4(_) => ("/proc/sys/net/ipv4/ip_forward", "net.ipv4.ip_forward=1"),
        IpAddr::V6(_) => {
            ("/proc/sys/net/ipv6/conf/all/forwarding", "net.ipv6.conf.all.forwarding=1")
        }
    };
    let is_on = fs::read_to_string(file).is_ok_and(|text| text.trim() != "0");
    (!is_on).then_some(setting)
}

fn ip(words: &[&str]) -> Result<()> {
    let answer = commands::run(&Command::ip(words)).context("ip (iproute2)")?;
    ensure!(answer.is_success, "ip {}: {}", words.join(" "), answer.errors.trim());
    Ok(())
}
