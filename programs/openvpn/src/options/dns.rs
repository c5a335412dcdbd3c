//! Name servers and search domains: the options `dns` and `dhcp-option`.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Name servers and search domains of a tunnel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsOptions {
    /// Servers of `dns server N`, by their priority N.
    servers: BTreeMap<i8, DnsServer>,
    /// Servers of `dhcp-option DNS`.
    dhcp_servers: Vec<IpAddr>,
    /// Domains of `dhcp-option DOMAIN-ROUTE`, to which those servers are restricted.
    dhcp_domains: Vec<String>,
    search_domains: Vec<String>,
}

/// One `dns server`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct DnsServer {
    addresses: Vec<IpAddr>,
    /// The only domains that the server resolves; empty for all.
    domains: Vec<String>,
    /// The server requires DNSSEC, or a transport other than plain DNS.
    is_secured: bool,
    /// One of its addresses has a port, which resolvers can't be given.
    has_port: bool,
}

impl DnsOptions {
    /// Whether there is nothing to configure.
    pub fn is_empty(&self) -> bool {
        self.servers().is_empty() && self.search_domains.is_empty()
    }

    /// The servers that resolve every name, by priority. A server of certain domains is not among
    /// them. `dns server` replaces `dhcp-option DNS` as a whole, as in OpenVPN: the latter may
    /// repeat the address of a server that the former restricts.
    pub fn servers(&self) -> Vec<IpAddr> {
        if self.servers.is_empty() {
            return match self.is_dhcp_restricted() {
                true => Vec::new(),
                false => self.dhcp_servers.clone(),
            };
        }
        let usable = self.servers.values().filter(|server| server.is_usable());
        usable.flat_map(|server| server.addresses.iter().copied()).collect()
    }

    /// The domains to append to short names.
    pub fn search_domains(&self) -> &[String] {
        &self.search_domains
    }

    /// Descriptions of the servers that are not used, for the user.
    pub fn unused(&self) -> Vec<String> {
        let describe = |addresses: &[IpAddr], reason: &str| {
            let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
            format!("{}: {reason}", addresses.join(" "))
        };
        let only = |domains: &[String]| format!("only for {}", domains.join(" "));
        let mut unused = Vec::new();
        for server in self.servers.values().filter(|server| !server.is_usable()) {
            let reason = match () {
                () if !server.domains.is_empty() => only(&server.domains),
                () if server.is_secured => "requires DNSSEC or a secure transport".into(),
                () => "requires another port".into(),
            };
            unused.push(describe(&server.addresses, &reason));
        }
        if self.servers.is_empty() && self.is_dhcp_restricted() {
            unused.push(describe(&self.dhcp_servers, &only(&self.dhcp_domains)));
        }
        unused
    }

    /// Applies `dhcp-option`, without the option name. Returns `false` if it has no effect.
    pub(super) fn apply_dhcp(&mut self, arguments: &[&str]) -> bool {
        match arguments {
            ["DNS" | "DNS6", server] => match server.parse() {
                Ok(server) => self.dhcp_servers.push(server),
                Err(_) => return false,
            },
            ["DOMAIN" | "DOMAIN-SEARCH" | "ADAPTER_DOMAIN_SUFFIX", domain] if is_domain(domain) => {
                self.search_domains.push((*domain).to_owned());
            }
            ["DOMAIN-ROUTE", domain] => self.dhcp_domains.push((*domain).to_owned()),
            _ => return false,
        }
        true
    }

    /// Applies `dns`, without the option name: `server N KEYWORD ...` or `search-domains D...`.
    /// Returns `false` if it has no effect.
    pub(super) fn apply_dns(&mut self, arguments: &[&str]) -> bool {
        match arguments {
            ["server", priority, keyword, values @ ..] => match priority.parse() {
                Ok(priority) => self.servers.entry(priority).or_default().apply(keyword, values),
                Err(_) => false,
            },
            ["search-domains", domains @ ..] if domains.iter().all(|domain| is_domain(domain)) => {
                self.search_domains.extend(domains.iter().map(|domain| (*domain).to_owned()));
                true
            }
            _ => false,
        }
    }

