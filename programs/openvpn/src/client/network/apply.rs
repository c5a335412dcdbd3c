//! Applies a plan with `ip`, changes it, and undoes it.

use std::io;
use std::net::IpAddr;

use crate::client::log::Log;
use crate::client::network::guard::Guard;
use crate::client::network::{
    Address, Hop, NextHop, OwnRoutes, Plan, PlannedRoute, is_within_tunnel, way_to,
};
use crate::commands::{self, Command};
use crate::options::DnsOptions;

/// An applied plan. Undone on drop.
pub(in crate::client) struct Applied {
    interface: String,
    mtu: u32,
    addresses: Vec<Address>,
    /// The routes that were added, in this order.
    routes: Vec<PlannedRoute>,
    /// The host route to the server.
    way: Option<PlannedRoute>,
    /// The server is on link and needs no host route (`redirect-gateway local`).
    is_server_local: bool,
    dns: DnsOptions,
    log: Log,
}

impl Applied {
    /// Configures the interface and adds the routes. A route that can't be added is logged and
    /// skipped.
    ///
    /// # Errors
    ///
    /// When the interface itself can't be configured; then everything is undone.
    pub(in crate::client) fn new(plan: Plan, interface: &str, log: Log) -> io::Result<Self> {
        let mut applied = Self {
            interface: interface.to_owned(),
            mtu: plan.mtu,
            addresses: Vec::new(),
            routes: Vec::new(),
            way: None,
            is_server_local: false,
            dns: DnsOptions::default(),
            log,
        };
        // Remains of a killed client: routes vanish with the link, addresses don't.
        applied.ip(&words(&["link", "set", "dev", interface, "down"]))?;
        applied.ip(&words(&["addr", "flush", "dev", interface]))?;
        let mtu = plan.mtu.to_string();
        applied.ip(&words(&["link", "set", "dev", interface, "mtu", &mtu, "up"]))?;
        applied.update(plan)?;
        Ok(applied)
    }

    /// Applies the difference to another plan. New routes are added before obsolete ones are
    /// removed, and no packet for the tunnel takes another route meanwhile.
    ///
    /// # Errors
    ///
    /// Like [`Applied::new`], but nothing is undone.
    pub(in crate::client) fn update(&mut self, plan: Plan) -> io::Result<()> {
        if plan.mtu != self.mtu {
            let mtu = plan.mtu.to_string();
            self.ip(&words(&["link", "set", "dev", &self.interface, "mtu", &mtu]))?;
            self.mtu = plan.mtu;
        }
        // Logged.
        let _ = self.set_way(plan.way);
        self.is_server_local = plan.is_server_local;
        self.set_addresses(plan.addresses)?;
        self.set_routes(plan.routes);
        self.set_dns(plan.dns);
        Ok(())
    }

    /// Adds a host route to a server that a route of the tunnel covers, and removes that to the
    /// previous server.
    ///
    /// # Errors
    ///
    /// When the server can't be reached without the tunnel.
    pub(in crate::client) fn open_way(
        &mut self,
        server: IpAddr,
        hop: Option<&Hop>,
    ) -> io::Result<()> {
        let is_covered = !self.is_server_local && is_within_tunnel(&self.routes, server);
        let way = match (is_covered, hop) {
            (false, _) => None,
            (true, Some(hop)) => way_to(server, hop),
            (true, None) => return Err(io::Error::other("no route to it without the tunnel")),
        };
        self.set_way(way)
    }

