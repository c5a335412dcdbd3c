//! Applies a plan with `ip`, and undoes it.

use std::io::{self, Write};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::client::log::Log;
use crate::client::network::{Address, NextHop, Plan, PlannedRoute};

/// An applied plan. Undone on drop.
pub(in crate::client) struct Applied {
    pub(in crate::client) plan: Plan,
    interface: String,
    /// Undo commands, in the order of the commands that they undo.
    undo: Vec<Vec<String>>,
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
        let mut applied = Self { plan, interface: interface.to_owned(), undo: Vec::new(), log };
        let plan = applied.plan.clone();
        let mtu = plan.mtu.to_string();
        // Remains of a killed client: routes vanish with the link, addresses don't.
        applied.ip(&words(&["link", "set", "dev", interface, "down"]))?;
        applied.ip(&words(&["addr", "flush", "dev", interface]))?;
        applied.ip(&words(&["link", "set", "dev", interface, "mtu", &mtu, "up"]))?;
        applied.undo.push(words(&["link", "set", "dev", interface, "down"]));
        for address in &plan.addresses {
            applied.add_address(address)?;
        }
        for route in &plan.routes {
            applied.add_route(route);
        }
        applied.set_dns();
        Ok(applied)
    }

    fn add_address(&mut self, address: &Address) -> io::Result<()> {
        let Address { local, prefix_length, remote } = address;
        let mut command = words(&["addr", "add"]);
        match remote {
            Some(remote) => command.extend(words(&[
                &local.to_string(),
                "peer",
                &format!("{remote}/{prefix_length}"),
            ])),
            None => command.push(format!("{local}/{prefix_length}")),
        }
        command.extend(words(&["dev", &self.interface]));
        let mut undo = command.clone();
        if local.is_ipv6() {
            // A tunnel has no other node that could hold the address.
            command.push("nodad".into());
        }
        self.ip(&command)?;
        self.log.step(format_args!("{}: address {local}/{prefix_length}", self.interface));
        undo[1] = "del".into();
        self.undo.push(undo);
        Ok(())
    }

    fn add_route(&mut self, route: &PlannedRoute) {
        let family = if route.network.address().is_ipv4() { "-4" } else { "-6" };
        let mut command = words(&[family, "route", "add", &route.network.to_string()]);
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
        match self.ip(&command) {
            Ok(()) => {
                self.log.step(format_args!("route: {}", command[3..].join(" ")));
                command[2] = "del".into();
                self.undo.push(command);
            }
            Err(error) => self.log.error(format_args!("skipped a route: {error}")),
        }
    }

    /// Logs the name servers, and passes them to resolvconf(8) where it is installed.
    fn set_dns(&self) {
        let dns = &self.plan.dns;
        for server in dns.unused() {
            self.log.step(format_args!("DNS: server not set: {server}"));
        }
        if dns.is_empty() {
            return;
        }
        let servers: Vec<_> = dns.servers().iter().map(IpAddr::to_string).collect();
        let search = dns.search_domains().join(" ");
        let text = format!("DNS: servers {}; search {search}", servers.join(" "));
        let mut lines = String::new();
        for server in &servers {
            lines.push_str(&format!("nameserver {server}\n"));
        }
        if !search.is_empty() {
            lines.push_str(&format!("search {search}\n"));
        }
        match resolvconf(&["-a", &self.interface], &lines) {
            Ok(()) => self.log.step(format_args!("{text} (by resolvconf)")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.log.step(format_args!("{text} (not set: resolvconf is not installed)"));
            }
            Err(error) => self.log.error(format_args!("{text} (not set: resolvconf: {error})")),
        }
    }

    fn ip(&self, arguments: &[String]) -> io::Result<()> {
        self.log.detail(format_args!("ip {}", arguments.join(" ")));
        let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(io::Error::other(format!("ip {}: {}", arguments.join(" "), said.trim())))
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        if !self.plan.dns.is_empty() {
            // Fails if nothing was set.
            let _ = resolvconf(&["-d", &self.interface], "");
        }
        for command in std::mem::take(&mut self.undo).into_iter().rev() {
            // The interface may be gone, with its addresses and routes.
            if let Err(error) = self.ip(&command) {
                self.log.detail(error);
            }
        }
    }
}

fn resolvconf(arguments: &[&str], input: &str) -> io::Result<()> {
    let mut child = Command::new("resolvconf")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(status.to_string())) }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