    /// Whether `DOMAIN-ROUTE` restricts the servers of `dhcp-option`. The root domain does not.
    fn is_dhcp_restricted(&self) -> bool {
        !self.dhcp_domains.is_empty() && !self.dhcp_domains.iter().any(|domain| domain == ".")
    }
}

impl DnsServer {
    fn apply(&mut self, keyword: &str, values: &[&str]) -> bool {
        match (keyword, values) {
            ("address", [_, ..]) => {
                for value in values {
                    match value.parse() {
                        Ok(address) => self.addresses.push(address),
                        Err(_) => self.has_port = true,
                    }
                }
            }
            ("resolve-domains", [_, ..]) => {
                self.domains.extend(values.iter().map(|domain| (*domain).to_owned()));
            }
            ("dnssec", [value]) => self.is_secured |= *value != "no",
            ("transport", [value]) => self.is_secured |= *value != "plain",
            // The name in a secure transport's certificate.
            ("sni", [_]) => {}
            _ => return false,
        }
        true
    }

    /// Whether the server can resolve every name over plain DNS on port 53.
    fn is_usable(&self) -> bool {
        self.domains.is_empty() && !self.is_secured && !self.has_port
    }
}

/// Whether a word is a domain name. Anything else must not reach the resolver's configuration.
pub(crate) fn is_domain(word: &str) -> bool {
    let is_valid = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    !word.is_empty() && !word.starts_with(['-', '.']) && word.chars().all(is_valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(lines: &[&str]) -> DnsOptions {
        let mut options = DnsOptions::default();
        for line in lines {
            let words: Vec<_> = line.split(' ').collect();
            let is_applied = match words[0] {
                "dns" => options.apply_dns(&words[1..]),
                _ => options.apply_dhcp(&words[1..]),
            };
            assert!(is_applied, "{line}");
        }
        options
    }

    fn servers(lines: &[&str]) -> String {
        let servers = options(lines).servers();
        servers.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn servers_of_one_domain_do_not_resolve_all() {
        let split = ["dns server 1 resolve-domains corp.example", "dns server 1 address 10.0.0.1"];
        assert_eq!(servers(&split), "");
        assert_eq!(servers(&[split[1], split[0]]), "");
        assert_eq!(options(&split).unused(), ["10.0.0.1: only for corp.example"]);
        // For older clients, servers push the address once more.
        assert_eq!(servers(&[split[0], split[1], "dhcp-option DNS 10.0.0.1"]), "");
        let second = "dns server -1 address 10.0.0.2 fd00::2";
        assert_eq!(servers(&[split[0], split[1], second]), "10.0.0.2 fd00::2");
        let routed = ["dhcp-option DNS 10.0.0.1", "dhcp-option DOMAIN-ROUTE corp.example"];
        assert_eq!(servers(&routed), "");
        assert_eq!(options(&routed).unused(), ["10.0.0.1: only for corp.example"]);
        assert_eq!(servers(&[routed[0], routed[1], "dhcp-option DOMAIN-ROUTE ."]), "10.0.0.1");
    }

    #[test]
    fn secured_servers_are_not_used_in_plaintext() {
        for line in [
            "dns server 0 transport DoT",
            "dns server 0 transport DoH",
            "dns server 0 dnssec yes",
            "dns server 0 address 10.0.0.1:853",
        ] {
            assert_eq!(servers(&["dns server 0 address 10.0.0.1", line]), "", "{line}");
        }
        let plain = ["dns server 0 transport plain", "dns server 0 address 10.0.0.1"];
        assert_eq!(servers(&plain), "10.0.0.1");
    }

    #[test]
    fn only_domain_names_are_searched() {
        let mut options = options(&["dhcp-option DOMAIN a.example", "dns search-domains b c"]);
        for bad in ["a b", "a\nnameserver 1.2.3.4", "", "-x", ".", "a;b"] {
            assert!(!options.apply_dhcp(&["DOMAIN", bad]), "{bad:?}");
            assert!(!options.apply_dns(&["search-domains", "d", bad]), "{bad:?}");
        }
        assert_eq!(options.search_domains(), ["a.example", "b", "c"]);
    }
}