    /// The tunnel's own routes.
    pub(in crate::client) fn own_routes(&self) -> OwnRoutes<'_> {
        let way = self.way.as_ref().map(|way| way.network);
        OwnRoutes { interface: &self.interface, way }
    }

    /// The interface's addresses.
    pub(in crate::client) fn addresses(&self) -> Vec<String> {
        self.addresses.iter().map(|address| address.local.to_string()).collect()
    }

    /// The interface's MTU.
    pub(in crate::client) const fn mtu(&self) -> u32 {
        self.mtu
    }

    /// Replaces the host route to the server.
    fn set_way(&mut self, way: Option<PlannedRoute>) -> io::Result<()> {
        if way == self.way {
            return Ok(());
        }
        let before = self.way.take();
        let is_replaced =
            matches!((&way, &before), (Some(way), Some(before)) if way.network == before.network);
        let result = match &way {
            Some(way) => self.route(if is_replaced { "replace" } else { "add" }, way),
            None => Ok(()),
        };
        if let Some(before) = before.filter(|_| !is_replaced) {
            self.delete_route(&before);
        }
        match result {
            Ok(()) => self.way = way,
            // A route of the user's.
            Err(error) if error.to_string().contains("File exists") => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn set_addresses(&mut self, addresses: Vec<Address>) -> io::Result<()> {
        if addresses == self.addresses {
            return Ok(());
        }
        let guard = Guard::new(&self.addresses, &self.routes, self.log);
        for address in &addresses {
            if !self.addresses.contains(address) {
                self.address("add", address)?;
                let Address { local, prefix_length, .. } = address;
                self.log.step(format_args!("{}: address {local}/{prefix_length}", self.interface));
                self.addresses.push(*address);
            }
        }
        let obsolete: Vec<_> =
            self.addresses.iter().filter(|a| !addresses.contains(a)).copied().collect();
        for address in &obsolete {
            self.address("del", address)?;
        }
        self.addresses = addresses;
        if !obsolete.is_empty() {
            // With an address, Linux removes the others of its network, and with the last one all
            // routes.
            for address in &self.addresses {
                self.address("replace", address)?;
            }
            for route in self.routes.iter().filter(|route| route.next_hop == NextHop::Tunnel) {
                // Fails if it is still there.
                let _ = self.ip(&self.route_command("add", route));
            }
        }
        drop(guard);
        Ok(())
    }

    fn address(&self, verb: &str, address: &Address) -> io::Result<()> {
        let Address { local, prefix_length, remote } = address;
        let mut command = words(&["addr", verb]);
        match remote {
            Some(remote) => command.extend(words(&[
                &local.to_string(),
                "peer",
                &format!("{remote}/{prefix_length}"),
            ])),
            None => command.push(format!("{local}/{prefix_length}")),
        }
        command.extend(words(&["dev", &self.interface]));
        if local.is_ipv6() && verb != "del" {
            // A tunnel has no other node that could hold the address.
            command.push("nodad".into());
        }
        self.ip(&command)
    }

    fn set_routes(&mut self, routes: Vec<PlannedRoute>) {
        let before = std::mem::take(&mut self.routes);
        let is_same = |one: &PlannedRoute, other: &PlannedRoute| {
            one.network == other.network && one.metric == other.metric
        };
        for route in routes {
            let is_there = before.contains(&route)
                || match before.iter().any(|old| is_same(old, &route)) {
                    true => self.route("replace", &route).is_ok(),
                    false => self.route("add", &route).is_ok(),
                };
            if is_there && !self.routes.contains(&route) {
                self.routes.push(route);
            }
        }
        for old in before {
            if !self.routes.iter().any(|route| is_same(route, &old)) {
                self.delete_route(&old);
            }
        }
    }

    /// Adds or replaces a route, and logs it or the error.
    fn route(&self, verb: &str, route: &PlannedRoute) -> io::Result<()> {
        let command = self.route_command(verb, route);
        let result = self.ip(&command);
        match &result {
            Ok(()) => self.log.step(format_args!("route: {}", command[3..].join(" "))),
            Err(error) => self.log.error(format_args!("skipped a route: {error}")),
        }
        result
    }

    fn delete_route(&self, route: &PlannedRoute) {
        // It may be gone with its interface.
        if let Err(error) = self.ip(&self.route_command("del", route)) {
            self.log.detail(error);
        }
    }

    fn route_command(&self, verb: &str, route: &PlannedRoute) -> Vec<String> {
        let family = if route.network.address().is_ipv4() { "-4" } else { "-6" };
        let mut command = words(&[family, "route", verb, &route.network.to_string()]);
        match &route.next_hop {
            NextHop::Tunnel => command.extend(words(&["dev", &self.interface])),
            NextHop::Gateway(gateway) => command.extend(words(&["via", &gateway.to_string()])),
            NextHop::Hop(hop) => {
                if let Some(gateway) = hop.gateway {
                    command.extend(words(&["via", &gateway.to_string()]));
                }
                command.extend(words(&["dev", &hop.device]));
            }
        }
        if let Some(metric) = route.metric {
            command.extend(words(&["metric", &metric.to_string()]));
        }
        command
    }

    /// Logs the name servers, and passes them to resolvconf(8) where it is installed.
    fn set_dns(&mut self, dns: DnsOptions) {
        if dns == self.dns {
            return;
        }
        let had_servers = !self.dns.is_empty();
        self.dns = dns;
        for server in self.dns.unused() {
            self.log.step(format_args!("DNS: server not set: {server}"));
        }
        if self.dns.is_empty() {
            if had_servers {
                unset_names();
            }
            return;
        }
        let servers = self.dns.servers();
        let domains = self.dns.search_domains();
        let shown: Vec<_> = servers.iter().map(IpAddr::to_string).collect();
        let text = format!("DNS: servers {}; search {}", shown.join(" "), domains.join(" "));
        match set_names(servers, domains) {
            Ok(()) => self.log.step(format_args!("{text} (by resolvconf)")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.log.step(format_args!("{text} (not set: resolvconf is not installed)"));
            }
            Err(error) => self.log.error(format_args!("{text} (not set: resolvconf: {error})")),
        }
    }

    fn ip(&self, arguments: &[String]) -> io::Result<()> {
        self.log.detail(format_args!("ip {}", arguments.join(" ")));
        let answer = commands::run(&Command::ip(arguments))?;
        if answer.is_success {
            return Ok(());
        }
        Err(io::Error::other(format!("ip {}: {}", arguments.join(" "), answer.errors.trim())))
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        if !self.dns.is_empty() {
            unset_names();
        }
        for route in self.routes.iter().rev().chain(&self.way) {
            self.delete_route(route);
        }
        let addresses = self.addresses.iter().rev().map(|address| self.address("del", address));
        let link = || self.ip(&words(&["link", "set", "dev", &self.interface, "down"]));
        for error in addresses.chain(std::iter::once_with(link)).filter_map(Result::err) {
            // The interface may be gone, with its addresses and routes.
            self.log.detail(error);
        }
    }
}

/// Sets name servers and search domains.
///
/// # Errors
///
/// Of the kind [`io::ErrorKind::NotFound`] when resolvconf(8) is not installed.
fn set_names(servers: Vec<IpAddr>, domains: &[String]) -> io::Result<()> {
    let answer = commands::run(&Command::SetNames { servers, domains: domains.to_vec() })?;
    if answer.is_success { Ok(()) } else { Err(io::Error::other(answer.errors.trim().to_owned())) }
}

fn unset_names() {
    // Fails if nothing was set.
    let _ = commands::run(&Command::UnsetNames);
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
